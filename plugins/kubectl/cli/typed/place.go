package typed

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/spf13/cobra"
)

// InCommit is what stands in front of a pipeline file's path that is one in the repository.
const InCommit = "HEAD:"

// branches are the kinds of --branch: one is read where the repository is known by its URL,
// another is delivered to. A flag without one is about something else.
const (
	branchAnnotation = "kubepromote.dev/branch"
	reads            = "reads"
	delivers         = "delivers"
)

// Reads marks --branch of a command as that of what is read of a repository known by its URL.
func Reads(cmd *cobra.Command) error {
	return cmd.Flags().SetAnnotation("branch", branchAnnotation, []string{reads})
}

// Delivers marks --branch of a command as that of what is delivered to.
func Delivers(cmd *cobra.Command) error {
	return cmd.Flags().SetAnnotation("branch", branchAnnotation, []string{delivers})
}

func kindOfBranch(cmd *cobra.Command) string {
	if f := cmd.Flags().Lookup("branch"); f != nil && len(f.Annotations[branchAnnotation]) > 0 {
		return f.Annotations[branchAnnotation][0]
	}
	return ""
}

// OnlyReads tells whether --branch of a command is for a repository that is known by its URL.
func OnlyReads(cmd *cobra.Command) bool { return kindOfBranch(cmd) == reads }

// Place is where a call works: its repository, the branch and the pipeline file, as far as
// they are not the usual ones. A command that is typed later without them does something else.
type Place struct {
	Repository, Branch, Pipeline string
	// File is the pipeline file's path in the repository, in place of Pipeline.
	File string
	// Root has all commands, and TakesURL tells which of them need no clone.
	Root     *cobra.Command
	TakesURL func(*cobra.Command) bool
}

// BranchOf gives the branch that a command has chosen. That of check is another one.
func BranchOf(cmd *cobra.Command, name string) string {
	if cmd != nil && cmd.Flags().Lookup("branch") != nil && kindOfBranch(cmd) == "" {
		return ""
	}
	return name
}

// flags are those that a command needs to be about this place, as pairs of a name and a value.
func (p Place) flags(cmd *cobra.Command) (pairs [][2]string) {
	add := func(name, value string) {
		if value != "" {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	url := branch.IsURL(p.Repository)
	if p.Repository != "." {
		add("repo", p.Repository)
	}
	if kind := kindOfBranch(cmd); kind == delivers || kind == reads && url {
		add("branch", p.Branch)
	}
	switch {
	case p.File == "":
		add("pipeline", p.Pipeline)
	case p.TakesURL(cmd):
		add("pipeline", InCommit+p.File)
	case !url:
		add("pipeline", filepath.ToSlash(filepath.Join(p.Repository, filepath.FromSlash(p.File))))
	}
	return pairs
}

// Words gives the flags as a program is given them, for a command line without the words
// kubectl promote; shown are those for people, without a password.
func (p Place) Words(args []string) (words, shown []string) {
	if p.Root == nil {
		return nil, nil
	}
	cmd, _ := p.find(" " + strings.Join(args[:min(1, len(args))], ""))
	for _, f := range p.flags(cmd) {
		words = append(words, "--"+f[0]+"="+f[1])
		shown = append(shown, dashed(f[0]), open(f[1]))
	}
	return words, shown
}

// open is a value as it can be printed.
func open(value string) string {
	if branch.IsURL(value) {
		return branch.WithoutCredentials(value)
	}
	return value
}

// Clone is what comes before a command that needs a clone where the repository is known by its
// URL alone, and the folder that is made by it; both are empty where it needs none.
func (p Place) Clone(cmd *cobra.Command) (before, dir string) {
	if !branch.IsURL(p.Repository) || p.TakesURL(cmd) || isBare(cmd) {
		return "", ""
	}
	url := strings.TrimRight(open(p.Repository), "/")
	if dir = strings.TrimSuffix(url[strings.LastIndexAny(url, "/:")+1:], ".git"); dir == "" || strings.HasPrefix(dir, "-") {
		return "", ""
	}
	if before = "git clone "; p.Branch != "" {
		before += "--branch " + shell.Quote(p.Branch) + " "
	}
	return before + shell.Quote(url) + " && ", dir
}

// near is the place where a command works that needs a clone: in the one that is made before.
func (p Place) near(cmd *cobra.Command) (before string, at Place) {
	before, dir := p.Clone(cmd)
	if before != "" {
		p.Repository, p.Branch = dir, ""
	}
	return before, p
}

func isBare(cmd *cobra.Command) bool {
	whole := cmd.CommandPath() + " "
	return slices.ContainsFunc(bare, func(name string) bool { return strings.HasPrefix(whole, program+" "+name+" ") })
}

func (p Place) text(cmd *cobra.Command) (text string) {
	for _, f := range p.flags(cmd) {
		text += " " + dashed(f[0]) + " " + shell.Quote(open(f[1]))
	}
	return text
}

// Give gives a command line of this program the flags of the place.
func (p Place) Give(l *Line) *Line {
	if p.Root == nil {
		return l
	}
	cmd, _ := p.find(strings.TrimPrefix(l.Command, program))
	before, at := p.near(cmd)
	for _, f := range at.flags(cmd) {
		l.Set(f[0], open(f[1]))
	}
	l.Command = before + l.Command
	return l
}

const program = "kubectl promote"

// bare are the commands that are about no repository, or about files that are named.
var bare = []string{"build", "completion", "copy", "demo", "explain", "fn", "help", "options", "resolve", "set", "verify-bundle", "version"}

// find finds the command that a text begins with, and how long its name is there.
func (p Place) find(text string) (cmd *cobra.Command, length int) {
	cmd = p.Root
	for {
		word := word().FindString(text[length:])
		n := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return word != "" && c.Name() == strings.TrimSpace(word) })
		if n < 0 {
			return cmd, length
		}
		cmd, length = cmd.Commands()[n], length+len(word)
	}
}

