package cli

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// checkFlags refuses names that are empty. Most often a variable of a script is
// not set, and what it was to say would not be done: nothing verified by that
// policy, nothing locked, nothing signed. See [mayBeEmpty] for those that may.
func checkFlags(cmd *cobra.Command) error {
	var empty error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if _, may := f.Annotations[emptyAnnotation]; may || empty != nil || !isText(f.Value) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			empty = &UsageError{Msg: "--" + f.Name + " is empty", Hint: UnsetHint, Command: cmd.CommandPath()}
		}
	})
	return empty
}

// isText tells whether a flag takes text, one or many.
func isText(v pflag.Value) bool {
	return slices.Contains([]string{"string", "stringArray", "stringSlice"}, v.Type())
}

const emptyAnnotation = "kubepromote.dev/may-be-empty"

// MayBeEmpty lets a flag be given without a value, which then is as if it were
// not given.
func MayBeEmpty(cmd *cobra.Command, flag string) {
	Must(cmd.Flags().SetAnnotation(flag, emptyAnnotation, nil))
}

// UnsetHint is the likely cause of a name that is empty.
const UnsetHint = "an unset variable?"

// Must reports a mistake in the program itself, such as a flag that is not there.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
