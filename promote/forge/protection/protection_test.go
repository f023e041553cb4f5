package protection_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/protection"
)

// answers are those of a forge, by the escaped path.
func serve(t testing.TB, answers map[string]string) forge.Repository {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.Method+" "+r.URL.EscapedPath()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"message": "Not Found"}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	return forge.Repository{Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"}
}

// The shapes are those of the forges' published descriptions. A rule that keeps a branch
// from being deleted protects nothing of what is promoted.
func TestOf(t *testing.T) {
	const (
		github, rules = "GET /repos/shop/infra/branches/release%2Feu", "GET /repos/shop/infra/rules/branches/release%2Feu"
		self          = "GET /repos/shop/infra"
	)
	for name, c := range map[string]struct {
		kind    forge.Kind
		answers map[string]string
		want    string
		err     error
	}{
		"github, none":               {forge.GitHub, map[string]string{github: `{"name": "release/eu", "protected": false, "protection": {"enabled": false, "required_status_checks": {"contexts": []}}}`, rules: `[]`}, "false ", nil},
		"github, classic":            {forge.GitHub, map[string]string{github: `{"protected": true, "protection": {"enabled": true, "required_status_checks": {"contexts": ["promote"]}}}`, rules: `[]`}, "true checks: promote", nil},
		"github, a rule set":         {forge.GitHub, map[string]string{github: `{"protected": false}`, rules: `[{"type": "pull_request", "parameters": {"required_approving_review_count": 2}}, {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "promote"}]}}]`}, "true 2 approvals; checks: promote", nil},
		"github, deletion alone":     {forge.GitHub, map[string]string{github: `{"protected": false}`, rules: `[{"type": "deletion"}, {"type": "non_fast_forward"}]`}, "false ", nil},
		"github, without rule sets":  {forge.GitHub, map[string]string{github: `{"protected": true}`, self: `{}`}, "true ", nil},
		"github, no such branch":     {forge.GitHub, map[string]string{self: `{}`}, "", forge.ErrNotFound},
		"github, no access":          {forge.GitHub, nil, "", forge.ErrNoAccess},
		"gitlab":                     {forge.GitLab, map[string]string{"GET /projects/shop%2Finfra/repository/branches/release%2Feu": `{"protected": true, "developers_can_push": false}`}, "true ", nil},
		"gitlab, none":               {forge.GitLab, map[string]string{"GET /projects/shop%2Finfra/repository/branches/release%2Feu": `{"protected": false}`}, "false ", nil},
		"gitea":                      {forge.Gitea, map[string]string{github: `{"protected": true, "required_approvals": 1, "enable_status_check": true, "status_check_contexts": ["promote/check"]}`}, "true 1 approval; checks: promote/check", nil},
		"gitea, checks switched off": {forge.Gitea, map[string]string{github: `{"protected": true, "enable_status_check": false, "status_check_contexts": ["old"]}`}, "true ", nil},
		"azure":                      {forge.Azure, nil, "", forge.ErrUnsupported},
		"bitbucket":                  {forge.Bitbucket, nil, "", forge.ErrUnsupported},
	} {
		r := serve(t, c.answers)
		r.Kind = c.kind
		got, err := protection.Of(t.Context(), r, forge.Options{Patience: -1}, "release/eu")
		if !errors.Is(err, c.err) || err == nil && fmt.Sprintf("%t %s", got.Protected, got) != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestPage(t *testing.T) {
	for kind, want := range map[forge.Kind]string{forge.GitHub: "/settings/branches", forge.Gitea: "/settings/branches", forge.GitLab: "/-/settings/repository", forge.Azure: ""} {
		if got := protection.Page(forge.Repository{Kind: kind, Web: "https://forge.example.com", Owner: "shop", Name: "infra"}); strings.TrimPrefix(got, "https://forge.example.com/shop/infra") != want {
			t.Errorf("%v: %s", kind, got)
		}
	}
}

// What is written of a branch: by its name, by rule sets that are enforced, and not by those that
// keep it from being deleted alone. Where nothing is written there is no file.
func TestWritten(t *testing.T) {
	const set = `{"name": "x", "target": "branch", "enforcement": "ENFORCEMENT", "conditions": {"ref_name": {"include": ["INCLUDE"], "exclude": ["refs/heads/release/old"]}},
		"rules": [{"type": "deletion"}, RULES]}`
	const pulls = `{"type": "pull_request", "parameters": {"required_approving_review_count": 2}}, {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "promote/check"}]}}`
	of := func(enforcement, include, rules string) string {
		return strings.NewReplacer("ENFORCEMENT", enforcement, "INCLUDE", include, "RULES", rules).Replace(set)
	}
	app := ".github/settings.yml"
	one := ".github/rulesets/one.json"
	for name, c := range map[string]struct {
		files  map[string]string
		branch string
		want   string
	}{
		"nothing":                  {nil, "main", "false , in "},
		"nothing of branches":      {map[string]string{app: "repository: {name: x}\n"}, "main", "false , in "},
		"by name":                  {map[string]string{app: "branches:\n- {name: main, protection: {required_pull_request_reviews: {required_approving_review_count: 1}, required_status_checks: {contexts: [ci], checks: [{context: b}]}}}\n"}, "main", "true 1 approval; checks: b, ci, in " + app},
		"another's name":           {map[string]string{app: "branches:\n- {name: develop, protection: {required_pull_request_reviews: {}}}\n"}, "main", "false , in " + app},
		"switched off":             {map[string]string{app: "branches:\n- {name: main, protection: null}\n"}, "main", "false , in " + app},
		"that asks for nothing":    {map[string]string{app: "branches:\n- {name: main, protection: {enforce_admins: true, required_status_checks: null}}\n"}, "main", "false , in " + app},
		"a set":                    {map[string]string{one: of("active", "~DEFAULT_BRANCH", pulls)}, "main", "true 2 approvals; checks: promote/check, in " + one},
		"a set of others":          {map[string]string{one: of("active", "~DEFAULT_BRANCH", pulls)}, "release/eu", "false , in " + one},
		"a set of all below":       {map[string]string{one: of("active", "refs/heads/release/*", pulls)}, "release/eu", "true 2 approvals; checks: promote/check, in " + one},
		"but for one":              {map[string]string{one: of("active", "refs/heads/release/*", pulls)}, "release/old", "false , in " + one},
		"a set that only looks":    {map[string]string{one: of("evaluate", "~ALL", pulls)}, "main", "false , in " + one},
		"a set against deletion":   {map[string]string{one: of("active", "~ALL", `{"type": "non_fast_forward"}`)}, "main", "false , in " + one},
		"a set in the app's file":  {map[string]string{app: "rulesets:\n- {name: x, enforcement: active, conditions: {ref_name: {include: [~ALL]}}, rules: [{type: pull_request}]}\n"}, "main", "true , in " + app},
		"one in one file, one not": {map[string]string{app: "branches: [{name: develop, protection: null}]\n", one: of("active", "~ALL", pulls)}, "main", "true 2 approvals; checks: promote/check, in " + one},
		"no YAML":                  {map[string]string{app: "branches: [\n"}, "main", "error .github/settings.yml"},
	} {
		tree := make(fstest.MapFS)
		for name, text := range c.files {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
		}
		got, file, err := protection.Written(tree, c.branch, "main")
		said := fmt.Sprintf("%t %s, in %s", got.Protected, got, file)
		if err != nil {
			said = "error " + file
		}
		if said != c.want {
			t.Errorf("%s: %s, want %s (%v)", name, said, c.want, err)
		}
	}
}

// Of a branch that may be the default one nobody can tell where a rule is of that alone, for or
// against: it was said to be unprotected.
func TestWrittenOfUnknownDefault(t *testing.T) {
	const set = `{"enforcement": "active", "conditions": {"ref_name": {"include": ["%s"], "exclude": ["%s"]}}, "rules": [{"type": "pull_request"}]}`
	for _, c := range []struct{ include, exclude, want string }{
		{"~DEFAULT_BRANCH", "", "false in "},
		{"~ALL", "", "true in .github/rulesets/one.json"},
		{"~ALL", "~DEFAULT_BRANCH", "false in "},
		{"refs/heads/develop", "", "false in .github/rulesets/one.json"},
	} {
		tree := fstest.MapFS{".github/rulesets/one.json": {Data: fmt.Appendf(nil, set, c.include, c.exclude)}}
		got, file, err := protection.Written(tree, "main", "")
		if said := fmt.Sprintf("%t in %s", got.Protected, file); err != nil || said != c.want {
			t.Errorf("%s, but for %s: %s, want %s (%v)", c.include, c.exclude, said, c.want, err)
		}
	}
}
