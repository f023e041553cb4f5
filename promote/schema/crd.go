package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// The bounds of what is read for one set.
const (
	maxFiles = 2000
	maxBytes = 128 << 20
)

// definitions are CustomResourceDefinitions by the group and kind that they define.
type definitions map[key]*definition

// definition is a CustomResourceDefinition.
type definition struct {
	place    string
	versions map[string]*definedVersion
	order    []string
}

// definedVersion is a version that is served.
type definedVersion struct {
	place      string
	schema     json.RawMessage
	deprecated string // what to say

	once   sync.Once
	parsed *schema
	err    error
}

func (d *definition) served() []string { return d.order }

// crd is a CustomResourceDefinition, as far as it counts here.
type crd struct {
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind string `json:"kind"`
		} `json:"names"`
		Versions []struct {
			Name               string `json:"name"`
			Served             bool   `json:"served"`
			Deprecated         bool   `json:"deprecated"`
			DeprecationWarning string `json:"deprecationWarning"`
			Schema             struct {
				OpenAPIV3Schema json.RawMessage `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

// add notes what an object defines. Objects of other kinds define nothing.
func (all definitions) add(o *objects.Object) error {
	if o.Kind != "CustomResourceDefinition" || o.APIVersion != "apiextensions.k8s.io/v1" {
		return nil
	}
	data, err := json.Marshal(o.Fields)
	if err != nil {
		return err
	}
	place := o.Place(nil).String()
	if place == "" {
		place = o.String()
	}
	var c crd
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&c); err != nil {
		return &Error{Msg: fault.OneLine(fmt.Sprintf("%s: is no CustomResourceDefinition: %v", place, err))}
	}
	if c.Spec.Group == "" || c.Spec.Names.Kind == "" {
		return &Error{Msg: place + ": the CustomResourceDefinition names no group or no kind"}
	}
	d := &definition{place: place, versions: make(map[string]*definedVersion)}
	for _, v := range c.Spec.Versions {
		if !v.Served {
			continue
		}
		one := &definedVersion{place: place, schema: v.Schema.OpenAPIV3Schema}
		if v.Deprecated {
			one.deprecated = fmt.Sprintf("is %s/%s, which is deprecated", c.Spec.Group, v.Name)
			if v.DeprecationWarning != "" {
				one.deprecated += ": " + v.DeprecationWarning
			}
		}
		d.versions[v.Name] = one
		d.order = append(d.order, c.Spec.Group+"/"+v.Name)
	}
	all[key{group: c.Spec.Group, kind: c.Spec.Names.Kind}] = d
	return nil
}

// reader reads definitions, within its bounds.
type reader struct {
	tree  pipeline.Tree
	into  definitions
	files int
	bytes int
}

// read reads a file, or all YAML and JSON below a folder.
func (r *reader) read(name string) error {
	name = path.Clean(name)
	entries, err := r.tree.ReadDir(name)
	if err != nil {
		if err := r.file(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return &Error{fault.OneLine(name) + " is not there", "name a folder with CustomResourceDefinitions that is committed"}
	}
	for _, e := range entries {
		at := path.Join(name, e.Name())
		switch {
		case e.IsDir():
			err = r.read(at)
		case !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(at)):
		case e.Type()&fs.ModeSymlink != 0:
			err = &Error{fault.OneLine(at) + " is a symbolic link, which is not followed", "put the file itself there, or name the folder that has it"}
		default:
			err = r.file(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) file(name string) error {
	data, err := r.tree.ReadFile(name)
	if err != nil {
		return err
	}
	r.files++
	r.bytes += len(data)
	if r.files > maxFiles || r.bytes > maxBytes {
		return &Error{fmt.Sprintf("%s: there are more than %d files or %d MiB to find CustomResourceDefinitions in", name, maxFiles, maxBytes>>20), "name folders that have nothing else"}
	}
	if !bytes.Contains(data, []byte("CustomResourceDefinition")) {
		return nil
	}
	if err := yamlbound.Check(data); err != nil {
		return &Error{Msg: name + ": " + err.Error()}
	}
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return &Error{Msg: fault.OneLine(name + ": " + err.Error())}
		}
		if err := r.document(name, &n); err != nil {
			return err
		}
	}
}

func (r *reader) document(name string, n *yaml.Node) error {
	text, err := yaml.Marshal(n)
	if err != nil {
		return &Error{Msg: fault.OneLine(name + ": " + err.Error())}
	}
	var fields map[string]any
	if err := kyaml.Unmarshal(text, &fields, useNumber); err != nil {
		return nil // no object
	}
	line := n.Line
	if len(n.Content) > 0 {
		line = n.Content[0].Line
	}
	o := objects.Of(fields)
	o.Places = func(objects.Path) objects.Place { return objects.Place{File: name, Line: line} }
	for _, one := range objects.Flatten([]objects.Object{o}) {
		if err := r.into.add(&one); err != nil {
			return err
		}
	}
	return nil
}

func useNumber(d *json.Decoder) *json.Decoder {
	d.UseNumber()
	return d
}
