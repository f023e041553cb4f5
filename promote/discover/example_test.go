package discover_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// files is a repository without a pipeline file.
type files struct{ fstest.MapFS }

func (f files) ReadAny(dir string, names []string) (pipeline.Found, error) {
	for _, name := range names {
		if data, err := f.ReadFile(path.Join(dir, name)); err == nil {
			return pipeline.Found{Have: []string{name}, Name: name, Data: data}, nil
		}
	}
	return pipeline.Found{}, fs.ErrNotExist
}

func ExamplePipeline() {
	pin := &fstest.MapFile{Data: []byte("image: {repository: registry.example.com/shop/cart, tag: v1}\n")}
	p, _, err := discover.Pipeline(context.Background(), files{fstest.MapFS{"charts/cart/values-dev.yaml": pin, "charts/cart/values-prod.yaml": pin}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Spec.Layout)
	for _, e := range p.Spec.Environments {
		fmt.Println(e.Name, e.From)
	}
	// Output:
	// charts/{service}/values-{environment}.yaml
	// dev []
	// prod [dev]
}
