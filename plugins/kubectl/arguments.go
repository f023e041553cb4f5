package kubectl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

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
