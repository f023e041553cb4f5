package lintcmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/kyaml/fn/runtime/runtimeutil"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/lint"
)

// functionFields are the fields of a kustomization that list functions.
var functionFields = []string{"generators", "transformers", "validators"}

// skippedFunctions finds functions that are programs. Kustomize runs them with
// --enable-exec; with --enable-alpha-plugins alone it leaves them out, and the
// build succeeds. kubectl kustomize has no --enable-exec.
func skippedFunctions(f *file) []lint.Finding {
	var problems []lint.Finding
	for _, field := range functionFields {
		for _, entry := range listOf(f.root, field) {
			for _, config := range functionConfigs(f.tree, f.dir, entry.Value) {
				spec, err := runtimeutil.GetFunctionSpec(config)
				if err != nil || spec == nil || spec.Container.Image != "" {
					continue
				}
				name := strings.TrimSpace(config.GetKind() + " " + config.GetName())
				what := "runs " + spec.Exec.Path
				if spec.Exec.Path == "" {
					what = "names nothing to run"
				}
				problems = append(problems, f.problem(entry, "kubectl promote build "+filepath.ToSlash(f.dir)+", or kustomize build --enable-alpha-plugins --enable-exec",
					"%s: function %s %s: without --enable-exec kustomize skips it in silence", field, name, what))
			}
		}
	}
	return problems
}

// listOf gives the scalars of a list in a mapping.
func listOf(m *yaml.Node, field string) []*yaml.Node {
	if m.Kind != yaml.MappingNode {
		return nil
	}
	var found []*yaml.Node
	for i := 0; i+1 < len(m.Content); i += 2 {
		// kustomize does not mind the case of letters
		if !strings.EqualFold(m.Content[i].Value, field) || m.Content[i+1].Kind != yaml.SequenceNode {
			continue
		}
		for _, it := range m.Content[i+1].Content {
			if it.Kind == yaml.ScalarNode {
				found = append(found, it)
			}
		}
	}
	return found
}

// functionConfigs gives the configurations that an entry stands for: those written
// out in it, in a file, or in the files of a directory's kustomization. What cannot
// be read, or stands outside of the tree, is for the build to say.
func functionConfigs(tree, dir, entry string) []*kyaml.RNode {
	if strings.Contains(entry, "\n") {
		return configsIn([]byte(entry))
	}
	path := filepath.Join(dir, filepath.FromSlash(entry))
	info, err := os.Stat(path)
	if err != nil || !inside(tree, path) {
		return nil
	}
	if !info.IsDir() {
		return configsInFile(tree, path)
	}
	file, err := cli.FindKustomization(path)
	if err != nil {
		return nil
	}
	data := readInside(tree, file)
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	var all []*kyaml.RNode
	for _, r := range listOf(doc.Content[0], "resources") {
		all = append(all, configsInFile(tree, filepath.Join(path, filepath.FromSlash(r.Value)))...)
	}
	return all
}

func configsInFile(tree, path string) []*kyaml.RNode { return configsIn(readInside(tree, path)) }

// readInside reads a file of the tree; nothing of what is none, or no regular file.
func readInside(tree, path string) []byte {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || !inside(tree, path) {
		return nil
	}
	data, err := cli.ReadBounded(path)
	if err != nil {
		return nil
	}
	return data
}

// configsIn gives the objects of a YAML text.
func configsIn(data []byte) []*kyaml.RNode {
	var all []*kyaml.RNode
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if dec.Decode(&doc) != nil {
			return all
		}
		if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
			all = append(all, kyaml.NewRNode(doc.Content[0]))
		}
	}
}
