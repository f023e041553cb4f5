package kubectl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// unset is the likely cause of a name that is empty.
const unset = "an unset variable?"

// checkArgs makes arguments that a command cannot take a usage error.
func checkArgs(c *cobra.Command) {
	for _, child := range c.Commands() {
		checkArgs(child)
	}
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
		if c.ValidArgsFunction == nil {
			c.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
	c.Args = func(cmd *cobra.Command, given []string) error {
		if slices.Contains(given, "") {
			return &usageError{msg: "an argument is empty", hint: unset, command: cmd.CommandPath()}
		}
		err := check(cmd, given)
		switch {
		case err == nil:
			return nil
		case cmd.HasSubCommands():
			return &usageError{msg: err.Error(), command: cmd.CommandPath()}
		}
		_, takes, _ := strings.Cut(cmd.Use, " ")
		return &usageError{msg: fmt.Sprintf("wrong number of arguments: %d", len(given)),
			hint: strings.TrimSpace(cmd.CommandPath() + " " + takes), command: cmd.CommandPath()}
	}
}

// flagError is what is wrong with a flag, without the words of the library that
// has parsed its value.
func flagError(cmd *cobra.Command, err error) error {
	e := &usageError{msg: err.Error(), command: cmd.CommandPath()}
	if cause := errors.Unwrap(err); cause != nil {
		e.msg = strings.TrimSuffix(e.msg, ": "+cause.Error())
		if strings.Contains(cause.Error(), "duration") {
			e.hint = "a time, for example 90s, 10m or 24h"
		}
	}
	return e
}

// checkFlags refuses names that are empty. Most often a variable of a script is
// not set, and what it was to say would not be done: nothing verified by that
// policy, nothing locked, nothing signed.
func checkFlags(cmd *cobra.Command) error {
	for _, name := range []string{
		"repo", "pipeline", "verify-policy", "pull-secret", "registries-conf",
		"to", "from", "env", "image", "kustomize", "filename", "value", "image-policy",
		"lock", "platform", "require-platform", "newest",
		"key", "attest-key", "identity-token", "fulcio-url", "rekor-url", "timestamp-url", "verifier-id", "as",
		"bundle", "trusted-root", "certificate-identity", "certificate-oidc-issuer", "layout-name",
		"skip", "dir", "helm-command",
	} {
		f := cmd.Flag(name)
		if f == nil || !f.Changed {
			continue
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(interface{ GetSlice() []string }); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			return &usageError{msg: "--" + name + " is empty", hint: unset, command: cmd.CommandPath()}
		}
	}
	return nil
}

// plural gives a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
