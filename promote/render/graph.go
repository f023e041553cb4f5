package render

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// The bounds of what a kustomization may be made of. A base that is used twice is built
// twice, with all that it is made of.
const (
	maxDepth  = 64
	maxBuilds = 10_000
)

// node is a kustomization and those that it is made of.
type node struct {
	dir, file string
	k         types.Kustomization
	doc       *yaml.Node // its mapping
	// resources and components are the directories among them, in their order.
	resources, components []*node
	// configs are directories that give functions, with their configurations.
	configs []*node

	builds int
	// functions tells that some of it has functions of this project, schema that some of it
	// has a schema of its own.
	functions, schema bool
}

// kustomization finds the kustomization file of a directory; "" is none.
func (s *source) kustomization(dir string) (string, error) {
	entries, err := s.list(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, name := range kustomization.Names {
		if entries[name] == isFile || entries[name] == isLink {
			found = append(found, name)
		}
	}
	switch {
	case len(found) == 0:
		return "", nil
	case len(found) > 1:
		return "", &promote.Error{Msg: fmt.Sprintf("%s has both %s and %s", dir, found[0], found[1]), Hint: "keep one of them"}
	}
	return path.Join(dir, found[0]), nil
}

// graph reads the kustomization of a directory and all that it is made of. What kustomize
// would fetch or run, and what would not end, is an error with its place.
func (s *source) graph(dir string) (*node, error) { return s.visit(dir, nil) }

func (s *source) visit(dir string, stack []string) (*node, error) {
	s.mu.Lock()
	known := s.nodes[dir]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if len(stack) > maxDepth {
		return nil, &promote.Error{Msg: fmt.Sprintf("%s lies in more than %d kustomizations", dir, maxDepth), Hint: "keep bases flatter"}
	}
	n, err := s.parse(dir)
	if err != nil {
		return nil, err
	}
	stack = append(stack[:len(stack):len(stack)], dir)
	if n.resources, err = s.children(n, n.k.Resources, stack, "resources", "bases"); err != nil {
		return nil, err
	}
	if n.components, err = s.children(n, n.k.Components, stack, "components"); err != nil {
		return nil, err
	}
	if err := s.check(n, stack); err != nil {
		return nil, err
	}
	n.builds = 1
	for _, c := range slices.Concat(n.resources, n.components, n.configs) {
		n.builds += c.builds
		n.functions, n.schema = n.functions || c.functions, n.schema || c.schema
	}
	if n.builds > maxBuilds {
		return nil, &promote.Error{Msg: fmt.Sprintf("%s is built from more than %d kustomizations", dir, maxBuilds), Hint: "use a base once"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[dir] = n
	return n, nil
}

func (s *source) parse(dir string) (*node, error) {
	file, err := s.kustomization(dir)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, &promote.Error{Msg: dir + " has no kustomization.yaml", Hint: "kustomize create --autodetect"}
	}
	k, err := s.at(file)
	if err == nil && k == isLink {
		err = linked(file)
	}
	if err != nil {
		return nil, err
	}
	data, err := s.bytes(file)
	if err != nil {
		return nil, err
	}
	n := &node{dir: dir, file: file}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil {
		return nil, yamlError(file, err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, &promote.Error{Msg: file + ": is no kustomization"}
	}
	n.doc = doc.Content[0]
	if err := n.k.Unmarshal(data); err != nil {
		return nil, kustomizationError(file, n.doc, err)
	}
	n.k.FixKustomization()
	return n, nil
}

// children gives the kustomizations among the entries of fields. They are what kustomize
// itself has read, whatever they are written as: merged, as aliases, as base64.
func (s *source) children(n *node, entries []string, stack []string, fields ...string) ([]*node, error) {
	var out []*node
	for _, entry := range entries {
		child, err := s.child(n, entry, stack, fields)
		if err != nil {
			return nil, err
		}
		if child != nil {
			out = append(out, child)
		}
	}
	return out, nil
}

// place is where an entry of one of the fields is written, as far as that can be told.
func (n *node) place(entry string, fields []string) string {
	for _, field := range fields {
		for _, e := range entriesOf(n.doc, field) {
			if e.Value == entry {
				return fmt.Sprintf("%s:%d:%d: %s: ", n.file, e.Line, e.Column, field)
			}
		}
	}
	return n.file + ": " + fields[0] + ": "
}

// child gives the kustomization that an entry leads to; nil for a file.
func (s *source) child(n *node, entry string, stack, fields []string) (*node, error) {
	place := n.place(entry, fields)
	if remote(entry) {
		return nil, fetched(place, entry)
	}
	if path.IsAbs(entry) {
		return nil, &promote.Error{Msg: place + fault.OneLine(entry) + " is an absolute path", Hint: "write it relative to " + n.dir}
	}
	at := path.Join(n.dir, entry)
	if at == ".." || strings.HasPrefix(at, "../") {
		return nil, &promote.Error{Msg: place + fault.OneLine(entry) + " is outside of the repository"}
	}
	switch k, err := s.at(at); {
	case err != nil:
		return nil, err
	case k == isLink:
		return nil, &promote.Error{Msg: strings.TrimSuffix(place, fields[0]+": ") + linked(at).Error()}
	case k == nothing && strings.Contains(entry, "\n"):
		return nil, nil // written out
	case k == nothing:
		return nil, &promote.Error{Msg: place + "there is no " + fault.OneLine(at)}
	case k == isFile:
		return nil, nil
	case slices.Contains(stack, at):
		return nil, &promote.Error{Msg: place + fault.OneLine(entry) + " leads back to where it comes from: a cycle"}
	}
	return s.visit(at, stack)
}

// check finds what kustomize would fetch or run for the other fields.
func (s *source) check(n *node, stack []string) error {
	n.schema = len(n.k.OpenAPI) > 0
	if len(n.k.HelmCharts)+len(n.k.HelmChartInflationGenerator) > 0 {
		return &needsCharts{n}
	}
	for _, name := range n.loads() {
		if remote(name) {
			return fetched(n.file+": ", name)
		}
	}
	for _, entry := range slices.Concat(n.k.Generators, n.k.Transformers, n.k.Validators) {
		if err := s.configured(n, entry, stack); err != nil {
			return err
		}
	}
	return nil
}

// loads are the files that kustomize reads for a kustomization, beside resources and
// components.
func (n *node) loads() []string {
	k := &n.k
	all := slices.Concat(k.Crds, k.Configurations, k.Generators, k.Transformers, k.Validators, []string{k.OpenAPI["path"]})
	//lint:ignore SA1019 repositories have them
	for _, p := range slices.Concat(k.Patches, k.PatchesJson6902) {
		all = append(all, p.Path)
	}
	//lint:ignore SA1019 repositories have them
	for _, p := range k.PatchesStrategicMerge {
		all = append(all, string(p))
	}
	for _, r := range k.Replacements {
		all = append(all, r.Path)
	}
	for _, g := range k.ConfigMapGenerator {
		all = append(all, kvFiles(g.KvPairSources)...)
	}
	for _, g := range k.SecretGenerator {
		all = append(all, kvFiles(g.KvPairSources)...)
	}
	return all
}

// kvFiles are the files of a generator; one may stand behind its key.
func kvFiles(g types.KvPairSources) []string {
	all := append(slices.Clone(g.EnvSources), g.EnvSource)
	for _, file := range g.FileSources {
		all = append(all, file)
		if _, name, ok := strings.Cut(file, "="); ok {
			all = append(all, name)
		}
	}
	return all
}

// remotes are how everything begins that kustomize takes for a URL or for a repository.
var remotes = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(git::|https?:|ssh:|file:|[a-z][a-z0-9-]*@|github\.com[/:])`)
})

func remote(name string) bool { return remotes().MatchString(name) }

func fetched(place, name string) error {
	return &promote.Error{Msg: place + fault.WithoutURLs(fault.OneLine(name)) + " is fetched from elsewhere, and nothing is fetched to render",
		Hint: "keep a copy of it in the repository"}
}

func linked(name string) error {
	return &promote.Error{Msg: name + ": leads over a symbolic link, which is not followed to render", Hint: "name what it leads to"}
}

// entriesOf gives the texts of a list in a mapping, whose keys kustomize takes in any case.
func entriesOf(doc *yaml.Node, field string) []*yaml.Node {
	var out []*yaml.Node
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if strings.EqualFold(doc.Content[i].Value, field) {
			for _, n := range doc.Content[i+1].Content {
				if n.Kind == yaml.AliasNode {
					n = n.Alias
				}
				if n.Kind == yaml.ScalarNode {
					out = append(out, n)
				}
			}
		}
	}
	return out
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: line (\d+): (.*)$`) })

// yamlError is a parser's error with the place in front.
func yamlError(file string, err error) error {
	text := fault.OneLine(err.Error())
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		return &promote.Error{Msg: file + ":" + m[1] + ": " + m[2]}
	}
	if rest, ok := strings.CutPrefix(text, "yaml: "); ok && !strings.HasPrefix(rest, "unmarshal errors") { // the parser does not name the first line
		return &promote.Error{Msg: file + ":1: " + rest}
	}
	return &promote.Error{Msg: file + ": " + strings.TrimPrefix(text, "yaml: ")}
}
