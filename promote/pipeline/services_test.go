package pipeline

import (
	"slices"
	"strings"
	"testing"
)

const manyPipeline = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - {name: staging}
  - {name: eu, group: production}
  - {name: asia}
  - {name: us, group: production}
  services:
  - {name: web, dependsOn: [cart, team/users]}
  - {name: cart, dependsOn: [inventory]}
  - {name: inventory}
`

func TestInOrder(t *testing.T) {
	p, err := Parse("p.yaml", []byte(manyPipeline))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"":                               "",
		"b a":                            "b a",
		"web cart inventory":             "inventory cart web",
		"web inventory":                  "inventory web", // through cart
		"z web y team/users x inventory": "z inventory team/users web y x",
	} {
		if got := strings.Join(p.InOrder(strings.Fields(in)), " "); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestTargets(t *testing.T) {
	p, err := Parse("p.yaml", []byte(manyPipeline))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"":                 "",
		"us":               "us",
		"us eu us":         "eu us",
		"asia production":  "eu asia us",
		"production us eu": "eu us",
	} {
		all, err := p.Targets(strings.Fields(in))
		var names []string
		for _, e := range all {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	_, err = p.Targets([]string{""})
	wantError(t, err, `unknown environment ""`, "hint: known are staging, eu, asia, us, production")
	if got := p.Groups(); !slices.Equal(got, []string{"production"}) {
		t.Error(got)
	}
}
