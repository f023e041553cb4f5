package promote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/overlay"
	"go.yaml.in/yaml/v3"
)

// maxPipelineSize bounds a pipeline file, in bytes.
const maxPipelineSize = 1 << 20

// decodeStrict decodes one YAML document. Unknown fields, duplicate keys,
// aliases, values of a wrong type and further documents are errors with their
// places; all of them are reported. The decoder that is returned knows the place
// of each value.
func decodeStrict(file string, data []byte, into any) (*strictDecoder, error) {
	d := &strictDecoder{file: file, places: make(map[string]*yaml.Node)}
	return d, d.decode(data, into)
}

func (d *strictDecoder) decode(data []byte, into any) error {
	if len(data) > maxPipelineSize {
		return &overlay.Error{File: d.file, Msg: fmt.Sprintf("is larger than %d KiB", maxPipelineSize>>10)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return &overlay.Error{File: d.file, Msg: "is empty"}
	case err != nil:
		return d.yamlError(err)
	}
	var next yaml.Node
	if err := dec.Decode(&next); err == nil {
		d.add(&next, "keep one document", "a second document")
	} else if !errors.Is(err, io.EOF) {
		return d.yamlError(err)
	}
	d.check(doc.Content[0], reflect.TypeOf(into).Elem(), "")
	if len(d.errs) == 0 {
		if err := doc.Decode(into); err != nil {
			return d.yamlError(err)
		}
	}
	return d.err()
}

type strictDecoder struct {
	file string
	errs []*overlay.Error
	// places has the node of each value by its path, such as
	// spec.environments[0].name; the document's own path is empty.
	places map[string]*yaml.Node
}

// at notes a fault in the value with a path or, where the file does not have it,
// in the nearest value around it.
func (d *strictDecoder) at(path, hint, format string, args ...any) {
	for d.places[path] == nil && path != "" {
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	d.add(d.places[path], hint, format, args...)
}

func (d *strictDecoder) add(n *yaml.Node, hint, format string, args ...any) {
	d.errs = append(d.errs, &overlay.Error{File: d.file, Line: n.Line, Col: n.Column, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (d *strictDecoder) err() error {
	sort.SliceStable(d.errs, func(i, j int) bool { return d.errs[i].Line < d.errs[j].Line })
	var errs []error
	for _, e := range d.errs {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// check walks the syntax tree beside the Go type that it is to fill.
func (d *strictDecoder) check(n *yaml.Node, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		d.add(n, "write the value here", "aliases are not supported in this file")
		return
	}
	d.places[path] = n
	switch t.Kind() {
	case reflect.Struct:
		d.checkStruct(n, t, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.add(n, "", "%s is a %s, not a list", path, kindName(n))
			return
		}
		for i, c := range n.Content {
			d.check(c, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		if n.Kind != yaml.ScalarNode || t.Kind() == reflect.Bool && n.ShortTag() != "!!bool" {
			d.add(n, "", "%s is a %s, not a %s", path, kindName(n), t.Kind())
		}
	}
}

func (d *strictDecoder) checkStruct(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.MappingNode {
		if path == "" {
			path = "the document"
		}
		d.add(n, "", "%s is a %s, not a mapping", path, kindName(n))
		return
	}
	fields := make(map[string]reflect.Type)
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields[name] = t.Field(i).Type
		names = append(names, name)
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		ft, known := fields[k.Value]
		switch {
		case seen[k.Value]:
			d.add(k, "remove one of them", "duplicate field %q", k.Value)
		case !known:
			d.add(k, knownNames(k.Value, names), "unknown field %q", strings.TrimPrefix(path+"."+k.Value, "."))
		default:
			d.check(n.Content[i+1], ft, strings.TrimPrefix(path+"."+k.Value, "."))
		}
		seen[k.Value] = true
	}
}

func knownNames(name string, names []string) string {
	if best := overlay.Nearest(name, names); best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(names, ", ")
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "mapping"
	case n.Kind == yaml.SequenceNode:
		return "list"
	case n.ShortTag() == "!!null":
		return "null"
	case n.ShortTag() == "!!str":
		return "string"
	case n.ShortTag() == "!!int", n.ShortTag() == "!!float":
		return "number"
	}
	return strings.TrimPrefix(n.ShortTag(), "!!")
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): `)
})

// yamlError gives the parser's message a place.
func (d *strictDecoder) yamlError(err error) error {
	msg := strings.ReplaceAll(err.Error(), "\n", " ")
	e := &overlay.Error{File: d.file, Line: 1, Col: 1, Msg: "not valid YAML: " + strings.TrimPrefix(msg, "yaml: ")}
	if m := yamlLine().FindStringSubmatch(msg); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Msg = "not valid: " + msg[len(m[0]):]
	}
	return e
}
