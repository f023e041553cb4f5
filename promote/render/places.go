package render

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/objects"
	"go.yaml.in/yaml/v3"
)

// origins are the objects that files and generators of kustomizations have. Kustomize can
// write the origin of each object into its annotations, but there patches see it.
type origins struct {
	source *source
	root   *node
	byKind map[string][]origin
}

// origin is an object as it stands in a file, or its generator.
type origin struct {
	file, name, namespace string
	generated             bool
	root                  *yaml.Node
}

// origins lists what a kustomization is made of.
func (s *source) origins(n *node) *origins {
	o := &origins{source: s, root: n, byKind: make(map[string][]origin)}
	seen := make(map[*node]bool)
	var visit func(n *node)
	visit = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, entry := range slices.Concat(entriesOf(n.doc, "resources"), entriesOf(n.doc, "bases")) {
			at := path.Join(n.dir, entry.Value)
			if k, err := s.at(at); err == nil && k == isFile {
				o.file(at)
			}
		}
		for _, kind := range []string{"ConfigMap", "Secret"} {
			for _, g := range mappingsOf(n.doc, generatorField(kind)) {
				o.byKind[kind] = append(o.byKind[kind], origin{n.file, value(g, "name"), value(g, "namespace"), true, g})
			}
		}
		for _, c := range slices.Concat(n.components, n.resources) {
			visit(c)
		}
	}
	visit(n)
	return o
}

// file notes the objects of a file. What is wrong with it kustomize tells.
func (o *origins) file(file string) {
	docs, err := o.source.documents(file)
	if err != nil {
		return
	}
	for _, d := range docs {
		o.add(file, d.root)
		if items := field(d.root, "items"); items != nil && items.Kind == yaml.SequenceNode && strings.HasSuffix(d.kind, "List") {
			for _, item := range items.Content {
				o.add(file, item)
			}
		}
	}
}

func (o *origins) add(file string, root *yaml.Node) {
	if meta := field(root, "metadata"); meta != nil {
		kind := value(root, "kind")
		o.byKind[kind] = append(o.byKind[kind], origin{file, value(meta, "name"), value(meta, "namespace"), false, root})
	}
}

// locate tells an object where it comes from, and what it is called there: kustomize puts
// something around a name. Of several it is the longest that the object's name has in it.
func (o *origins) locate(one *objects.Object) {
	w := &places{source: o.source, object: one, kind: one.Kind}
	best := -1
	for n, from := range o.byKind[one.Kind] {
		if from.name == "" || !strings.Contains(one.Name, from.name) {
			continue
		}
		rank := 2 * len(from.name)
		if from.namespace != "" && from.namespace == one.Namespace {
			rank++
		}
		if rank > best {
			best, w.origin = rank, &o.byKind[one.Kind][n]
		}
	}
	if w.origin != nil {
		one.Original = w.origin.name
	}
	one.Places = func(at objects.Path) objects.Place { return w.find(o.root, at) }
}

// places finds where an object's fields come from.
type places struct {
	source *source
	object *objects.Object
	kind   string
	origin *origin // nil where it is not known
}

func generatorField(kind string) string {
	if kind == "Secret" {
		return "secretGenerator"
	}
	return "configMapGenerator"
}

// mappingsOf gives the elements of a list that are mappings.
func mappingsOf(doc *yaml.Node, name string) []*yaml.Node {
	list := field(doc, name)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list.Content), func(n *yaml.Node) bool { return n.Kind != yaml.MappingNode })
}

// find gives the place that has the last word on a field: kustomizations from the outside
// in, each with its patches, images and the like, and the object's own file.
func (w *places) find(n *node, at objects.Path) objects.Place {
	if len(at) > 0 {
		if p := w.in(n, at, make(map[*node]bool)); p.File != "" {
			return p
		}
	}
	return w.own(at)
}

