package main

import (
	"bytes"
	"os"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

// writeSBOM lists the modules that the linker has put into a program.
//
// The command cyclonedx-gomod adds the hash of itself, which is not the same on
// two machines; its library does not.
func writeSBOM(version, program, file string) error {
	g, err := bin.NewGenerator(program, bin.WithVersionOverride(version), bin.WithIncludeStdlib(true), bin.WithLogger(zerolog.Nop()))
	if err != nil {
		return err
	}
	bom, err := g.Generate()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&b, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
