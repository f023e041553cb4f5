package docs_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// pipelines gives every pipeline file of the guides, the examples and the command's
// scripts, by its place.
func pipelines(t *testing.T) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, file := range guides(t) {
		for _, b := range blocks(t, file) {
			if b.lang == "yaml" && kindOf(b.text) == "Pipeline" {
				all[b.String()] = []byte(b.text)
			}
		}
	}
	scripts, err := filepath.Glob("../plugins/kubectl/testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if bytes.Contains(f.Data, []byte("\nkind: Pipeline\n")) {
				all[filepath.Base(script)+" "+f.Name] = f.Data
			}
		}
	}
	examples, err := filepath.Glob("../examples/*/promotion.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range examples {
		if all[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func pipelineSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(pipeline.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(pipeline.SchemaURL, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(pipeline.SchemaURL)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What the program takes, the schema takes; what has a field that is unknown, neither.
func TestSchemaAgreesWithTheProgram(t *testing.T) {
	s := pipelineSchema(t)
	taken, refused := 0, 0
	all := pipelines(t)
	for _, at := range slices.Sorted(maps.Keys(all)) {
		var value any
		if yaml.Unmarshal(all[at], &value) != nil {
			continue
		}
		_, err := pipeline.Parse("promotion.yaml", all[at])
		verdict := s.Validate(value)
		switch {
		case err == nil && verdict != nil:
			t.Errorf("%s: the program takes it, and the schema does not: %v", at, verdict)
		case err != nil && strings.Contains(err.Error(), "unknown field") && verdict == nil:
			t.Errorf("%s: the schema takes it in spite of %v", at, err)
		case err == nil:
			taken++
		default:
			refused++
		}
	}
	if taken < 50 || refused == 0 {
		t.Errorf("%d files were taken and %d refused, which is hardly all", taken, refused)
	}
}

// Where the schema says that a field has to be there, the program says so too.
func TestSchemaRequiresWhatTheProgramDoes(t *testing.T) {
	const whole = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: [{path: "{environment}/{service}.yaml"}]
  images: [{path: spec.engine.image}]
  environments:
  - name: dev
    admit: {newest: "semver:>=1.0"}
  - name: production
    from: [dev]
    verify: {policy: p.yaml}
    rollback: {gates: [verify]}
    gates:
    - promoted: {environment: dev, policy: p.yaml}
    - soak: {for: 1h}
    - freeze: {deny: [{schedule: "0 16 * * 5", duration: 1h}]}
    - http: {url: "https://example.com", headersFrom: {Authorization: {env: PROMOTE_TOKEN}}}
    - metric: {prometheus: {url: "https://example.com", query: up}, above: 1}
    - exec: {command: [./check.sh]}
    - health: {argocd: {application: cart}}
    - {name: argo, freeze: {argocd: {project: p.yaml, name: cart}}}
  services:
  - {name: cart, layout: [{path: "old/{environment}.yaml"}]}
`
	if _, err := pipeline.Parse("promotion.yaml", []byte(whole)); err != nil {
		t.Fatal(err)
	}
	s := pipelineSchema(t)
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(whole), &root); err != nil {
		t.Fatal(err)
	}
	missing := 0
	var without func(n *yaml.Node)
	without = func(n *yaml.Node) {
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			kept := n.Content
			n.Content = slices.Delete(slices.Clone(kept), i, i+2)
			text, err := yaml.Marshal(&root)
			var value any
			if err == nil {
				err = yaml.Unmarshal(text, &value)
			}
			if err != nil {
				t.Fatal(err)
			}
			n.Content = kept
			if s.Validate(value) == nil {
				continue
			}
			missing++
			if _, err := pipeline.Parse("promotion.yaml", text); err == nil {
				t.Errorf("without %s the schema refuses what the program takes:\n%s", kept[i].Value, text)
			}
		}
		for _, below := range n.Content {
			without(below)
		}
	}
	without(&root)
	if missing < 20 {
		t.Errorf("%d fields have to be there, which is hardly all", missing)
	}
}

// Every field says what it means.
func TestSchemaDescribesEverything(t *testing.T) {
	var root struct {
		Defs map[string]struct {
			Properties map[string]struct{ Description, Const string }
			AnyOf      []struct {
				Properties map[string]struct{ Description, Const string }
			} `yaml:"anyOf"`
		} `yaml:"$defs"`
	}
	if err := yaml.Unmarshal(pipeline.Schema(), &root); err != nil || len(root.Defs) == 0 {
		t.Fatalf("%d types: %v", len(root.Defs), err)
	}
	for name, def := range root.Defs {
		fields := []map[string]struct{ Description, Const string }{def.Properties}
		for _, form := range def.AnyOf {
			fields = append(fields, form.Properties)
		}
		for _, some := range fields {
			for field, p := range some {
				if p.Description == "" && p.Const == "" {
					t.Errorf("%s.%s has no comment in Go", name, field)
				}
			}
		}
	}
}

// The entry for a catalog of schemas is of this schema and of the file that is read.
func TestCatalogEntry(t *testing.T) {
	for _, b := range blocks(t, "pipeline.md") {
		if b.lang != "json" || !strings.Contains(b.text, "fileMatch") {
			continue
		}
		var entry struct {
			Name, Description, URL string
			FileMatch              []string
		}
		if err := json.Unmarshal([]byte(b.text), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.URL != pipeline.SchemaURL || !slices.Equal(entry.FileMatch, []string{pipeline.FileName}) || entry.Name == "" || entry.Description == "" {
			t.Errorf("%s: %+v", b, entry)
		}
		return
	}
	t.Error("pipeline.md has no entry for a catalog of schemas")
}
