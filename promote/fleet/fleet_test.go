package fleet

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const head = "apiVersion: kubepromote.dev/v1alpha1\nkind: Fleet\nspec:\n  repositories:\n"

func TestParse(t *testing.T) {
	f, err := Parse("ops/fleet.yaml", []byte(head+`  - https://git.example.com/infra.git
  - {repository: ../payments, pipeline: deploy/promotion.yaml}
  - {name: eu, repository: "git@git.example.com:acme/infra", branch: eu}
  - repository: /srv/web/
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Repository{
		{"infra", "https://git.example.com/infra.git", "", ""}, {"payments", "payments", "", "deploy/promotion.yaml"},
		{"eu", "git@git.example.com:acme/infra", "eu", ""}, {"web", "/srv/web/", "", ""},
	}
	for i, r := range f.Spec.Repositories {
		if r.Repository = filepath.ToSlash(r.Repository); r != want[i] {
			t.Errorf("%+v, want %+v", r, want[i])
		}
	}
}

// What a fleet file names is fetched, and opened: what git would take for a command or an
// option, or what is in no repository, is a fault with its place.
func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"  - {repositroy: a}\n":            `5:6: unknown field "spec.repositories[0].repositroy"; did you mean repository?`,
		"  - {name: a}\n":                  "5:5: repository is empty",
		"  - ext::sh -c id\n":              `5:5: "ext::sh -c id" is neither a URL nor a folder`,
		"  - -u\n":                         `5:5: "-u" is neither a URL nor a folder`,
		"  - gopher://example.com/a.git\n": "5:5: not the URL of a repository",
		"  - {repository: https://h/a, pipeline: ../a.yaml}\n": `5:41: "../a.yaml" is no path in the repository`,
		"  - {repository: https://h/a, pipeline: .git/a}\n":    `5:41: ".git/a" is no path in the repository`,
		"  - {repository: a, branch: b}\n":                     "5:29: a folder is read as it is checked out",
		"  - {repository: a, name: 'x y'}\n":                   `5:27: the name "x y" is malformed`,
		"  - ..\n":                                             `5:5: the name ".." is malformed`,
		"  - https://h/a/infra.git\n  - https://h/b/infra\n":   `6:5: "infra" is the name of spec.repositories[0] as well`,
		strings.Repeat("  - a\n", Most+1):                      fmt.Sprintf("5:3: %d repositories, and %d are the most", Most+1, Most),
	} {
		_, err := Parse("f.yaml", []byte(head+text))
		message := fmt.Sprint(err)
		if h, ok := err.(interface{ HintText() string }); ok {
			message += "; " + h.HintText()
		} else if all, ok := err.(interface{ Unwrap() []error }); ok {
			if h, ok := all.Unwrap()[0].(interface{ HintText() string }); ok {
				message += "; " + h.HintText()
			}
		}
		if !strings.Contains(message, want) {
			t.Errorf("%.60q: %s, want %s", text, message, want)
		}
	}
}