func (w *places) in(n *node, at objects.Path, seen map[*node]bool) objects.Place {
	if seen[n] {
		return objects.Place{}
	}
	seen[n] = true
	for _, look := range []func(*node, objects.Path) objects.Place{w.byField, w.byPatch, w.byGenerator} {
		if p := look(n, at); p.File != "" {
			return p
		}
	}
	for _, below := range [][]*node{n.components, n.resources} {
		for _, c := range slices.Backward(below) {
			if p := w.in(c, at, seen); p.File != "" {
				return p
			}
		}
	}
	return objects.Place{}
}

// own is where the object's own file has the field, or the object.
func (w *places) own(at objects.Path) objects.Place {
	if w.origin == nil {
		return objects.Place{}
	}
	n := w.origin.root
	if !w.origin.generated {
		n, _ = find(n, at)
	}
	return objects.Place{File: w.origin.file, Line: n.Line}
}

// byField looks at the fields of a kustomization that change objects of all kinds.
func (w *places) byField(n *node, at objects.Path) objects.Place {
	place := func(v *yaml.Node) objects.Place {
		if v == nil {
			return objects.Place{}
		}
		return objects.Place{File: n.file, Line: v.Line}
	}
	last := at[len(at)-1]
	switch text := at.String(); {
	case last == "image":
		image, _ := at.Find(w.object.Fields)
		for _, entry := range mappingsOf(n.doc, "images") {
			if name := cmp.Or(value(entry, "newName"), value(entry, "name")); isImage(image, name) && len(entry.Content) > 2 {
				return place(cmp.Or(field(entry, "digest"), field(entry, "newTag"), entry))
			}
		}
	case text == "metadata.namespace":
		return place(field(n.doc, "namespace"))
	case text == "metadata.name":
		return place(cmp.Or(field(n.doc, "namePrefix"), field(n.doc, "nameSuffix")))
	case text == "spec.replicas":
		for _, entry := range mappingsOf(n.doc, "replicas") {
			if value(entry, "name") == w.object.Original {
				return place(field(entry, "count"))
			}
		}
	case slices.Contains(at, "labels"), slices.Contains(at, "matchLabels"), slices.Contains(at, "selector"), slices.Contains(at, "annotations"):
		for _, name := range []string{"commonLabels", "commonAnnotations"} {
			if m := field(n.doc, name); m != nil && field(m, last) != nil {
				return place(field(m, last))
			}
		}
		for _, entry := range mappingsOf(n.doc, "labels") {
			if m := field(entry, "pairs"); m != nil && field(m, last) != nil {
				return place(field(m, last))
			}
		}
	}
	return objects.Place{}
}

// isImage tells whether a reference is of a repository.
func isImage(ref any, repository string) bool {
	s, _ := ref.(string)
	rest, ok := strings.CutPrefix(s, repository)
	return ok && repository != "" && (rest == "" || rest[0] == ':' || rest[0] == '@')
}

// byPatch looks at the patches of a kustomization, the last one first.
func (w *places) byPatch(n *node, at objects.Path) objects.Place {
	for _, list := range []string{"patches", "patchesJson6902"} {
		for _, p := range slices.Backward(mappingsOf(n.doc, list)) {
			target := field(p, "target")
			if target != nil && !w.isTarget(target) {
				continue
			}
			if file := value(p, "path"); file != "" {
				if found := w.inPatch(path.Join(n.dir, file), target != nil, at); found.File != "" {
					return found
				}
			} else if text := field(p, "patch"); text != nil {
				if found := w.inline(n, text, target != nil, at); found.File != "" {
					return found
				}
			}
		}
	}
	for _, entry := range slices.Backward(entriesOf(n.doc, "patchesStrategicMerge")) {
		if strings.Contains(entry.Value, "\n") {
			if found := w.inline(n, entry, false, at); found.File != "" {
				return found
			}
		} else if found := w.inPatch(path.Join(n.dir, entry.Value), false, at); found.File != "" {
			return found
		}
	}
	return objects.Place{}
}

