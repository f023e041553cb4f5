// Release makes what goreleaser does not:
//
//	release sbom VERSION PROGRAM FILE    what a program consists of, in CycloneDX's form
//	release manifest VERSION DIST        krew's manifest of the archives in DIST
//	release image VERSION DIST           an OCI layout of promote-fn's container image
//
// What it writes depends on its input alone: whoever runs it gets the same bytes.
package main

import (
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "sbom":
		return writeSBOM(args[1], args[2], args[3])
	case len(args) == 3 && args[0] == "manifest":
		return writeManifest(args[1], args[2])
	case len(args) == 3 && args[0] == "image":
		return writeImage(args[1], args[2])
	}
	return fmt.Errorf("unknown command line %q\nhint: release sbom, manifest or image, called by make release", args)
}
