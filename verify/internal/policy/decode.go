package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// decoder walks the syntax tree of a policy file and collects every fault with
// its place.
type decoder struct {
	name     string
	file     *yamlfile.File
	readFile func(string) ([]byte, error)
	now      time.Time
	trust    *Trust // of authorities that name none; may be nil
	failed   int    // how often fail was called
	warned   yamlfile.File
}

func (d *decoder) fail(n *yaml.Node, hint, format string, args ...any) {
	d.failed++
	d.file.Add(n, hint, format, args...)
}

// hinted says what is wrong with a text that a policy has, and what may help.
type hinted struct{ msg, hint string }

func (e *hinted) Error() string { return e.msg }

// HintText gives the hint, or "".
func (e *hinted) HintText() string { return e.hint }

// refused reports an error, with the hint that it may have, and tells whether there
// was one.
func (d *decoder) refused(n *yaml.Node, err error) bool {
	if err == nil {
		return false
	}
	hint := ""
	if e, ok := err.(interface{ HintText() string }); ok {
		hint = e.HintText()
	}
	d.fail(n, hint, "%s", untrusted.Message(err.Error()))
	return true
}

// warn reports what is allowed and hardly meant.
func (d *decoder) warn(n *yaml.Node, hint, format string, args ...any) {
	d.warned.Add(n, hint, format, args...)
}

// fieldSet is a mapping whose fields are all known.
type fieldSet struct {
	node   *yaml.Node
	what   string
	values map[string]*yaml.Node
}

func (f *fieldSet) get(name string) *yaml.Node { return f.values[name] }

// place is where a fault of a field is told: the field, or the mapping where
// it is missing.
func (f *fieldSet) place(name string) *yaml.Node {
	if v := f.values[name]; v != nil {
		return v
	}
	return f.node
}

// fields reads a mapping with the given fields, none of which has to be there.
// It returns nil if n is no mapping.
func (d *decoder) fields(n *yaml.Node, what string, known ...string) *fieldSet {
	n = yamlfile.Resolve(n)
	if n.Kind != yaml.MappingNode {
		d.fail(n, "", "%s must be a mapping, not %s", what, kindOf(n))
		return nil
	}
	f := &fieldSet{n, what, map[string]*yaml.Node{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := yamlfile.Resolve(key).Value
		switch {
		case yamlfile.Resolve(key).Kind != yaml.ScalarNode:
			d.fail(key, "", "field name in %s must be a string, not %s", what, kindOf(yamlfile.Resolve(key)))
		case !slices.Contains(known, name):
			d.fail(key, suggest(name, known), "unknown field %q in %s", untrusted.OneLine(name), what)
		case f.values[name] != nil:
			d.fail(key, "", "field %q is in %s already", name, what)
		default:
			f.values[name] = value
		}
	}
	return f
}

// need returns a field that has to be there, or reports that it is not.
func (d *decoder) need(f *fieldSet, name, hint string) *yaml.Node {
	v := f.get(name)
	if v == nil {
		d.fail(f.node, hint, "%s has no field %q", f.what, name)
	}
	return v
}

// constant checks a field that can have one value only.
func (d *decoder) constant(f *fieldSet, name, want string) {
	v := d.need(f, name, name+": "+want)
	if v == nil {
		return
	}
	if s, ok := d.text(v, name); ok && s != want {
		d.fail(v, name+": "+want, "%s %q is not known here", name, untrusted.OneLine(s))
	}
}

// text reads a string that is not empty.
func (d *decoder) text(n *yaml.Node, what string) (string, bool) {
	v := yamlfile.Resolve(n)
	if v.Kind != yaml.ScalarNode || v.ShortTag() != "!!str" {
		d.fail(n, "", "%s must be a string, not %s", what, kindOf(v))
		return "", false
	}
	if strings.TrimSpace(v.Value) == "" {
		d.fail(n, "", "%s is empty", what)
		return "", false
	}
	return v.Value, true
}

// list reads a list that is not empty.
func (d *decoder) list(n *yaml.Node, what string) []*yaml.Node {
	v := yamlfile.Resolve(n)
	if v.Kind != yaml.SequenceNode {
		d.fail(n, "", "%s must be a list, not %s", what, kindOf(v))
		return nil
	}
	if len(v.Content) == 0 {
		d.fail(n, "", "%s is an empty list", what)
	}
	return v.Content
}

// needList reads a list that has to be there.
func (d *decoder) needList(f *fieldSet, name string) []*yaml.Node {
	d.need(f, name, "")
	return d.mayList(f, name)
}

// mayList reads a list that need not be there.
func (d *decoder) mayList(f *fieldSet, name string) []*yaml.Node {
	if v := f.get(name); v != nil {
		return d.list(v, name)
	}
	return nil
}

// choice reads a string that is one of a few.
func (d *decoder) choice(n *yaml.Node, what string, from ...string) string {
	s, ok := d.text(n, what)
	if ok && !slices.Contains(from, s) {
		d.fail(n, "", "%s is %q, and must be %s", what, untrusted.OneLine(s), either(from))
	}
	return s
}

// either lists words with "or" before the last.
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// boolean reads true or false.
func (d *decoder) boolean(n *yaml.Node, what string) bool {
	v := yamlfile.Resolve(n)
	if v.Kind != yaml.ScalarNode || v.ShortTag() != "!!bool" {
		d.fail(n, "", "%s must be true or false, not %s", what, kindOf(v))
		return false
	}
	var b bool
	return v.Decode(&b) == nil && b
}

// duration reads a positive time such as 720h.
func (d *decoder) duration(n *yaml.Node, what string) time.Duration {
	s, ok := d.text(n, what)
	if !ok {
		return 0
	}
	t, err := time.ParseDuration(s)
	if err != nil || t <= 0 {
		d.fail(n, what+": 720h", "%s is %q, and must be a time such as 90m or 720h", what, untrusted.OneLine(s))
	}
	return t
}

// number reads a whole number between 1 and limit; false if it is none.
func (d *decoder) number(n *yaml.Node, what string, limit int) (int, bool) {
	v := yamlfile.Resolve(n)
	if v.Kind != yaml.ScalarNode || v.ShortTag() != "!!int" {
		return 0, false
	}
	i, err := strconv.Atoi(v.Value)
	if err != nil || i < 1 || i > limit {
		d.fail(n, "", "%s is %s, and must be between 1 and %d", what, untrusted.OneLine(v.Value), limit)
		return 1, true
	}
	return i, true
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!str":
		return "a string"
	}
	return "something of type " + untrusted.OneLine(n.ShortTag())
}

// suggest is the hint for a field name that is not known.
func suggest(name string, known []string) string {
	if best := spelling.Nearest(name, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known here: " + strings.Join(known, ", ")
}