// isTarget tells whether a patch's target may be the object. What it selects by labels is
// left to the patch itself.
func (w *places) isTarget(target *yaml.Node) bool {
	kind, name := value(target, "kind"), value(target, "name")
	return (kind == "" || kind == w.kind) && (name == "" || name == w.object.Original || name == w.object.Name || strings.ContainsAny(name, ".*|["))
}

func (w *places) inPatch(file string, targeted bool, at objects.Path) objects.Place {
	docs, err := w.source.documents(file)
	if err != nil {
		return objects.Place{}
	}
	if n := w.patched(docs, targeted, at); n != nil {
		return objects.Place{File: file, Line: n.Line}
	}
	return objects.Place{}
}

// inline looks into a patch that is written out in a kustomization.
func (w *places) inline(n *node, text *yaml.Node, targeted bool, at objects.Path) objects.Place {
	docs, err := parseDocuments(n.file, []byte(text.Value))
	if err != nil {
		return objects.Place{}
	}
	found := w.patched(docs, targeted, at)
	if found == nil {
		return objects.Place{}
	}
	line := text.Line
	if text.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line += found.Line
	}
	return objects.Place{File: n.file, Line: line}
}

// patched finds the part of a patch that is about a field.
func (w *places) patched(docs []document, targeted bool, at objects.Path) *yaml.Node {
	for _, d := range slices.Backward(docs) {
		if d.root.Kind == yaml.SequenceNode { // a JSON patch
			for _, op := range slices.Backward(d.root.Content) {
				if points(value(op, "path"), at) {
					return op
				}
			}
			continue
		}
		if !targeted && (d.kind != w.kind || d.name != w.object.Original && d.name != w.object.Name) {
			continue
		}
		if n, all := find(d.root, at); all {
			return n
		}
	}
	return nil
}

// points tells whether a JSON pointer leads to a path or to what is around it. Elements
// of lists, which it counts, are not compared.
func points(pointer string, at objects.Path) bool {
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	if pointer == "" || len(steps) > len(at) {
		return false
	}
	for i, step := range steps {
		if step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step); !strings.HasPrefix(at[i], "[") && step != at[i] {
			return false
		}
	}
	return true
}

// byGenerator looks at the generators of a kustomization.
func (w *places) byGenerator(n *node, at objects.Path) objects.Place {
	if w.kind != "ConfigMap" && w.kind != "Secret" || len(at) == 0 || at[0] != "data" && at[0] != "metadata" {
		return objects.Place{}
	}
	for _, g := range mappingsOf(n.doc, generatorField(w.kind)) {
		if value(g, "name") != w.object.Original {
			continue
		}
		if len(at) == 2 && at[0] == "data" {
			if p := w.generatedKey(n, g, at[1]); p.File != "" {
				return p
			}
		}
		if w.origin != nil && w.origin.root == g {
			return objects.Place{File: n.file, Line: g.Line}
		}
	}
	return objects.Place{}
}

func (w *places) generatedKey(n *node, g *yaml.Node, key string) objects.Place {
	for _, literal := range entriesOf(g, "literals") {
		if name, _, _ := strings.Cut(literal.Value, "="); name == key {
			return objects.Place{File: n.file, Line: literal.Line}
		}
	}
	for _, entry := range entriesOf(g, "files") {
		name, file, ok := strings.Cut(entry.Value, "=")
		if !ok {
			name, file = path.Base(entry.Value), entry.Value
		}
		if name == key {
			return objects.Place{File: path.Join(n.dir, file), Line: 1}
		}
	}
	envs := entriesOf(g, "envs")
	if one := field(g, "env"); one != nil && one.Kind == yaml.ScalarNode {
		envs = append(envs, one)
	}
	for _, entry := range envs {
		file := path.Join(n.dir, entry.Value)
		data, err := w.source.bytes(file)
		if err != nil {
			continue
		}
		line := 0
		for text := range strings.Lines(string(data)) {
			line++
			if name, _, _ := strings.Cut(text, "="); strings.TrimSpace(name) == key {
				return objects.Place{File: file, Line: line}
			}
		}
	}
	return objects.Place{}
}
