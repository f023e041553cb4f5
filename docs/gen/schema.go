package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/fleet"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

const (
	pipelineSchema = "promote/pipeline/schema.json"
	fleetSchema    = "promote/fleet/schema.json"
	draft          = "https://json-schema.org/draft/2020-12/schema"
)

// required are the fields that a file has to have, by their types. A test removes each.
var required = map[string][]string{
	"Pipeline": {"apiVersion", "kind", "spec"}, "Spec": {"environments"}, "Environment": {"name"}, "Location": {"path"},
	"ImagePath": {"path"}, "Admit": {"newest"}, "VerifyRule": {"policy"}, "Service": {"name"},
	"PromotedGate": {"environment", "policy"}, "SoakGate": {"for"}, "HTTPGate": {"url"}, "MetricGate": {"prometheus"},
	"Prometheus": {"url", "query"}, "ExecGate": {"command"}, "Window": {"schedule", "duration"}, "Variable": {"env"},
	"ArgoCD": {"application"}, "EventServer": {"url"},
}

// requiredOfFleet are those of the fleet file.
var requiredOfFleet = map[string][]string{"Fleet": {"apiVersion", "kind", "spec"}, "Spec": {"repositories"}, "Repository": {"repository"}}

// short are types that a file may also write as the one text that their main field has,
// or as one where a list is meant.
var short = []reflect.Type{reflect.TypeFor[pipeline.Location](), reflect.TypeFor[overlay.ImagePath](), reflect.TypeFor[pipeline.Strategy](), reflect.TypeFor[pipeline.Tag](), reflect.TypeFor[string](), reflect.TypeFor[fleet.Repository]()}

// schema is the part of JSON Schema that is written, in the order of the fields here.
type schema struct {
	Dialect     string     `json:"$schema,omitempty"`
	ID          string     `json:"$id,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Ref         string     `json:"$ref,omitempty"`
	Type        string     `json:"type,omitempty"`
	Const       string     `json:"const,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	AnyOf       []*schema  `json:"anyOf,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Additional  any        `json:"additionalProperties,omitempty"`
	Defs        properties `json:"$defs,omitempty"`
}

// properties are named schemas in their order, which is that of the Go type.
type properties []property

type property struct {
	name string
	*schema
}

// MarshalJSON writes them as an object.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, one := range p {
		fmt.Fprintf(&b, ",%q:", one.name)
		if err := enc.Encode(one.schema); err != nil {
			return nil, err
		}
	}
	return append(append([]byte{'{'}, bytes.TrimPrefix(b.Bytes(), []byte(","))...), '}'), nil
}

// pipelineSchemaOf gives the JSON schema of the pipeline file.
func pipelineSchemaOf() ([]byte, error) {
	return schemaOf(reflect.TypeFor[pipeline.Pipeline](), pipeline.SchemaURL, required, "promote/pipeline", "promote/pipeline/recording", "promote/pipeline/span", "promote/pipeline/delivery", "overlay")
}

// fleetSchemaOf gives that of the fleet file.
func fleetSchemaOf() ([]byte, error) {
	return schemaOf(reflect.TypeFor[fleet.Fleet](), fleet.SchemaURL, requiredOfFleet, "promote/pipeline", "promote/fleet")
}

// schemaOf gives the JSON schema of a file from its Go types, whose sources are in folders:
// what there is, and what their comments say.
func schemaOf(t reflect.Type, url string, required map[string][]string, dirs ...string) ([]byte, error) {
	s := &schemas{root: t, required: required, comments: make(map[string]string), values: make(map[string][]string)}
	for _, dir := range dirs {
		if err := s.read(dir); err != nil {
			return nil, err
		}
	}
	root := &schema{
		Dialect: draft, ID: url,
		Title: t.Name(), Ref: s.of(t).Ref, Description: s.comments[t.Name()],
	}
	root.Defs = s.defs
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(root)
	return b.Bytes(), err
}

// schemas are those of the types that have been met.
type schemas struct {
	root     reflect.Type
	required map[string][]string
	defs     properties
	comments map[string]string   // by TYPE and TYPE.FIELD
	values   map[string][]string // of the constants of a type
}

