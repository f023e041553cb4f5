package versions_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/versions"
)

// A promotion changes one line of the file.
func ExampleFile_Put() {
	f := versions.New("VERSIONS.md", []versions.Entry{
		{Service: "cart", Environment: "production", Images: []versions.Image{{Image: "example.com/cart", Tag: "v1"}}},
		{Service: "cart", Environment: "staging", Images: []versions.Image{{Image: "example.com/cart", Tag: "v2"}}},
	})
	f.Put([]versions.Entry{{Service: "cart", Environment: "production", Images: []versions.Image{{Image: "example.com/cart", Tag: "v2"}}}})
	fmt.Printf("%s", f.Bytes())
	// Output:
	// # Versions
	//
	// `kubectl promote` keeps this file, and `kubectl promote lint --fix` writes it anew.
	//
	// | Service | Environment | Image | Tag | Digest |
	// | --- | --- | --- | --- | --- |
	// | cart | production | `example.com/cart` | `v2` | - |
	// | cart | staging | `example.com/cart` | `v2` | - |
}
