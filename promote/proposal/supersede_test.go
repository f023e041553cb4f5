package proposal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// several is a forge with pull requests by their heads, and the branches that they are on.
type several struct {
	forge.Forge
	by      map[string]forge.PullRequest
	foreign string // the branch that somebody has committed on
	down    bool
	closed  []string
}

func (f *several) Find(_ context.Context, r forge.FindRequest) ([]forge.PullRequest, error) {
	if f.down {
		return nil, errors.New("the forge is down")
	}
	if pr, ok := f.by[r.Head]; ok && pr.Base == r.Base {
		pr.Head, pr.HeadCommit = r.Head, "abc"
		return []forge.PullRequest{pr}, nil
	}
	return nil, nil
}

func (f *several) Close(_ context.Context, n int, comment string) error {
	f.closed = append(f.closed, fmt.Sprintf("%d: %s", n, comment))
	return nil
}

func (f *several) Heads(_ context.Context, prefixes ...string) ([]string, error) {
	var out []string
	for head := range f.by {
		if strings.HasPrefix(head, prefixes[0]) {
			out = append(out, head)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (f *several) Proposes(_ context.Context, name, commit string) (bool, error) {
	return commit == "abc" && name != f.foreign, nil
}

// bodyOf is the text of a pull request, as far as its record goes.
func bodyOf(to string, services ...string) string {
	text := "text\n\n```\n"
	for _, s := range services {
		text += "Promotion-Service: " + s + "\nPromotion-From: staging\nPromotion-To: " + to + "\n"
	}
	return text + "```\n"
}

// Two pull requests of one service each are replaced by one of both; what moves anything
// else, is somebody's own, or goes elsewhere stays open.
func TestSupersede(t *testing.T) {
	all := func() map[string]forge.PullRequest {
		return map[string]forge.PullRequest{
			"promote/production/cart":                {Number: 1, Base: "main", URL: "https://git.example.com/1", Body: bodyOf("production", "cart")},
			"promote/production/web":                 {Number: 2, Base: "main", Body: bodyOf("production", "web")},
			"promote/production/api":                 {Number: 3, Base: "main", Body: bodyOf("production", "api")},
			"promote/production/2-services-11111111": {Number: 4, Base: "main", Body: bodyOf("production", "cart", "api")},
			"promote/production/2-services-22222222": {Number: 5, Base: "main", Body: bodyOf("production", "web", "cart")},
			"promote/production/2-services-33333333": {Number: 6, Base: "next", Body: bodyOf("production", "cart")},
			"promote/production/2-services-44444444": {Number: 7, Base: "main", Body: "its text was changed"},
			"promote/production/2-services-55555555": {Number: 8, Base: "main", Body: bodyOf("staging", "cart")},
			"promote/staging/cart":                   {Number: 9, Base: "main", Body: bodyOf("staging", "cart")},
			"rollback/production/cart":               {Number: 10, Base: "main", Body: bodyOf("production", "cart")},
		}
	}
	for _, tc := range []struct {
		name     string
		services []string
		foreign  string
		down     bool
		closes   []int
	}{
		{"both", []string{"cart", "web"}, "", false, []int{5, 1, 2}},
		{"somebody has committed on one", []string{"cart", "web"}, "promote/production/web", false, []int{5, 1}},
		{"one replaces none", []string{"cart"}, "", false, nil},
		{"the forge is down", []string{"cart", "web"}, "", true, nil},
	} {
		f := &several{by: all(), foreign: tc.foreign, down: tc.down}
		r := &Result{Number: 12, URL: "https://git.example.com/12", State: Opened}
		err := Supersede(t.Context(), f, f, planned(t, tc.services...), r)
		var closed []int
		for _, s := range r.Superseded {
			closed = append(closed, s.Number)
		}
		if (err != nil) != tc.down || !slices.Equal(closed, tc.closes) || len(f.closed) != len(tc.closes) {
			t.Errorf("%s: closed %v, %v, %v", tc.name, closed, f.closed, err)
		}
		if len(f.closed) > 0 && !strings.HasSuffix(f.closed[0], "Replaced by https://git.example.com/12, which has all of it.") {
			t.Error(f.closed)
		}
	}
}

// tree is a repository in memory with a pin of each service in two environments.
type tree struct {
	promote.Repo
	files map[string]string
}

func (r tree) ReadFile(name string) ([]byte, error) {
	if text, ok := r.files[name]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (r tree) ReadAny(string, []string) (promote.Found, error) {
	return promote.Found{}, fs.ErrNotExist
}

func (r tree) ReadDir(string) ([]fs.DirEntry, error) { return nil, fs.ErrNotExist }

func (r tree) State(context.Context, []string) (promote.State, error) {
	return promote.State{Head: strings.Repeat("a", 40), Branch: "main", Remote: "origin"}, nil
}

func planned(t *testing.T, services ...string) *promote.Plan {
	t.Helper()
	files := make(map[string]string)
	for _, s := range services {
		for environment, n := range map[string]string{"staging": "2", "production": "1"} {
			files["apps/"+s+"/"+environment+".yaml"] = "image: {repository: r.example.com/" + s + ", tag: v" + n + ", digest: \"sha256:" + strings.Repeat(n, 64) + "\"}\n"
		}
	}
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  layout: \"apps/{service}/{environment}.yaml\"\n  environments: [{name: staging}, {name: production, from: [staging], deliver: {mode: pullRequest}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := (&promote.Promoter{Repo: tree{files: files}, Pipeline: p}).Plan(t.Context(), promote.Request{Services: services, To: "production"})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
