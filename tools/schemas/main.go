// Command schemas writes promote/schema/kubernetes.gz: what the API of Kubernetes has in
// each of the versions below, from its own OpenAPI files, without all that no validation
// needs. Go fetches the modules and checks them against the checksum database.
//
//	cd tools && go run ./schemas -o ../promote/schema/kubernetes.gz
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// versions are the newest of the last five minor versions, in their order: modules of
// k8s.io/kubernetes.
var versions = []string{"v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2"}

// apis is the module that knows when an API was deprecated and removed.
const apis = "k8s.io/api@v0.37.2"

func main() {
	out := flag.String("o", "", "the file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	all := make(definitions)
	var short []string
	for n, version := range versions {
		dir, err := module("k8s.io/kubernetes@" + version)
		if err != nil {
			return err
		}
		if err := all.read(filepath.Join(dir, "api", "openapi-spec", "v3"), 1<<n); err != nil {
			return err
		}
		short = append(short, strings.TrimPrefix(version[:strings.LastIndexByte(version, '.')], "v"))
	}
	dir, err := module(apis)
	if err != nil {
		return err
	}
	lives, err := lifecycles(dir)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "versions\t%s\n", strings.Join(short, " "))
	all.write(&text)
	for _, line := range lives {
		fmt.Fprintf(&text, "api\t%s\n", line)
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, &text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(out, packed.Bytes(), 0o644)
}

// module has Go fetch a module, and gives its directory.
func module(name string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", name)
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	var found struct{ Dir string }
	err = json.Unmarshal(data, &found)
	return found.Dir, err
}

// definition is a schema as some versions have it.
type definition struct {
	versions int // a bit for each
	kinds    []string
}

// definitions are by their names, and by the text of the schema.
type definitions map[string]map[string]*definition

func (all definitions) read(dir string, version int) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s: %d files, %v", dir, len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var doc struct {
			Components struct{ Schemas map[string]map[string]any }
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for name, schema := range doc.Components.Schemas {
			kinds := kindsOf(schema)
			text, err := json.Marshal(convert(schema))
			if err != nil {
				return err
			}
			if all[name] == nil {
				all[name] = make(map[string]*definition)
			}
			d := all[name][string(text)]
			if d == nil {
				d = &definition{kinds: kinds}
				all[name][string(text)] = d
			}
			d.versions |= version
		}
	}
	all.reachable(version)
	return nil
}

// reachable takes a version from the definitions that no object is made of.
func (all definitions) reachable(version int) {
	used := make(map[string]bool)
	var use func(name string)
	use = func(name string) {
		if used[name] {
			return
		}
		used[name] = true
		for text, d := range all[name] {
			if d.versions&version != 0 {
				for _, part := range strings.Split(text, `{"$ref":"`)[1:] {
					use(part[:strings.IndexByte(part, '"')])
				}
			}
		}
	}
	for name, texts := range all {
		for _, d := range texts {
			if d.versions&version != 0 && len(d.kinds) > 0 {
				use(name)
			}
		}
	}
	for name, texts := range all {
		for _, d := range texts {
			if !used[name] {
				d.versions &^= version
			}
		}
	}
}

func (all definitions) write(w io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, text := range slices.Sorted(maps.Keys(all[name])) {
			if d := all[name][text]; d.versions != 0 {
				fmt.Fprintf(w, "def\t%s\t%d\t%s\t%s\n", name, d.versions, strings.Join(d.kinds, " "), text)
			}
		}
	}
}

// kindsOf gives GROUP/VERSION/KIND of the objects that a schema is of; none where they have
// no metadata of their own.
func kindsOf(schema map[string]any) []string {
	properties, _ := schema["properties"].(map[string]any)
	meta, _ := json.Marshal(properties["metadata"])
	if !bytes.Contains(meta, []byte("meta.v1.ObjectMeta")) {
		return nil
	}
	var out []string
	list, _ := schema["x-kubernetes-group-version-kind"].([]any)
	for _, one := range list {
		m := one.(map[string]any)
		out = append(out, fmt.Sprintf("%s/%s/%s", m["group"], m["version"], m["kind"]))
	}
	return out
}

// formats are those that an API server refuses a value for.
var formats = []string{"byte", "date-time", "int32", "int64"}

// convert gives a schema of OpenAPI as JSON Schema: with the keywords that validate alone,
// and with no other fields than it has.
func convert(in map[string]any) map[string]any {
	if list, ok := in["allOf"].([]any); ok && len(list) == 1 { // a $ref with a default beside it
		return convert(list[0].(map[string]any))
	}
	if ref, ok := in["$ref"].(string); ok {
		return map[string]any{"$ref": ref[strings.LastIndexByte(ref, '/')+1:]}
	}
	out := make(map[string]any)
	for key, value := range in {
		switch key {
		case "type", "required":
			out[key] = value
		case "format":
			if slices.Contains(formats, value.(string)) {
				out[key] = value
			}
		case "items", "additionalProperties":
			out[key] = value
			if m, ok := value.(map[string]any); ok {
				out[key] = convert(m)
			}
		case "oneOf":
			var list []any
			for _, one := range value.([]any) {
				list = append(list, convert(one.(map[string]any)))
			}
			out[key] = list
		case "properties":
			properties := make(map[string]any)
			for name, one := range value.(map[string]any) {
				properties[name] = convert(one.(map[string]any))
			}
			out[key] = properties
			if in["additionalProperties"] == nil && in["x-kubernetes-preserve-unknown-fields"] == nil {
				out["additionalProperties"] = false
			}
		}
	}
	return out
}