var (
	word = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^ [a-z][a-z-]*`) })
	// steps ends one command of several that a hint has.
	steps = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`, (?:or|then|and) |; | && `) })
	// placed is a command that says itself where it works, or works nowhere.
	placed = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(` (?:-C|--(?:repo|branch|pipeline|fleet|help))[ =]`) })
)

// In gives each command of this program in a hint the flags of the place, right behind its
// name: where it ends only its author knows. One that has any of them is left as it is.
func (p Place) In(hint string) string {
	if p.Root == nil {
		return hint
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(hint, program+" ")
		if out.WriteString(before); !found {
			return out.String()
		}
		step := " " + rest
		if end := steps().FindStringIndex(step); end != nil {
			step = step[:end[0]]
		}
		cmd, length := p.find(step)
		if placed().MatchString(step+" ") || isBare(cmd) {
			out.WriteString(program + step[:length])
		} else {
			before, at := p.near(cmd)
			out.WriteString(before + program + step[:length] + at.text(cmd))
		}
		hint = (" " + rest)[length:]
	}
}

// gitCommand is the beginning of a command of git in a hint.
var gitCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(^|, or |, then | && )git ([a-z][a-z-]*)`)
})

// GitIn makes commands of git in a hint ones of a repository that is in another folder.
func GitIn(hint, dir string) string {
	if dir == "." || dir == "" || branch.IsURL(dir) {
		return hint
	}
	at := "git -C " + shell.Quote(dir) + " "
	hint = gitCommand().ReplaceAllStringFunc(hint, func(begin string) string {
		if strings.HasSuffix(begin, "clone") || strings.HasSuffix(begin, "-version") {
			return begin
		}
		return strings.Replace(begin, "git ", at, 1)
	})
	return strings.ReplaceAll(hint, at+"config --global ", "git config --global ")
}

// FromHere is an absolute path as it is named from the working directory.
func FromHere(name string) string {
	here, err := filepath.Abs(".")
	if err == nil {
		if real, err := filepath.EvalSymlinks(here); err == nil {
			here = real
		}
		if rel, err := filepath.Rel(here, name); err == nil {
			return filepath.ToSlash(rel)
		}
	}
	return name
}
