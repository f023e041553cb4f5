package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/planfile"
	"github.com/kubepromote/kubepromote/promote/shard"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/printers"
)

// Selection is what a promotion is about: the flags that choose its services, images and
// environments.
type Selection struct {
	promote.Request
	// Targets are environments, or groups of them.
	Targets []string
	// selector is a label selector as kubectl has it.
	selector string
}

// AddSelection gives a command the flags of a selection.
func (s *Session) AddSelection(cmd *cobra.Command, to *Selection) {
	f := cmd.Flags()
	f.StringArrayVar(&to.Targets, "to", nil, "environment to promote to, or a group of them; can be repeated: all are planned before the first is promoted")
	Must(cmd.RegisterFlagCompletionFunc("to", s.CompleteTargets))
	s.EnvironmentVar(cmd, &to.From, "from", "environment to promote from (default: the one the pipeline names)")
	f.BoolVar(&to.All, "all", false, "all services that have an overlay in both environments")
	f.StringVarP(&to.selector, "selector", "l", "", "services with these labels in the pipeline file, for example team=money")
	f.StringArrayVar(&to.Except, "except", nil, "not this service; a name or a glob, can be repeated")
	ShardVar(cmd, &to.Shard, "services")
	f.StringArrayVar(&to.Images, "image", nil, "only this image, by the name of its entry; can be repeated")
	AddEntry(cmd, &to.Request)
	f.BoolVar(&s.Offline, "offline", false, "ask no registry and no server: promote recorded digests only, and verify nothing")
	Must(cmd.RegisterFlagCompletionFunc("image", s.CompleteImages))
	Must(cmd.RegisterFlagCompletionFunc("except", s.CompleteServices))
	Must(cmd.RegisterFlagCompletionFunc("selector", cobra.NoFileCompletions))
}

// AddEntry gives a command that has --from the flags of what comes into the first environment.
func AddEntry(cmd *cobra.Command, to *promote.Request) {
	f := cmd.Flags()
	f.StringVar(&to.Version, "version", "", "TAG[@DIGEST] that comes into the first environment, for all services asked for")
	f.BoolVar(&to.Newest, "newest", false, "the newest tag comes into the first environment, by the rule that the pipeline has for it (admit)")
	f.BoolVar(&to.AllowDowngrade, "allow-downgrade", false, "with --newest, or where environments are tags, also one that is older than what is there")
	Must(cmd.RegisterFlagCompletionFunc("version", cobra.NoFileCompletions))
	cmd.MarkFlagsMutuallyExclusive("version", "newest")
	cmd.MarkFlagsMutuallyExclusive("version", "from")
	cmd.MarkFlagsMutuallyExclusive("newest", "from")
}

// Choose takes the services named on a command line, and what the flags have said.
func (sel *Selection) Choose(cmd *cobra.Command, services []string) error {
	if sel.selector != "" {
		selector, err := labels.Parse(sel.selector)
		if err != nil {
			return &UsageError{Msg: "-l " + sel.selector + ": " + err.Error(), Hint: "-l team=money, or -l 'team in (money, web)'", Command: cmd.CommandPath()}
		}
		sel.Select = func(has map[string]string) bool { return selector.Matches(labels.Set(has)) }
	}
	sel.Services = BareNames(services)
	return nil
}

