package files_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/kubepromote/kubepromote/internal/files"
)

// Two files get new contents, or none of them: the second is not as expected.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{"cart.txt", "web.txt"} {
		if err := root.WriteFile(name, []byte("v1\n"), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	err = files.Write(context.Background(), root, []files.File{
		{Path: "cart.txt", Data: []byte("v2\n"), Old: []byte("v1\n")},
		{Path: "web.txt", Data: []byte("v2\n"), Old: []byte("v0\n")},
	})
	fmt.Println(err)
	cart, err := files.Read(root, "cart.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print("cart: ", string(cart))
	// Output:
	// web.txt has been changed by somebody else in the meantime
	// cart: v1
}
