package kubectl

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
			empty = &usageError{msg: "--" + f.Name + " is empty", hint: unset, command: cmd.CommandPath()}
		}
	})
	return empty
}

// isText tells whether a flag takes text, one or many.
func isText(v pflag.Value) bool {
	return slices.Contains([]string{"string", "stringArray", "stringSlice"}, v.Type())
}

const emptyAnnotation = "kubepromote.dev/may-be-empty"

// mayBeEmpty lets a flag be given without a value, which then is as if it were
// not given.
func mayBeEmpty(cmd *cobra.Command, flag string) {
	must(cmd.Flags().SetAnnotation(flag, emptyAnnotation, nil))
}

// unset is the likely cause of a name that is empty.
const unset = "an unset variable?"

// must reports a mistake in the program itself, such as a flag that is not there.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
