package yamlfile_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

func Example() {
	var config struct {
		Name  string   `yaml:"name"`
		Ports []string `yaml:"ports"`
	}
	f := yamlfile.Parse("config.yaml", []byte("name: web\nprots: [http]\nports: http\n"), yamlfile.Options{})
	if f.Decode(0, &config) && config.Name == "" {
		f.At("name", "name: web", "name is empty")
	}
	for _, fault := range f.Faults() {
		fmt.Printf("%s:%d:%d: %s\n", fault.File, fault.Line, fault.Col, fault.Msg)
		if fault.Hint != "" {
			fmt.Println("hint:", fault.Hint)
		}
	}
	// Output:
	// config.yaml:2:1: unknown field "prots"
	// hint: did you mean ports?
	// config.yaml:3:8: ports is a string, not a list
}
