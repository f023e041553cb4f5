package pipeline

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// faultsOf gives the faults of a pipeline's environments.
func faultsOf(layout, environments string) string {
	_, err := Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  layout: \""+layout+"\"\n  environments:\n"+environments))
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPlaces(t *testing.T) {
	for _, tc := range []struct{ environment, want string }{
		{`branch: "env/{environment}"`, ""},
		{`branch: release-1.2`, ""},
		{`repository: https://git.example.com/infra.git`, ""},
		{`repository: "git@git.example.com:shop/infra.git", branch: main`, ""},
		{`repository: ../infra-eu`, ""},
		{`repository: "ssh://git@git.example.com:2222/infra.git"`, ""},
		{`branch: "env/{service}"`, ""},
		{`repository: "../{service}-{environment}"`, ""},
		{`branch: "env/{team}"`, "branch has the hole {team}"},
		{`branch: "env/{service}", strategy: merge`, "is in another place for each service, whose pins are edited there"},
		{`branch: "-x"`, "is no name of a branch"},
		{`branch: "a b"`, "is no name of a branch"},
		{`branch: "a/../b"`, "is no name of a branch"},
		{`branch: "x.lock"`, "is no name of a branch"},
		{`branch: "HEAD~1"`, "is no name of a branch"},
		{`repository: "ext::sh -c id"`, "is neither a URL of a repository nor a path"},
		{`repository: "-upload-pack=x"`, "is neither a URL of a repository nor a path"},
		{`repository: /srv/infra`, "is neither a URL of a repository nor a path"},
		{`repository: "."`, "is neither a URL of a repository nor a path"},
		{`repository: "ftp://git.example.com/infra.git"`, "is no URL of a repository"},
		{`repository: "https://-oProxyCommand=x/infra.git"`, "is no URL of a repository"},
		{`repository: "https://ann:secret@git.example.com/infra.git"`, "repository has a password"},
	} {
		got := faultsOf("apps/{service}/{environment}", "  - {name: dev}\n  - {name: production, from: [dev], "+tc.environment+"}\n")
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) || strings.Contains(got, "secret") {
			t.Errorf("%s: got %q, want %q", tc.environment, got, tc.want)
		}
	}
}

// Where each environment has a place of its own, nothing else has to tell them apart.
func TestApart(t *testing.T) {
	for environments, want := range map[string]bool{
		"  - {name: dev, branch: a}\n  - {name: qa, branch: b}\n":                   true,
		"  - {name: dev}\n  - {name: qa, branch: b}\n":                              true,
		"  - {name: dev, branch: a}\n  - {name: qa, branch: a}\n":                   false,
		"  - {name: dev, branch: a}\n  - {name: qa, branch: a, repository: ../b}\n": true,
		"  - {name: dev}\n  - {name: qa}\n":                                         false,
		"  - {name: dev}\n":                                                         false,
	} {
		if got := faultsOf("{service}", environments) == ""; got != want {
			t.Errorf("%s: %v", environments, got)
		}
	}
	same := "  - {name: dev, path: x, branch: a}\n  - {name: qa, path: x, branch: %}\n"
	if got := faultsOf("{service}/{environment}", strings.Replace(same, "%", "b", 1)); got != "" {
		t.Error(got)
	}
	if got := faultsOf("{service}/{environment}", strings.Replace(same, "%", "a", 1)); !strings.Contains(got, "the same folder") {
		t.Errorf("got %q", got)
	}
}

// A tree that has no other places is never taken for the one of an environment that has
// its own: nobody can tell what is there.
func TestElsewhere(t *testing.T) {
	p, err := Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  layout: \"{service}.yaml\"\n  environments:\n  - {name: dev}\n  - {name: qa, branch: env/qa}\n"))
	if err != nil {
		t.Fatal(err)
	}
	here := memory{fstest.MapFS{"cart.yaml": {Data: []byte("image: {repository: r.example.com/cart, tag: v1}\n")}}}
	all, err := p.Sites(here).All()
	var unreached *Unreached
	if !errors.As(err, &unreached) || unreached.Branch != "env/qa" || len(all["cart"]["dev"]) != 1 {
		t.Errorf("got %v and %v", all, err)
	}
	all, err = p.Sites(Everywhere{here}).All()
	if err != nil || len(all["cart"]["qa"]) != 1 {
		t.Errorf("got %v and %v", all, err)
	}
}
