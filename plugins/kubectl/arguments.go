package kubectl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/promotecmd"
	"github.com/kubepromote/kubepromote/promote/shard"
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
			return &cli.UsageError{Msg: "an argument is empty", Hint: cli.UnsetHint, Command: cmd.CommandPath()}
		}
		err := check(cmd, given)
		switch {
		case err == nil:
			return nil
		case cmd.HasSubCommands():
			return &cli.UsageError{Msg: err.Error(), Command: cmd.CommandPath()}
		}
		_, takes, _ := strings.Cut(cmd.Use, " ")
		return &cli.UsageError{Msg: fmt.Sprintf("wrong number of arguments: %d", len(given)),
			Hint: strings.TrimSpace(cmd.CommandPath() + " " + takes), Command: cmd.CommandPath()}
	}
}

// asKubectl takes what kubectl's own commands take: --dry-run=client is --dry-run here, as
// nothing of a server is asked to be dry, and --dry-run=none is none.
func asKubectl(args []string) []string {
	args = slices.Clone(args)
	for n, a := range args {
		switch a {
		case "--":
			return args
		case "--dry-run=client":
			args[n] = "--dry-run"
		case "--dry-run=none":
			args[n] = "--dry-run=false"
		}
	}
	return args
}

// flagError is what is wrong with a flag, without the words of the library that
// has parsed its value.
func flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); !cmd.HasParent() && len(args) > 0 {
		if hint := promotecmd.WordHint(args); hint != "" { // the flags are another program's, too
			return &cli.UsageError{Msg: fmt.Sprintf("%q is no command", args[0]), Hint: hint}
		}
	}
	e := &cli.UsageError{Msg: err.Error(), Command: cmd.CommandPath()}
	if cause := errors.Unwrap(err); cause != nil {
		e.Msg = strings.TrimSuffix(e.Msg, ": "+cause.Error())
		switch text := cause.Error(); {
		case strings.Contains(text, "duration"):
			e.Hint = "a time, for example 90s, 10m or 24h"
		case errors.Is(cause, shard.ErrMalformed):
			e.Msg = "--shard " + text
		}
	}
	return e
}
