package yamlfile

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"go.yaml.in/yaml/v3"
)

// Kind is what a value must be.
type Kind string

// The kinds. Text is a scalar of any type, for its text; a String must not be
// taken for a number, true, false or null. An Integer is a number without a fraction.
const (
	Any     Kind = ""
	Mapping Kind = "mapping"
	List    Kind = "list"
	Text    Kind = "text"
	String  Kind = "string"
	Boolean Kind = "boolean"
	Number  Kind = "number"
	Integer Kind = "integer"
)

// Shape is what a value must look like.
type Shape struct {
	Kind Kind
	// Fields are those of a mapping, in the order in which they are listed. With
	// none, the mapping may have any.
	Fields []Field
	// Items is the shape of a list's values, or of the values of a mapping that
	// may have any fields. Nil stands for any.
	Items *Shape
	// Short tells that a text may stand for a mapping, or one item for a list of it.
	Short bool
	// Null tells that null, or nothing, may stand for an empty value.
	Null bool
}

// Field is a field of a mapping.
type Field struct {
	Name     string
	Shape    *Shape
	Required bool
}

// ShapeOf gives the shape that the YAML form of a Go type has. Its fields are
// named by the tag "yaml", where "-" leaves one out; a yaml.Node is anything, a string any scalar. A struct
// that decodes itself may be written as a text for short, a list that does as its one
// item. A type may contain itself.
func ShapeOf(t reflect.Type) *Shape { return shapeOf(t, make(map[reflect.Type]*Shape)) }

// shapeOf knows the shapes of the structs that a type stands in.
func shapeOf(t reflect.Type, known map[reflect.Type]*Shape) *Shape {
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem(), known)
	case reflect.Struct:
		if t == reflect.TypeFor[yaml.Node]() {
			return &Shape{}
		}
		if known[t] != nil {
			return known[t]
		}
		s := &Shape{Kind: Mapping, Short: reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]())}
		known[t] = s
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if name == "-" {
				continue
			}
			s.Fields = append(s.Fields, Field{Name: name, Shape: shapeOf(t.Field(i).Type, known)})
		}
		return s
	case reflect.Slice:
		return &Shape{Kind: List, Items: shapeOf(t.Elem(), known), Short: reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]())}
	case reflect.Map:
		return &Shape{Kind: Mapping, Items: shapeOf(t.Elem(), known)}
	case reflect.Bool:
		return &Shape{Kind: Boolean}
	case reflect.Int:
		return &Shape{Kind: Integer}
	case reflect.Float64:
		return &Shape{Kind: Number}
	}
	return &Shape{Kind: Text}
}

// Decode decodes a document, counted from 0, into the Go value that into points
// to, unless something is wrong in the file. It tells whether it has.
func (f *File) Decode(document int, into any) bool {
	if document >= len(f.documents) {
		return false
	}
	doc := f.documents[document]
	f.Check(doc, ShapeOf(reflect.TypeOf(into)))
	if len(f.faults) > 0 {
		return false
	}
	if err := doc.Decode(into); err != nil {
		f.syntax(err)
		return false
	}
	return true
}

// Check compares a value with the shape that it must have.
func (f *File) Check(n *yaml.Node, s *Shape) {
	f.places = make(map[string]*yaml.Node)
	f.check(n, s, "")
}

func (f *File) check(n *yaml.Node, s *Shape, path string) {
	f.places[path] = n
	if n.Kind == yaml.AliasNode {
		if !f.aliases {
			f.add(n, Fault{Path: path, Msg: "aliases are not supported in this file", Brief: "is an alias", Hint: "write the value here"})
			return
		}
		n = n.Alias
	}
	if s.Null && n.ShortTag() == "!!null" {
		return
	}
	if s.Short && s.Kind == List && !List.is(n) {
		f.check(n, s.items(), path)
		return
	}
	if s.Short && s.Kind == Mapping && Text.is(n) {
		return
	}
	if !s.Kind.is(n) {
		f.wrong(n, path, "is a "+KindOf(n)+", not "+s.Kind.String(), "")
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, c := range n.Content {
			f.check(c, s.items(), fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.MappingNode:
		f.checkFields(n, s, path)
	}
}

func (s *Shape) items() *Shape {
	if s.Items == nil {
		return &Shape{}
	}
	return s.Items
}

func (k Kind) is(n *yaml.Node) bool {
	switch k {
	case Any:
		return true
	case Text:
		return n.Kind == yaml.ScalarNode
	case Integer:
		_, err := strconv.ParseInt(n.Value, 0, strconv.IntSize)
		return n.ShortTag() == "!!int" && err == nil
	}
	return KindOf(n) == string(k)
}

// String is the kind as a message has it, with its article.
func (k Kind) String() string {
	switch k {
	case Text:
		return "a string"
	case Integer:
		return "a whole number"
	}
	return "a " + string(k)
}

// wrong notes a fault whose message names the path.
func (f *File) wrong(n *yaml.Node, path, brief, hint string) {
	what := path
	if what == "" {
		what = "the document"
	}
	f.add(n, Fault{Path: path, Msg: what + " " + brief, Brief: brief, Hint: hint})
}

func (f *File) checkFields(n *yaml.Node, s *Shape, path string) {
	known := make(map[string]*Shape)
	var names []string
	for _, field := range s.Fields {
		known[field.Name] = field.Shape
		names = append(names, field.Name)
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := Resolve(n.Content[i])
		at := below(path, key.Value)
		shape, ok := known[key.Value]
		if len(s.Fields) == 0 {
			shape, ok = s.items(), true
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			f.wrong(n.Content[i], path, "has a "+KindOf(key)+" as the name of a field", "")
		case seen[key.Value]:
			f.add(n.Content[i], Fault{Path: at, Msg: fmt.Sprintf("duplicate field %q", shorten(key.Value)), Brief: "is there twice", Hint: "remove one of them"})
		case !ok:
			f.add(n.Content[i], Fault{Path: at, Msg: fmt.Sprintf("unknown field %q", at), Brief: "unknown field", Hint: spelling.Meant(key.Value, names)})
		default:
			f.check(n.Content[i+1], shape, at)
		}
		seen[key.Value] = true
	}
	for _, field := range s.Fields {
		if field.Required && !seen[field.Name] {
			f.wrong(n, below(path, field.Name), "is missing", "")
		}
	}
}

// below is the path of a field. A name that no path could be written with, or that
// is long, is quoted.
func below(path, name string) string {
	if short := shorten(name); short != name || strings.IndexFunc(name, unreadable) >= 0 {
		return path + "[" + strconv.Quote(short) + "]"
	}
	return strings.TrimPrefix(path+"."+name, ".")
}

func unreadable(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`"[]`, r) }

// shorten bounds a text from a file that is part of a message.
func shorten(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
