package promote

import (
	"testing"

	"github.com/kubepromote/kubepromote/promote/pipeline"
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

func TestPipelineSource(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(smallPipeline))
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
		src, err := (&Promoter{Pipeline: p}).Source(to, tc.from)
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
