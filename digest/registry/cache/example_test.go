package cache_test

import (
	"fmt"
	"log"
	"os"

	"github.com/kubepromote/kubepromote/digest/registry/cache"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	kept, err := cache.OpenCache(dir, 64<<20)
	if err != nil {
		log.Fatal(err)
	}
	defer kept.Close()

	const hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	fmt.Println(kept.Put(hello, []byte("hello")))
	fmt.Println(kept.Put(hello, []byte("forged")) != nil)
	content, ok := kept.Get(hello)
	fmt.Println(string(content), ok)
	// Output:
	// <nil>
	// true
	// hello true
}
