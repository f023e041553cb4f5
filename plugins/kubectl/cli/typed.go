package cli

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// typed is a command line: that of a command as it was given, to be typed again with
// other words.
type typed struct {
	command string
	args    []string
	flags   []typedFlag
}

type typedFlag struct{ name, text string }

// typedBy takes a command line from what a command has parsed. The flags keep their
// order.
func typedBy(cmd *cobra.Command) *typed {
	t := &typed{command: cmd.CommandPath(), args: slices.Clone(cmd.Flags().Args())}
	sorted := cmd.Flags().SortFlags
	cmd.Flags().SortFlags = false
	defer func() { cmd.Flags().SortFlags = sorted }()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand
		}
		list, several := f.Value.(pflag.SliceValue)
		switch {
		case several:
			for _, value := range list.GetSlice() {
				t.flags = append(t.flags, typedFlag{f.Name, name + " " + shell.Quote(value)})
			}
		case f.Value.Type() == "bool" && f.Value.String() == "true":
			t.flags = append(t.flags, typedFlag{f.Name, name})
		case f.NoOptDefVal != "":
			t.flags = append(t.flags, typedFlag{f.Name, "--" + f.Name + "=" + shell.Quote(f.Value.String())})
		default:
			t.flags = append(t.flags, typedFlag{f.Name, name + " " + shell.Quote(withoutPassword(f.Value.String()))})
		}
	})
	return t
}

// withoutPassword takes the password out of a URL: a line to be typed again is printed, and
// ends up in logs. Git asks for it, or whoever helps it.
func withoutPassword(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.User == nil || !branch.IsURL(value) {
		return value
	}
	u.User = url.User(u.User.Username())
	return u.String()
}

// set gives a flag other values, at its place if it has one: none removes it, and ""
// is that of a flag that takes none.
func (t *typed) set(flag string, values ...string) *typed {
	var flags []typedFlag
	for _, value := range values {
		flags = append(flags, typedFlag{flag, strings.TrimSuffix("--"+flag+" "+shell.Quote(value), " ''")})
	}
	at := slices.IndexFunc(t.flags, func(f typedFlag) bool { return f.name == flag })
	if at < 0 {
		at = len(t.flags)
	}
	kept := slices.DeleteFunc(slices.Clone(t.flags), func(f typedFlag) bool { return f.name == flag })
	t.flags = slices.Insert(kept, at, flags...)
	return t
}

// add gives a flag that can be repeated one more value.
func (t *typed) add(flag, value string) *typed {
	t.flags = append(t.flags, typedFlag{flag, "--" + flag + " " + shell.Quote(value)})
	return t
}

// has tells whether a flag was given.
func (t *typed) has(flag string) bool {
	return slices.ContainsFunc(t.flags, func(f typedFlag) bool { return f.name == flag })
}

// String is the line as a shell takes it.
func (t *typed) String() string {
	words := []string{t.command}
	for _, a := range t.args {
		words = append(words, shell.Quote(a))
	}
	for _, f := range t.flags {
		words = append(words, f.text)
	}
	return strings.Join(words, " ")
}

// Retyped is a command line as it was given, with a flag added or changed: what to
// type in place of it.
func (s *Session) Retyped(cmd *cobra.Command, flag string, values ...string) string {
	return typedBy(cmd).set(flag, values...).String()
}

// fromHere is a path below the repository's root as it is named from the working
// directory, where the root is known.
func (s *Session) fromHere(name string) string {
	if s.root == "" {
		return name
	}
	return FromHere(filepath.Join(s.root, filepath.FromSlash(name)))
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

// gitCommand is the beginning of a command of git in a hint.
var gitCommand = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(^|, or |, then | && )git ([a-z-]+)`) })

// here makes commands of git in a hint ones of the repository, where they are typed
// elsewhere.
func (s *Session) here(hint string) string {
	dir := s.Repo
	if s.root != "" {
		dir = s.fromHere("")
	}
	if dir == "." || dir == "" || branch.IsURL(dir) {
		return hint
	}
	return gitCommand().ReplaceAllStringFunc(hint, func(begin string) string {
		if strings.HasSuffix(begin, "clone") || strings.HasSuffix(begin, "-version") {
			return begin
		}
		return strings.Replace(begin, "git ", "git -C "+shell.Quote(dir)+" ", 1)
	})
}
