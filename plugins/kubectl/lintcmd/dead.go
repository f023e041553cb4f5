package lintcmd

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/lint"
)

// deadEntries finds entries of images that match nothing of what the kustomization has: they
// are promoted, and nothing of it ever runs. Where anything is made in ways that only a build
// knows, such as charts, nobody can tell, and nothing is said.
func deadEntries(f *file) []lint.Finding {
	entries := fieldOf(f.root, "images")
	if entries == nil || entries.Kind != yaml.SequenceNode || strings.EqualFold(textOf(f.root, "kind"), "Component") {
		return nil
	}
	r := &reached{tree: f.tree, seen: make(map[string]bool)}
	r.kustomization(f.dir, f.root, true)
	if r.unsure || r.objects == 0 {
		return nil
	}
	var found []lint.Finding
	for _, entry := range entries.Content {
		name := fieldOf(entry, "name")
		if name == nil || name.Value == "" || !plainName.MatchString(name.Value) || r.has(name.Value) {
			if to := textOf(entry, "newName"); to != "" { // those behind it find it under that name
				r.texts = append(r.texts, to)
			}
			continue
		}
		hint := "remove the entry, or name it as the containers do"
		if near := spelling.Hint(name.Value, r.images); strings.HasPrefix(near, "did you mean") {
			hint = near
		}
		found = append(found, f.problem(name, hint, "images: %q matches nothing here: what is promoted by it never runs", name.Value))
	}
	return found
}

// plainName is one that means itself: kustomize takes it for a regular expression.
var plainName = regexp.MustCompile(`^[A-Za-z0-9._/:-]+$`)

// The bounds of what is read for one kustomization.
const (
	mostReached = 1000
	mostNodes   = 500_000
	mostDeep    = 200
)

// reached is what a kustomization is made of: the texts of all files that it leads to.
type reached struct {
	tree    string
	seen    map[string]bool
	objects int
	nodes   int
	texts   []string
	images  []string // the names of images among them
	unsure  bool
}

// has tells whether a name is that of an image anywhere.
func (r *reached) has(name string) bool {
	return slices.ContainsFunc(r.texts, func(text string) bool {
		rest, ok := strings.CutPrefix(text, name)
		return ok && (rest == "" || rest[0] == ':' || rest[0] == '@')
	})
}

// builds are the fields that make what only a build knows.
var builds = []string{"helmCharts", "helmChartInflationGenerator", "generators", "transformers", "replacements", "vars", "configurations"}

// kustomization takes what one leads to.
func (r *reached) kustomization(dir string, root *yaml.Node, top bool) {
	if root.Kind != yaml.MappingNode {
		r.unsure = true
		return
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		field, value := root.Content[i].Value, meant(root.Content[i+1])
		switch {
		case root.Content[i].Tag == "!!merge":
			r.unsure = true
		case slices.ContainsFunc(builds, func(name string) bool { return strings.EqualFold(name, field) }) && len(value.Content) > 0:
			r.unsure = true
		case strings.EqualFold(field, "images"):
			for _, entry := range value.Content { // one below may call it what it is called here
				if name := fieldOf(entry, "newName"); name != nil && !top {
					r.texts = append(r.texts, name.Value)
				}
			}
		default:
			r.take(field, value, 0)
			r.follow(dir, field, value)
		}
	}
}

// follow reads the files that a field names.
func (r *reached) follow(dir, field string, value *yaml.Node) {
	var names []string
	switch strings.ToLower(field) {
	case "resources", "bases", "components", "patchesstrategicmerge":
		for _, one := range value.Content {
			names = append(names, meant(one).Value)
		}
	case "patches", "patchesjson6902":
		for _, one := range value.Content {
			if p := textOf(one, "path"); p != "" {
				names = append(names, p)
			}
		}
	}
	for _, name := range names {
		if !strings.Contains(name, "\n") { // a patch that stands there itself
			r.path(filepath.Join(dir, filepath.FromSlash(name)))
		}
	}
}

// path reads a file, or the kustomization of a folder.
func (r *reached) path(name string) {
	if r.unsure || r.seen[name] {
		return
	}
	r.seen[name] = true
	info, err := os.Stat(name)
	if err != nil || len(r.seen) > mostReached || !inside(r.tree, name) { // a remote base among them
		r.unsure = true
		return
	}
	if !info.IsDir() {
		r.file(name, func(n *yaml.Node) { r.objects++; r.take("", n, 0) })
		return
	}
	at, err := cli.FindKustomization(name)
	if err != nil {
		r.unsure = true
		return
	}
	r.file(at, func(n *yaml.Node) { r.kustomization(name, n, false) })
}

func (r *reached) file(name string, visit func(*yaml.Node)) {
	data := readInside(r.tree, name)
	if data == nil { // that one may have anything
		r.unsure = true
		return
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.unsure = true
			return
		}
		if len(doc.Content) > 0 {
			visit(doc.Content[0])
		}
	}
}

// take takes what may be an image below the value of a key: that of image, or of a patch that
// sets a value.
func (r *reached) take(key string, n *yaml.Node, depth int) {
	if r.nodes++; r.unsure || r.nodes > mostNodes || depth > mostDeep {
		r.unsure = true
		return
	}
	n = meant(n)
	if n.Kind == yaml.ScalarNode {
		var inside yaml.Node
		switch {
		case key == "image" || key == "value":
			r.texts, r.images = append(r.texts, n.Value), append(r.images, imageName(n.Value))
		case !strings.ContainsAny(n.Value, "\n{"):
		case yaml.Unmarshal([]byte(n.Value), &inside) == nil && len(inside.Content) > 0 && inside.Content[0].Kind != yaml.ScalarNode:
			r.take("", inside.Content[0], depth+1) // a patch that stands there itself
		}
	}
	for i, one := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			key = n.Content[i-1].Value
		}
		r.take(key, one, depth+1)
	}
}

// imageName is an image without its tag and digest.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

// meant is a node, or what it is an alias for.
func meant(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// fieldOf gives the value of a field, whatever the case of its letters; nil where there is
// none.
func fieldOf(m *yaml.Node, field string) *yaml.Node {
	m = meant(m)
	if m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if strings.EqualFold(m.Content[i].Value, field) {
			return meant(m.Content[i+1])
		}
	}
	return nil
}

func textOf(m *yaml.Node, field string) string {
	if v := fieldOf(m, field); v != nil {
		return v.Value
	}
	return ""
}