// Open opens the repository for a command that only shows what a promotion would do: it takes
// the services named on the command line and what the flags say, for a target at least.
// Close what it gives.
func (sel *Selection) Open(cmd *cobra.Command, s *Session, services []string) (*Workspace, error) {
	if len(sel.Targets) == 0 {
		return nil, &UsageError{Msg: "--to is missing", Command: cmd.CommandPath()}
	}
	if err := sel.Choose(cmd, services); err != nil {
		return nil, err
	}
	sel.Preview, sel.NoDiff = true, true
	w, err := s.OpenFor(cmd.Context(), sel.Targets, "")
	if err != nil {
		return nil, err
	}
	if err := sel.CheckExcept(cmd.Context(), s, w); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// CheckExcept gives an error for a name that --except takes out and that is no service, as it
// takes out nothing, and warns of a glob that fits none.
func (sel *Selection) CheckExcept(ctx context.Context, s *Session, w *Workspace) error {
	if len(sel.Except) == 0 {
		return nil
	}
	if err := w.Whole(ctx); err != nil {
		return err
	}
	overlays, err := w.Pipeline.Sites(w.Promoter.Repo).All()
	if err != nil && !errors.As(err, new(*pipeline.Unreached)) {
		return err
	}
	var names []string
	for _, one := range sel.Except {
		fits := false
		for name := range overlays {
			ok, _ := path.Match(one, name)
			fits = fits || ok
		}
		switch {
		case fits:
		case strings.ContainsAny(one, "*?["):
			s.Warn("--except %s fits no service", one)
		default:
			names = append(names, one)
		}
	}
	return status.CheckServices(w.Pipeline, w.Promoter.Repo, names)
}

// Asked is what a selection asks for, as a plan's file has it.
func (sel *Selection) Asked(branch string) planfile.Request {
	r := sel.Request
	return planfile.Request{Services: r.Services, All: r.All, Selector: sel.selector, Except: r.Except, Shard: r.Shard, To: sel.Targets, From: r.From, Images: r.Images,
		Version: r.Version, Newest: r.Newest, AllowDowngrade: r.AllowDowngrade, AddMissing: r.AddMissing, SkipRefused: r.SkipRefused,
		Deliver: r.Mode, Branch: branch, Override: r.Override, OverrideUntil: r.OverrideUntil, OverrideBy: r.OverrideBy}
}

// Ask is the reverse: it takes what a plan's file asks for, but for the mode of delivery.
func (sel *Selection) Ask(cmd *cobra.Command, asked planfile.Request) error {
	sel.Request = promote.Request{All: asked.All, Except: asked.Except, Shard: asked.Shard, From: asked.From, Images: asked.Images, Version: asked.Version, Newest: asked.Newest,
		AllowDowngrade: asked.AllowDowngrade, AddMissing: asked.AddMissing, SkipRefused: asked.SkipRefused,
		Override: asked.Override, OverrideUntil: asked.OverrideUntil, OverrideBy: asked.OverrideBy}
	sel.Targets, sel.selector = asked.To, asked.Selector
	return sel.Choose(cmd, asked.Services)
}

// BareNames takes back names as -o name prints them, and service/NAME.
func BareNames(services []string) []string {
	var out []string
	for _, s := range services {
		if kind, name, ok := strings.Cut(s, "/"); ok && (kind == "service" || strings.HasSuffix(kind, ".kubepromote.dev")) {
			s = name
		}
		out = append(out, s)
	}
	return out
}

// Part is what a list has beside its items where it is of a shard, so that those of all
// shards can be put together.
type Part struct {
	Shard shard.Shard `json:"shard,omitzero"`
	// ExitStatus is that of the command, as far as it is known when the list is printed.
	ExitStatus *int `json:"exitStatus,omitempty"`
}

// PartOf makes one of the error that a command is about to end with. It is empty where
// everything was asked for.
func PartOf(s shard.Shard, err error) Part {
	if s.Count == 0 {
		return Part{}
	}
	status := ExitDone
	if silent, ok := errors.AsType[*silentError](err); ok {
		status = silent.status
	} else if err != nil {
		status = exitStatus(err)
	}
	return Part{s, &status}
}

// EmptyShard reports that a shard has nothing, which is no fault.
func (s *Session) EmptyShard(p printers.ResourcePrinter, kind string, part shard.Shard) error {
	if !s.Quiet {
		fmt.Fprintln(s.ErrOut, "nothing is in shard "+part.String())
	}
	if p == nil {
		return nil
	}
	return PrintListWith(s.Out, p, kind, PartOf(part, nil), nil)
}

// ShardVar adds the flag that splits what a command takes among several of it.
func ShardVar(cmd *cobra.Command, to *shard.Shard, what string) {
	cmd.Flags().TextVar(to, "shard", shard.Shard{}, "only this part of the "+what+", `K/N`: 0/4 is the first of four; a hash of the name tells which part has it")
	Must(cmd.RegisterFlagCompletionFunc("shard", cobra.NoFileCompletions))
}
