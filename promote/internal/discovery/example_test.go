package discovery_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote/internal/discovery"
)

func Example() {
	tree := fstest.MapFS{}
	for _, service := range []string{"web", "api"} {
		for _, environment := range []string{"dev", "staging", "prod-eu", "prod-us"} {
			tree["apps/"+service+"/values-"+environment+".yaml"] = &fstest.MapFile{Data: []byte("image: {repository: quay.io/acme/" + service + ", tag: v1}\n")}
		}
	}
	// No pin is in these folders.
	tree["config/staging/settings.yaml"] = &fstest.MapFile{Data: []byte("theme: dark\n")}
	tree["config/prod/settings.yaml"] = &fstest.MapFile{Data: []byte("theme: light\n")}

	found, err := discovery.Discover(context.Background(), tree)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range found.Shapes {
		fmt.Printf("%s: %d services, %d pins\n", s.Path, s.Services, s.Pins)
	}
	for _, e := range found.Environments {
		fmt.Println(e.Name, e.From)
	}
	// Output:
	// apps/{service}/values-{environment}.yaml: 2 services, 2 pins
	// dev []
	// staging [dev]
	// prod-eu [staging]
	// prod-us [staging]
}
