package discovery

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Files that hold all environments, such as ApplicationSets, are looked for among
// those that no shape has: some of each form, and more where there is one.
const (
	mostTried  = 8
	mostInline = 512
)

// inline finds shapes in files that are of several environments each.
func (f *finder) inline() {
	clusters := make(map[string]*cluster)
	for _, file := range f.unshaped() {
		pattern, slots, texts := slotsOf(file, false)
		c := clusters[pattern]
		if c == nil {
			c = &cluster{pattern: pattern, slots: slots, aside: isAside(pattern)}
			clusters[pattern] = c
		}
		c.groups = append(c.groups, &group{template: file, texts: texts, members: []member{{file: file}}})
	}
	read := 0
	for _, pattern := range slices.Sorted(maps.Keys(clusters)) {
		c := clusters[pattern]
		if c.aside || read >= mostInline || f.ctx.Err() != nil {
			continue
		}
		var some []*group
		n := min(len(c.groups), mostTried)
		for i := range n {
			some = append(some, c.groups[i*len(c.groups)/n])
		}
		read += len(some)
		entries := f.parts(c, some)
		if len(entries) > 0 && len(some) < len(c.groups) {
			read += min(len(c.groups), mostSampled)
			entries = f.parts(c, c.sample(c.groups))
		}
		f.acceptParts(c, entries)
	}
}

// unshaped are the files that no shape has, and in whose paths no environment is or one
// alone, such as a word that means something else.
func (f *finder) unshaped() []string {
	out := f.plain
	for _, c := range f.alone {
		for _, g := range c.groups {
			if file := g.members[0].file; !c.folder && !f.claimed[file] {
				out = append(out, file)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// acceptParts makes shapes of files that have environments at one place each.
func (f *finder) acceptParts(c *cluster, entries []*entry) {
	places := make(map[string][]*entry)
	for _, e := range entries {
		places[e.group.within] = append(places[e.group.within], e)
	}
	for _, within := range slices.Sorted(maps.Keys(places)) {
		some := places[within]
		environments, images := make(map[string]bool), false
		for _, e := range some {
			maps.Copy(environments, e.environments)
			images = images || e.images()
		}
		if len(ranksOf(environments)) < 2 {
			continue
		}
		b := &builder{cluster: c, scale: 1, images: images}
		f.shapes = append(f.shapes, b.shapes(some)...)
		for _, e := range some {
			f.claimed[e.group.members[0].file] = true
		}
	}
}

// parts reads files and pairs the pins of the environments in them.
func (f *finder) parts(c *cluster, groups []*group) []*entry {
	found := make([][]*entry, len(groups))
	f.each(len(groups), func(i int) { found[i] = f.partsOf(groups[i]) })
	return slices.Concat(found...)
}

func (f *finder) partsOf(g *group) []*entry {
	file := g.members[0].file
	switch path.Ext(file) {
	case ".yaml", ".yml", ".json":
	default:
		return nil
	}
	data, err := f.reader.tree.ReadFile(file)
	if err != nil || !mayShare(data) {
		return nil
	}
	pins, err := pinsOf(file, data)
	if err != nil || len(pins) == 0 {
		return nil
	}
	docs := documents(data)
	places := make(map[string]map[string][]pin)
	for _, p := range pins {
		within, environment, rest, ok := environmentAt(docs, p.path)
		if !ok {
			continue
		}
		if places[within] == nil {
			places[within] = make(map[string][]pin)
		}
		p.path = rest
		places[within][environment] = append(places[within][environment], p)
	}
	var out []*entry
	for _, within := range slices.Sorted(maps.Keys(places)) {
		part := *g
		part.within = within
		e := &entry{group: &part}
		if e.pair(places[within]); len(e.pins) > 0 {
			out = append(out, e)
		}
	}
	return out
}

// mayShare tells at a glance whether a file may be of several environments: an
// ApplicationSet, or one with two environments for keys.
func mayShare(data []byte) bool {
	if bytes.Contains(data, []byte("ApplicationSet")) {
		return true
	}
	first := ""
	for line := range bytes.Lines(data) {
		key, _, ok := strings.Cut(string(line), ":")
		key = strings.Trim(key, " -{\"")
		if !ok || !isEnvironment(key) {
			continue
		}
		if first != "" && first != key {
			return true
		}
		first = key
	}
	return false
}

// isEnvironment tells a text that names an environment as a whole.
func isEnvironment(s string) bool {
	found := environmentsIn(s)
	return len(found) == 1 && found[0].start == 0 && found[0].end == len(s)
}

func documents(data []byte) []*yaml.Node {
	var out []*yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return out
		}
		if len(n.Content) > 0 {
			out = append(out, n.Content[0])
		}
	}
}

// environmentAt finds the environment in the path of a pin: a key that names one, or
// an item of a list with a field that does. It gives the path up to there with a hole
// for it, and the rest.
func environmentAt(docs []*yaml.Node, at string) (within, environment, rest string, ok bool) {
	node, prefix, at := document(docs, at)
	all := items(steps(at))
	for i, s := range all {
		if isEnvironment(s) {
			return prefix + joinSteps("", append(slices.Clone(all[:i]), environmentHole)), s, joinSteps("", all[i+1:]), true
		}
		if node = into(node, s); strings.HasPrefix(s, "[") {
			if key, value := environmentOf(node); key != "" {
				item := "[" + escape(key) + "=" + environmentHole + "]"
				return prefix + joinSteps("", append(slices.Clone(all[:i]), item)), value, joinSteps("", all[i+1:]), true
			}
		}
	}
	return "", "", "", false
}

// document finds the one that a path begins with.
func document(docs []*yaml.Node, at string) (root *yaml.Node, prefix, rest string) {
	first := steps(at)[0]
	i := strings.LastIndexByte(first, ':')
	if i < 0 || i > 0 && first[i-1] == '\\' {
		if len(docs) > 0 {
			root = docs[0]
		}
		return root, "", at
	}
	prefix = at[:i+1]
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSuffix(prefix, ":"), "doc:"))
	for j, d := range docs {
		kind, name := field(d, "kind"), field(field(d, "metadata"), "name")
		if err == nil && j == n || err != nil && kind != nil && name != nil && prefix == escape(kind.Value)+"/"+escape(name.Value)+":" {
			return d, prefix, at[i+1:]
		}
	}
	return nil, prefix, at[i+1:]
}

// into follows one step.
func into(n *yaml.Node, step string) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	text, item := strings.CutPrefix(step, "[")
	text = strings.TrimSuffix(text, "]")
	if !item {
		return field(n, unescape(step))
	}
	if i, err := strconv.Atoi(text); err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
		return n.Content[i]
	}
	if value, ok := strings.CutPrefix(text, "name="); ok {
		for _, it := range n.Content {
			if f := field(it, "name"); f != nil && f.Value == unescape(value) {
				return it
			}
		}
	}
	return nil
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// environmentKeys are those that an element's environment stands under, the best
// first.
var environmentKeys = []string{"env", "environment", "stage", "environmentName", "envName", "cluster", "clusterName", "name", "namespace"}

func environmentOf(n *yaml.Node) (key, value string) {
	for _, key := range environmentKeys {
		if v := field(n, key); v != nil && v.Kind == yaml.ScalarNode && isEnvironment(v.Value) {
			return key, v.Value
		}
	}
	return "", ""
}
