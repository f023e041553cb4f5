package codeowners

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	lib "github.com/hmarr/codeowners"

	"github.com/kubepromote/kubepromote/internal/fault"
)

func (p *parser) github(line string) error {
	rules, err := lib.ParseFile(strings.NewReader(line))
	if err != nil {
		return withoutLine(err)
	}
	for _, r := range rules {
		var owners []Owner
		for _, o := range r.Owners {
			owner := Owner{Name: o.Value, Kind: User}
			switch o.Type {
			case lib.TeamOwner:
				owner.Kind = Team
			case lib.EmailOwner:
				owner.Kind = Email
			}
			owners = append(owners, owner)
		}
		matches, err := matcher(r)
		if err != nil {
			return err
		}
		p.rule(rule{matches: matches, owners: owners})
	}
	return nil
}

// gitlab reads a heading of a section, [Name], ^[Name] or [Name][2], with owners for the
// rules that name none; a pattern with owners; and a pattern that is excluded, !PATTERN.
// Sections of one name in capitals or not are one.
func (p *parser) gitlab(line string) error {
	if heading := strings.TrimPrefix(line, "^"); strings.HasPrefix(heading, "[") {
		return p.heading(heading)
	}
	pattern, rest := cutPattern(line)
	excluded := strings.HasPrefix(pattern, "!")
	pattern = strings.TrimPrefix(pattern, "!")
	if pattern == "" {
		return errors.New("no pattern")
	}
	owners, err := gitlabOwners(rest)
	if err != nil {
		return err
	}
	if len(owners) == 0 {
		owners = p.owners
	}
	if !strings.HasPrefix(pattern, "/") {
		pattern = "**/" + pattern // it may stand at any depth, also with a slash in the middle
	}
	matches, err := githubPattern(pattern)
	if err != nil {
		return err
	}
	p.rule(rule{matches: matches, excludes: excluded, owners: owners})
	return nil
}

// cutPattern cuts at the first space that has no backslash in front.
func cutPattern(line string) (pattern, rest string) {
	escaped := false
	for i, c := range line {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == ' ' || c == '\t':
			return line[:i], line[i:]
		}
	}
	return line, ""
}

func (p *parser) heading(line string) error {
	name, rest, ok := strings.Cut(line[1:], "]")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		return errors.New("a section is [NAME]")
	}
	if count, after, ok := strings.Cut(rest, "]"); ok && strings.HasPrefix(rest, "[") {
		if n, err := strconv.Atoi(strings.TrimSpace(count[1:])); err != nil || n < 0 {
			return errors.New("the number of approvals is " + fmt.Sprintf("%q", fault.Shorten(count[1:])))
		}
		rest = after
	}
	owners, err := gitlabOwners(rest)
	if err != nil {
		return err
	}
	p.owners = owners
	for i, s := range p.file.sections {
		if i > 0 && strings.EqualFold(s.name, name) {
			p.at = i
			return nil
		}
	}
	p.at = len(p.file.sections)
	p.file.sections = append(p.file.sections, section{name: name})
	return nil
}

var (
	gitlabName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^@[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
	})
	gitlabRole = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^@@(developers?|maintainers?|owners?)$`) })
	address    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`) })
)

func gitlabOwners(text string) ([]Owner, error) {
	var owners []Owner
	for _, word := range strings.Fields(text) {
		switch {
		case strings.HasPrefix(word, "#"):
			return owners, nil
		case gitlabRole().MatchString(word):
			owners = append(owners, Owner{word[2:], Role})
		case gitlabName().MatchString(word):
			kind := User
			if strings.Contains(word, "/") {
				kind = Team
			}
			owners = append(owners, Owner{word[1:], kind})
		case address().MatchString(word):
			owners = append(owners, Owner{word, Email})
		default:
			return nil, errors.New("no owner is called " + fmt.Sprintf("%q", fault.Shorten(word)))
		}
	}
	return owners, nil
}

var giteaName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$`) })

// gitea reads a regular expression of the whole path, which ! in front turns round,
// and owners. Gitea's expressions may look ahead and back; those are not read.
func (p *parser) gitea(line string) error {
	words := giteaWords(line)
	if len(words) == 0 {
		return nil
	}
	if len(words) < 2 {
		return errors.New("a rule has a pattern and at least one owner")
	}
	pattern, negative := strings.CutPrefix(words[0], "!")
	expr, err := regexp.Compile("^" + strings.TrimPrefix(pattern, "/") + "$")
	if err != nil {
		return fmt.Errorf("a regular expression that is not understood: %w", err)
	}
	var owners []Owner
	for _, word := range words[1:] {
		name := strings.TrimPrefix(word, "@")
		if !giteaName().MatchString(name) {
			return errors.New("no owner is called " + fmt.Sprintf("%q", fault.Shorten(word)))
		}
		kind := User
		if strings.Contains(name, "/") {
			kind = Team
		}
		owners = append(owners, Owner{name, kind})
	}
	p.rule(rule{matches: func(path string) bool { return expr.MatchString(path) != negative }, owners: owners})
	return nil
}

// giteaWords splits a line at spaces. A backslash is left out and keeps what follows,
// as a space or a #, so that the regular expression \. stands as \\. in the file. A #
// ends the line.
func giteaWords(line string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\':
			escaped = true
		case c == ' ' || c == '\t':
			end()
		case c == '#':
			end()
			return words
		default:
			word.WriteRune(c)
		}
	}
	end()
	return words
}
