package codeowners_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge/codeowners"
)

func Example() {
	const text = "*            @shop/platform\n/apps/cart/  @alice bob@example.com\n"
	file, err := codeowners.Parse(codeowners.GitHub, "CODEOWNERS", []byte(text))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, owner := range file.Owners("apps/cart/values.yaml", "README.md") {
		fmt.Println(owner.Kind, owner)
	}
	// Output:
	// user @alice
	// email bob@example.com
	// team @shop/platform
}

func owners(t *testing.T, d codeowners.Dialect, text string, paths ...string) string {
	t.Helper()
	file, err := codeowners.Parse(d, "CODEOWNERS", []byte(text))
	if err != nil {
		t.Error(err)
		return ""
	}
	var all []string
	for _, o := range file.Owners(paths...) {
		all = append(all, o.String())
	}
	return strings.Join(all, " ")
}

const gitlabText = `
* @default
/docs/ @docs
README.md @readme      # anywhere
internal/README.md @internal

[Apps][2] @apps
apps/
apps/cart/ @cart group/x@example.com
!apps/cart/generated/
/my\ apps/ @spaces

^[Optional]
*.yaml @@maintainer @group/sub
[ APPS ]
*.lock @locks
`

const giteaText = `
apps/.*\\.yaml @bob @org/ops   # all that fit count
apps/cart/.* @alice
!apps/.* @carol
/docs/a\ b @dave
`

func TestOwners(t *testing.T) {
	const github = "# a comment\n* @all\n*.md @docs\n/apps/ @org/apps\n/apps/cart @cart\napps/none/*\n\n"
	for _, c := range []struct {
		d          codeowners.Dialect
		text, path string
		want       string
	}{
		{codeowners.GitHub, github, "x/y", "@all"},
		{codeowners.GitHub, github, "/x/y.md", "@docs"},
		{codeowners.GitHub, github, "apps/a.yaml", "@org/apps"},
		{codeowners.GitHub, github, "apps/cart/deep/a.yaml", "@cart"},
		{codeowners.GitHub, github, "apps/none/a.yaml", ""},
		{codeowners.GitHub, github, "apps/none/deep/a.yaml", "@org/apps"},
		{codeowners.GitHub, "", "a", ""},
		{codeowners.GitLab, gitlabText, "x", "@default"},
		{codeowners.GitLab, gitlabText, "docs/README.md", "@readme"},
		{codeowners.GitLab, gitlabText, "a/internal/README.md", "@internal"},
		{codeowners.GitLab, gitlabText, "apps/a", "@default @apps"},
		{codeowners.GitLab, gitlabText, "deep/apps/a", "@default @apps"},
		{codeowners.GitLab, gitlabText, "apps/cart/a.yaml", "@default @cart group/x@example.com @@maintainer @group/sub"},
		{codeowners.GitLab, gitlabText, "apps/cart/generated/a", "@default"},
		{codeowners.GitLab, gitlabText, "my apps/a", "@default @spaces"},
		{codeowners.GitLab, gitlabText, "a.lock", "@default @locks"},
		{codeowners.Gitea, giteaText, "apps/cart/a.yaml", "@bob @org/ops @alice"},
		{codeowners.Gitea, giteaText, "apps/web/a.yaml", "@bob @org/ops"},
		{codeowners.Gitea, giteaText, "apps/web/a-yaml", ""},
		{codeowners.Gitea, giteaText, "other", "@carol"},
		{codeowners.Gitea, giteaText, "docs/a b", "@carol @dave"},
	} {
		if got := owners(t, c.d, c.text, c.path); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.d, c.path, got, c.want)
		}
	}
	if got := owners(t, codeowners.GitHub, github, "a.md", "x", "b.md"); got != "@docs @all" {
		t.Errorf("of three: %q", got)
	}
	for _, d := range []codeowners.Dialect{codeowners.GitHub, codeowners.GitLab, codeowners.Gitea} {
		if len(d.Paths()) != 3 {
			t.Errorf("%s: %v", d, d.Paths())
		}
	}
}

// A file that is not understood asks nobody, and says each place.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		d    codeowners.Dialect
		text string
		want []string
	}{
		{codeowners.GitHub, "* @a\n[Section] @b\n*.x nobody\na/***/b @c\n", []string{"CODEOWNERS:2: unexpected character '['", "CODEOWNERS:3: invalid owner format 'nobody'", "CODEOWNERS:4: pattern cannot contain three"}},
		{codeowners.GitHub, "/ @a\n// @b\n/# @c\n", []string{"CODEOWNERS:1: the pattern / means no file", "CODEOWNERS:2: the pattern / means no file", "CODEOWNERS:3: the pattern / means no file"}},
		{codeowners.GitLab, "/ @a\n!/\n", []string{"CODEOWNERS:1: the pattern / means no file", "CODEOWNERS:2: the pattern / means no file"}},
		{codeowners.Gitea, "x @\xff\n", []string{"CODEOWNERS:1: not UTF-8"}},
		{codeowners.GitHub, "!x @a\n", []string{"CODEOWNERS:1: unexpected character '!'"}},
		{codeowners.GitLab, "[] @a\n[x\n[x][many] @a\n* nobody\n* @@boss\n! @a\n", []string{"CODEOWNERS:1: a section", "CODEOWNERS:2: a section", `CODEOWNERS:3: the number of approvals is "many"`,
			`CODEOWNERS:4: no owner is called "nobody"`, `CODEOWNERS:5: no owner is called "@@boss"`, "CODEOWNERS:6: no pattern"}},
		{codeowners.Gitea, "apps/.*\n(?!x).* @a\nx @a/b/c\nx @\n( @a\n", []string{"CODEOWNERS:1: a rule has", "CODEOWNERS:2: a regular expression", `CODEOWNERS:3: no owner is called "@a/b/c"`,
			`CODEOWNERS:4: no owner is called "@"`, "CODEOWNERS:5: a regular expression"}},
		{codeowners.GitHub, strings.Repeat("* @a\n", 20_001), []string{"CODEOWNERS:20001: more than 20,000 rules"}},
		{codeowners.GitHub, strings.Repeat("#", 4<<20), []string{"CODEOWNERS: larger than 3 MiB"}},
		{"svn", "", []string{`no dialect of CODEOWNERS is called "svn"`}},
	} {
		_, err := codeowners.Parse(c.d, "CODEOWNERS", []byte(c.text))
		if err == nil {
			t.Errorf("%s %.30q: no error", c.d, c.text)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(c.want) {
			t.Errorf("%s %.30q: %s", c.d, c.text, err)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("%s:\n%s, want\n%s", c.d, lines[i], want)
			}
		}
	}
}

// Any file is read or refused in lines that name their place, and any path has
// owners that stand in the file.
func FuzzParse(f *testing.F) {
	for i, text := range []string{"* @a\n/x/ @o/t e@example.com\n", gitlabText, giteaText, "\\", "\\ @a", "/ @a", "a\\ b @c # d", "[x] @a\n^[x][1]\n!a"} {
		f.Add(i%3, text, "apps/cart/a.yaml")
	}
	f.Fuzz(func(t *testing.T, n int, text, path string) {
		d := []codeowners.Dialect{codeowners.GitHub, codeowners.GitLab, codeowners.Gitea}[uint(n)%3]
		file, err := codeowners.Parse(d, "F", []byte(text))
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "F:") {
					t.Errorf("%q", line)
				}
			}
			return
		}
		for _, o := range file.Owners(path) {
			if o.Name == "" || !strings.Contains(text, o.Name) {
				t.Errorf("%+v", o)
			}
		}
	})
}
