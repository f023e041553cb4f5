// Setimage sets one image's tag in a kustomization file and prints the diff:
// setimage FILE NAME TAG. It needs nothing but the package overlay.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/kubepromote/kubepromote/overlay"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: setimage FILE NAME TAG")
	}
	src, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	file, err := overlay.Parse(os.Args[1], src)
	if err != nil {
		log.Fatal(err)
	}
	edit, err := file.Set(overlay.Change{Name: os.Args[2], Tag: overlay.To(os.Args[3])})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(edit.Diff())
}
