package cli

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// checkFlags refuses a flag of one text that has several, and names that are empty. Most often a variable of a script is
// not set, and what it was to say would not be done: nothing verified by that
// policy, nothing locked, nothing signed. See [mayBeEmpty] for those that may.
func checkFlags(cmd *cobra.Command) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if _, may := f.Annotations[emptyAnnotation]; may || wrong != nil || !isText(f.Value) {
			return
		}
		if o, ok := f.Value.(*once); ok && len(o.given) > 1 {
			wrong = &UsageError{Msg: "--" + f.Name + " is given several times: " + strings.Join(o.given, ", "), Hint: "one of them at a time", Command: cmd.CommandPath()}
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			wrong = &UsageError{Msg: "--" + f.Name + " is empty", Hint: UnsetHint, Command: cmd.CommandPath()}
		}
	})
	return wrong
}

// isText tells whether a flag takes text, one or many.
func isText(v pflag.Value) bool {
	return slices.Contains([]string{"string", "stringArray", "stringSlice"}, v.Type())
}

const emptyAnnotation = "kubepromote.dev/may-be-empty"

// MayBeEmpty lets a flag of text be given with an empty value, as if it were not
// given. Elsewhere an empty value is a usage error.
func MayBeEmpty(cmd *cobra.Command, flag string) {
	Must(cmd.Flags().SetAnnotation(flag, emptyAnnotation, nil))
}

// exclusive are the words in which cobra refuses flags that exclude one another: the
// flags of their group, and those of them that were given.
var exclusive = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`in the group \[(.*)\] are set none of the others can be; \[(.*)\] were all set`)
})

// checkGroups has cobra check the groups that a command has made of its flags, and
// says in the words of the other messages which two of them do not go together.
func checkGroups(cmd *cobra.Command) error {
	err := cmd.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	e := &UsageError{Msg: err.Error(), Command: cmd.CommandPath()}
	if found := exclusive().FindStringSubmatch(e.Msg); found != nil {
		given := strings.Fields(found[2])
		order := slices.DeleteFunc(strings.Fields(found[1]), func(name string) bool { return !slices.Contains(given, name) })
		e.Msg, e.Hint = "--"+order[0]+" stands beside --"+order[1], "one of the two"
	}
	return e
}

// UnsetHint is the likely cause of a name that is empty.
const UnsetHint = "an unset variable?"

// Must reports a mistake in the program itself, such as a flag that is not there.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// once is a flag of one text that is a mistake to give twice: somebody who names two
// environments does not mean the last.
type once struct {
	text  *string
	given []string
}

// OnceVar adds a flag of one text that cannot be given twice.
func OnceVar(flags *pflag.FlagSet, text *string, name, usage string) {
	flags.Var(&once{text: text}, name, usage)
}

// EnvironmentVar adds a flag that names an environment. It cannot be given twice.
func (s *Session) EnvironmentVar(cmd *cobra.Command, text *string, name, usage string) {
	OnceVar(cmd.Flags(), text, name, usage)
	Must(cmd.RegisterFlagCompletionFunc(name, s.CompleteEnvironments))
}

// Set implements [pflag.Value], and remembers every text given: checkFlags refuses two.
func (o *once) Set(text string) error {
	if *o.text = text; !slices.Contains(o.given, text) {
		o.given = append(o.given, text)
	}
	return nil
}

// String implements [pflag.Value].
func (o *once) String() string {
	if o.text == nil { // pflag asks a zero value
		return ""
	}
	return *o.text
}

// Type implements [pflag.Value].
func (o *once) Type() string { return "string" }
