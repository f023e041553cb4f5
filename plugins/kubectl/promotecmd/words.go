package promotecmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/spf13/cobra"
)

// otherWords are what people type who know other programs, and what to type here.
// SERVICES stands for the arguments behind the word.
var otherWords = map[string]string{
	"undo": undo, "revert": undo, "restore": undo, "freeze": "hold SERVICES --env ENVIRONMENT --reason TEXT", "unfreeze": "unhold SERVICES --env ENVIRONMENT",
	"get": "status SERVICES", "list": "status SERVICES", "ls": "status SERVICES", "show": "status SERVICES", "describe": "status SERVICES",
	"diff": "plan SERVICES --to ENVIRONMENT", "preview": "plan SERVICES --to ENVIRONMENT",
	"log": "history SERVICES", "logs": "history SERVICES", "who": "history SERVICES", "blame": "history SERVICES",
	"validate": "lint",
	"deploy":   "SERVICES --to ENVIRONMENT", "promote": "SERVICES --to ENVIRONMENT",
	"release": "SERVICES --to ENVIRONMENT", "push": "SERVICES --to ENVIRONMENT",
	"update": "set IMAGE:TAG", "bump": "set IMAGE:TAG", "edit": "set IMAGE:TAG", "pin": "resolve --pin -k DIR",
	"sign": "attest SERVICES --to ENVIRONMENT --key FILE", "render": "build DIR", "kustomize": "build DIR", "upgrade": "version",
}

// undo is the way back.
const undo = "rollback SERVICES --env ENVIRONMENT"

// WordHint is what to type in place of a word that is no command here; "" where it is
// not known what is meant.
func WordHint(args []string) string {
	if len(args) == 0 || otherWords[args[0]] == "" {
		return ""
	}
	var quoted []string
	for _, a := range args[1:] {
		quoted = append(quoted, shell.Quote(a))
	}
	services := strings.Join(quoted, " ")
	if word, _, _ := strings.Cut(otherWords[args[0]], " "); services == "" && !slices.Contains([]string{"status", "history", "hold", "unhold"}, word) {
		services = "SERVICE"
	}
	words := strings.Fields(strings.Replace(otherWords[args[0]], "SERVICES", services, 1))
	return "kubectl promote " + strings.ReplaceAll(strings.Join(words, " "), " ,", ",")
}

// noTarget says that --to is missing, or that a command's name is mistyped or that of
// another program.
func (o *options) noTarget(cmd *cobra.Command, args []string) error {
	var commands []string
	for _, c := range cmd.Root().Commands() {
		commands = append(commands, c.Name())
	}
	if len(args) > 0 && !cmd.HasParent() {
		msg := fmt.Sprintf("%q is no command, and --to is missing to promote a service of that name", args[0])
		if hint := WordHint(args); hint != "" {
			return &cli.UsageError{Msg: msg, Hint: hint}
		}
		services, known := o.known(cmd.Context())
		if is := slices.Contains(services, cli.BareNames(args)[0]); !is {
			if near := spelling.Nearest(args[0], commands); near != "" {
				return &cli.UsageError{Msg: msg, Hint: "did you mean kubectl promote " + near + "?"}
			}
			if err := unknownWord(args[0], services, known); err != nil {
				return err
			}
		}
	}
	switch {
	case o.request.All:
		args = []string{"--all"}
	case len(args) == 0:
		args = []string{"SERVICE"}
	}
	name := strings.TrimSuffix(cmd.CommandPath(), " run")
	words := []string{name}
	for _, a := range args {
		words = append(words, shell.Quote(a))
	}
	return &cli.UsageError{Msg: "--to is missing", Hint: strings.Join(append(words, "--to", "ENVIRONMENT"), " ")}
}

// known lists the services of the repository at hand; it tells whether it could.
func (o *options) known(ctx context.Context) (names []string, known bool) {
	if branch.IsURL(o.session.Repo) {
		return nil, false // which would be fetched for the sake of a hint
	}
	quiet := o.session.Quiet
	o.session.Quiet = true // it was not asked for
	defer func() { o.session.Quiet = quiet }()
	w, err := o.session.OpenToRead(ctx)
	if err != nil {
		return nil, false
	}
	defer w.Close()
	overlays, err := w.Pipeline.Sites(w.Promoter.Repo).All()
	return slices.Sorted(maps.Keys(overlays)), err == nil
}

// unknownWord says that a word is neither a command nor a service; nil where it may be one.
func unknownWord(word string, services []string, known bool) error {
	if strings.ContainsAny(word, "*?[/") {
		return nil
	}
	e := &cli.UsageError{Msg: fmt.Sprintf("%q is neither a command nor a service here", word), Hint: "kubectl promote --help, or kubectl promote status"}
	if !known {
		e.Msg = fmt.Sprintf("%q is no command, and nobody can tell here whether it is a service: --to is missing", word)
		e.Hint = "kubectl promote --help, or kubectl promote " + shell.Quote(word) + " --to ENVIRONMENT"
	}
	if near := spelling.Nearest(word, services); near != "" {
		e.Hint = "did you mean kubectl promote " + shell.Quote(near) + " --to ENVIRONMENT?"
	}
	return e
}

// meant adds to an error about services what to type where the first of them is the
// name that a command has in another program.
func meant(err error, args []string) error {
	hint := WordHint(args)
	if first, _, _ := strings.Cut(err.Error(), "\n"); hint != "" && first == fmt.Sprintf("unknown service %q", args[0]) {
		return &cli.UsageError{Msg: first, Hint: hint}
	}
	return err
}
