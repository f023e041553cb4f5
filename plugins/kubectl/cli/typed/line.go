// Package typed writes command lines that a user is told to type: the one that was given with
// other words, and any other with what this call has chosen by flags.
package typed

import (
	"net/url"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Line is a command line: that of a command as it was given, to be typed again with
// other words.
type Line struct {
	Command string
	Args    []string
	flags   []flag
}

type flag struct{ name, text string }

// By takes a command line from what a command has parsed. The flags keep their
// order.
func By(cmd *cobra.Command) *Line {
	t := &Line{Command: cmd.CommandPath(), Args: slices.Clone(cmd.Flags().Args())}
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
				t.flags = append(t.flags, flag{f.Name, name + " " + shell.Quote(value)})
			}
		case f.Value.Type() == "bool" && f.Value.String() == "true":
			t.flags = append(t.flags, flag{f.Name, name})
		case f.NoOptDefVal != "":
			t.flags = append(t.flags, flag{f.Name, "--" + f.Name + "=" + shell.Quote(f.Value.String())})
		default:
			t.flags = append(t.flags, flag{f.Name, name + " " + shell.Quote(WithoutPassword(f.Value.String()))})
		}
	})
	return t
}

// WithoutPassword takes the password out of a URL: a line to be typed again is printed, and
// ends up in logs. Git asks for it, or whoever helps it.
func WithoutPassword(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.User == nil || !branch.IsURL(value) {
		return value
	}
	u.User = url.User(u.User.Username())
	return u.String()
}

// Set gives a flag other values, at its place if it has one: none removes it, and ""
// is that of a flag that takes none.
func (t *Line) Set(name string, values ...string) *Line {
	var flags []flag
	for _, value := range values {
		flags = append(flags, flag{name, strings.TrimSuffix(dashed(name)+" "+shell.Quote(value), " ''")})
	}
	at := slices.IndexFunc(t.flags, func(f flag) bool { return f.name == name })
	if at < 0 {
		at = len(t.flags)
	}
	kept := slices.DeleteFunc(slices.Clone(t.flags), func(f flag) bool { return f.name == name })
	t.flags = slices.Insert(kept, at, flags...)
	return t
}

// Add gives a flag that can be repeated one more value.
func (t *Line) Add(name, value string) *Line {
	t.flags = append(t.flags, flag{name, dashed(name) + " " + shell.Quote(value)})
	return t
}

// Has tells whether a flag was given.
func (t *Line) Has(name string) bool {
	return slices.ContainsFunc(t.flags, func(f flag) bool { return f.name == name })
}

// AddText gives a flag as it is to be typed.
func (t *Line) AddText(name, text string) *Line {
	t.flags = append(t.flags, flag{name, text})
	return t
}

// Keep leaves out all flags but these.
func (t *Line) Keep(names ...string) *Line {
	t.flags = slices.DeleteFunc(slices.Clone(t.flags), func(f flag) bool { return !slices.Contains(names, f.name) })
	return t
}

func dashed(name string) string {
	if name == "repo" {
		return "-C" // which is what people know it by
	}
	return "--" + name
}

// String is the line as a shell takes it.
func (t *Line) String() string {
	var args, flags []string
	for _, a := range t.Args {
		args = append(args, shell.Quote(a))
	}
	for _, f := range t.flags {
		flags = append(flags, f.text)
	}
	if slices.ContainsFunc(t.Args, func(a string) bool { return strings.HasPrefix(a, "-") }) { // which is no flag
		return strings.Join(slices.Concat([]string{t.Command}, flags, []string{"--"}, args), " ")
	}
	return strings.Join(slices.Concat([]string{t.Command}, args, flags), " ")
}
