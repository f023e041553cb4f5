// Package codeowners tells from a CODEOWNERS file whom to ask for a review of some
// files. GitHub, GitLab and Gitea each have a dialect of their own: the last rule that
// fits, the last one of each section, and all that fit, by regular expressions. A line
// that is not understood is an error with its place; a file with one is not used in
// part, for it would ask the wrong people.
package codeowners

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	lib "github.com/hmarr/codeowners"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// Dialect is whose rules a file is written by.
type Dialect string

// The dialects. Bitbucket and Azure DevOps keep reviewers elsewhere.
const (
	// GitHub: https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
	GitHub Dialect = "github"
	// GitLab: https://docs.gitlab.com/user/project/codeowners/reference/
	GitLab Dialect = "gitlab"
	// Gitea is Forgejo as well: https://docs.gitea.com/usage/code-owners
	Gitea Dialect = "gitea"
)

// Paths lists where a forge looks for the file, in its order.
func (d Dialect) Paths() []string {
	switch d {
	case GitHub:
		return []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}
	case GitLab:
		return []string{"CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}
	case Gitea:
		return []string{"CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS"}
	}
	return nil
}

// Kind is what an owner is.
type Kind string

// The kinds.
const (
	User Kind = "user"
	// Team is a team ORG/TEAM of GitHub or Gitea. On GitLab GROUP/SUBGROUP is a group, and
	// a name without a slash may be one, too.
	Team Kind = "team"
	// Email is the address of an account.
	Email Kind = "email"
	// Role is a role of GitLab (@@maintainer): not one that can be asked.
	Role Kind = "role"
)

// Owner is somebody who owns files.
type Owner struct {
	// Name is without the @ in front.
	Name string
	Kind Kind
}

// String is the owner as it stands in a file.
func (o Owner) String() string {
	switch o.Kind {
	case Email:
		return o.Name
	case Role:
		return "@@" + o.Name
	}
	return "@" + o.Name
}

// maxFile bounds a file: GitHub takes 3 MB, and leaves larger ones out.
const (
	maxFile  = 3 << 20
	maxRules = 20_000
)

// File is a CODEOWNERS file. Make it with [Parse].
type File struct {
	dialect  Dialect
	sections []section
}

// section is a part of a file in which one rule counts; the dialects other than GitLab's
// have just one.
type section struct {
	name  string
	rules []rule
}

// rule is a line.
type rule struct {
	// matches tells whether a path is meant.
	matches func(path string) bool
	// excludes takes the path out of its section.
	excludes bool
	owners   []Owner
}

// Parse reads a file. name is for messages; all lines that are not understood are
// told, in one error of lines "name:line: what".
func Parse(d Dialect, name string, data []byte) (*File, error) {
	if len(data) > maxFile {
		return nil, fault.Text(name + ": larger than 3 MiB")
	}
	p := parser{name: name, file: &File{dialect: d, sections: []section{{}}}}
	var line func(string) error
	switch d {
	case GitHub:
		line = p.github
	case GitLab:
		line = p.gitlab
	case Gitea:
		line = p.gitea
	default:
		return nil, fault.Text("no dialect of CODEOWNERS is called " + fmt.Sprintf("%q", fault.Shorten(string(d))))
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile+1)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if p.rules++; p.rules > maxRules {
			p.add(n, errors.New("more than 20,000 rules"))
			break
		}
		err := errNotText
		if utf8.ValidString(text) {
			err = line(text)
		}
		if err != nil {
			p.add(n, err)
		}
	}
	if len(p.faults) > 0 {
		return nil, fault.Text(strings.Join(p.faults, "\n"))
	}
	return p.file, nil
}

var errNotText = errors.New("not UTF-8")

// parser collects the rules and the faults of a file.
type parser struct {
	name   string
	file   *File
	rules  int
	faults []string
	// owners are those of the section at hand, for rules that name none.
	owners []Owner
	at     int
}

func (p *parser) add(line int, err error) {
	const most = 20
	if len(p.faults) < most {
		p.faults = append(p.faults, fmt.Sprintf("%s:%d: %s", p.name, line, fault.OneLine(err.Error())))
	}
}

func (p *parser) rule(r rule) {
	s := &p.file.sections[p.at]
	s.rules = append(s.rules, r)
}

// Owners gives the owners of some paths, which are relative to the repository and
// have slashes, each owner once, in the order of the paths.
func (f *File) Owners(paths ...string) []Owner {
	var all []Owner
	add := func(owners []Owner) {
		for _, o := range owners {
			if !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	for _, p := range paths {
		p = strings.TrimPrefix(path.Clean("/"+p), "/")
		for _, s := range f.sections {
			if f.dialect == Gitea {
				for _, r := range s.rules {
					if r.matches(p) {
						add(r.owners)
					}
				}
				continue
			}
			add(s.owners(p))
		}
	}
	return all
}

// owners are those of the last rule that fits. A rule without owners takes them
// away; a path that is excluded once stays so (GitLab).
func (s section) owners(p string) []Owner {
	var found []Owner
	for _, r := range s.rules {
		if !r.matches(p) {
			continue
		}
		if r.excludes {
			return nil
		}
		found = r.owners
	}
	return found
}

// githubPattern is one pattern of GitHub's dialect, which GitLab's are like.
func githubPattern(pattern string) (func(string) bool, error) {
	rules, err := lib.ParseFile(strings.NewReader(pattern + " @owner"))
	if err != nil {
		return nil, withoutLine(err)
	}
	if len(rules) != 1 {
		return nil, errors.New("no pattern")
	}
	return matcher(rules[0])
}

// matcher refuses what the library takes, and panics on when it is to match.
func matcher(r lib.Rule) (func(string) bool, error) {
	if strings.Trim(r.RawPattern(), "/") == "" {
		return nil, errors.New("the pattern / means no file; all files are *")
	}
	return func(p string) bool {
		ok, err := r.Match(p)
		return ok && err == nil
	}, nil
}

// withoutLine takes off the number of the line, which is that within what the
// library was given.
func withoutLine(err error) error {
	_, text, ok := strings.Cut(err.Error(), "line 1: ")
	if !ok {
		return err
	}
	return errors.New(text)
}
