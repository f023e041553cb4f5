package promote

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

const smallPipeline = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: dev
  - {name: staging, from: [dev]}
  - {name: eu, from: [staging]}
  - {name: us, from: [staging, eu]}
`

func TestPipelineDefaults(t *testing.T) {
	p, err := ParsePipeline("promotion.yaml", []byte(smallPipeline))
	if err != nil {
		t.Fatal(err)
	}
	if p.Spec.Pin != PinTagDigest || p.Spec.Layout.Path != defaultLayout || p.Spec.Environments[2].Deliver.Mode != DeliverWorktree {
		t.Errorf("defaults: %+v", p.Spec)
	}
}

func TestPipelineSource(t *testing.T) {
	p, err := ParsePipeline("promotion.yaml", []byte(smallPipeline))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ to, from, want, err string }{
		{"staging", "", "dev", ""},
		{"us", "eu", "eu", ""},
		{"us", "", "", `"us" has several sources: staging, eu`},
		{"us", "dev", "", `the pipeline does not promote from "dev" to "us"`},
		{"dev", "", "", `nothing is promoted to "dev": it is the first environment`},
		{"eu", "eu", "", `source and target are the same environment, "eu"`},
		{"eu", "stagin", "", `unknown environment "stagin"`},
	} {
		to, err := p.Environment(tc.to)
		if err != nil {
			t.Fatal(err)
		}
		src, err := p.Source(to, tc.from)
		switch {
		case tc.err != "":
			if err == nil || err.Error() != tc.err {
				t.Errorf("%s from %q: %v, want %s", tc.to, tc.from, err, tc.err)
			}
		case err != nil || src.Name != tc.want:
			t.Errorf("%s from %q: %v, %v", tc.to, tc.from, src, err)
		}
	}
}

// FuzzParsePipeline: no panic, and what is accepted has a layout that stays in
// the repository.
func FuzzParsePipeline(f *testing.F) {
	f.Add([]byte(smallPipeline))
	scripts, err := filepath.Glob("../plugins/kubectl/testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		f.Fatalf("no scripts to take seeds from: %v", err)
	}
	for _, s := range scripts {
		data, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			if strings.Contains(string(file.Data), "Pipelin") {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePipeline("promotion.yaml", data)
		if err != nil {
			return
		}
		for _, e := range p.Spec.Environments {
			if at := p.Spec.Layout.overlayPath("svc", e.Name); !filepath.IsLocal(at) {
				t.Fatalf("an overlay at %q", at)
			}
		}
	})
}