// of gives the schema of a type: of a struct a reference to its own.
func (s *schemas) of(t reflect.Type) *schema {
	switch {
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem())
	case t.Kind() == reflect.Struct:
		s.define(t)
		return &schema{Ref: "#/$defs/" + t.Name()}
	case t.Kind() == reflect.Slice && t.Name() != "" && slices.Contains(short, t.Elem()):
		one := s.of(t.Elem())
		return &schema{AnyOf: []*schema{one, {Type: "array", Items: one}}}
	case t.Kind() == reflect.Slice:
		return &schema{Type: "array", Items: s.of(t.Elem())}
	case t.Kind() == reflect.Map:
		return &schema{Type: "object", Additional: s.of(t.Elem())}
	case t.Kind() == reflect.Bool:
		return &schema{Type: "boolean"}
	case t.Kind() == reflect.Int:
		return &schema{Type: "integer"}
	case t.Kind() == reflect.Float64:
		return &schema{Type: "number"}
	case t.Kind() == reflect.Interface:
		return &schema{}
	case t.Kind() == reflect.String:
		return &schema{Type: "string", Enum: s.values[t.Name()]}
	}
	panic(fmt.Sprintf("no schema for %s", t))
}

func (s *schemas) define(t reflect.Type) {
	if slices.ContainsFunc(s.defs, func(p property) bool { return p.name == t.Name() }) {
		return
	}
	def := &schema{Type: "object", Description: s.comments[t.Name()], Required: s.required[t.Name()], Additional: false}
	n := len(s.defs)
	s.defs = append(s.defs, property{t.Name(), def})
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		field := s.of(f.Type)
		field.Description = s.comments[t.Name()+"."+f.Name]
		switch name {
		case "apiVersion":
			field = &schema{Const: pipeline.APIVersion}
		case "kind":
			if t == s.root {
				field = &schema{Const: t.Name()}
			}
		}
		def.Properties = append(def.Properties, property{name, field})
	}
	if slices.Contains(short, t) {
		whole := *def
		whole.Description = ""
		s.defs[n].schema = &schema{Description: def.Description, AnyOf: []*schema{{Type: "string"}, &whole}}
	}
}

// read takes comments and constants of a package's types.
func (s *schemas) read(dir string) error {
	files, err := goFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		src, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				s.take(g)
			}
		}
	}
	return nil
}

func (s *schemas) take(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if doc == nil {
				doc = g.Doc
			}
			s.comments[spec.Name.Name] = sentence(spec.Name.Name, doc)
			if t, ok := spec.Type.(*ast.StructType); ok {
				s.fields(spec.Name.Name, t)
			}
		case *ast.ValueSpec:
			if kind, ok := spec.Type.(*ast.Ident); ok && g.Tok == token.CONST {
				for _, v := range spec.Values {
					if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						text, _ := strconv.Unquote(lit.Value)
						s.values[kind.Name] = append(s.values[kind.Name], text)
					}
				}
			}
		}
	}
}

// fields takes the comments of a struct's fields. One that names several is theirs.
func (s *schemas) fields(name string, t *ast.StructType) {
	var above *ast.CommentGroup
	for _, f := range t.Fields.List {
		if f.Doc != nil {
			above = f.Doc
		}
		for _, n := range f.Names {
			if f.Doc != nil || above != nil && slices.Contains(strings.Fields(above.Text()), n.Name) {
				s.comments[name+"."+n.Name] = sentence(n.Name, above)
			}
		}
	}
}

// sentence is a comment as the description of what has the name: without the name in
// front, or the names of several, in one line.
func sentence(name string, c *ast.CommentGroup) string {
	if c == nil {
		return ""
	}
	text := strings.Join(strings.Fields(c.Text()), " ")
	if _, rest, ok := strings.Cut(text, " are "); ok && strings.HasPrefix(text, name+" and ") || strings.Contains(text, " and "+name+" are ") {
		return rest
	}
	rest, ok := strings.CutPrefix(text, name)
	if !ok {
		return text
	}
	if given, ok := strings.CutPrefix(rest, ", if not empty, is "); ok {
		return "if given, " + given
	}
	rest = strings.TrimLeft(rest, " ,")
	return strings.TrimPrefix(strings.TrimPrefix(rest, "is "), "are ")
}
