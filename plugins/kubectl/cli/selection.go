package cli

import (
	"regexp"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/planfile"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
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
	f.StringArrayVar(&to.Images, "image", nil, "only this image, by the name of its entry; can be repeated")
	f.StringVar(&to.Version, "version", "", "TAG[@DIGEST] that comes into the first environment, for all services asked for")
	f.BoolVar(&to.Newest, "newest", false, "the newest tag comes into the first environment, by the rule that the pipeline has for it (admit)")
	f.BoolVar(&to.AllowDowngrade, "allow-downgrade", false, "with --newest, or where environments are tags, also one that is older than what is there")
	f.BoolVar(&s.Offline, "offline", false, "ask no registry and no server: promote recorded digests only, and verify nothing")
	Must(cmd.RegisterFlagCompletionFunc("image", s.CompleteImages))
	Must(cmd.RegisterFlagCompletionFunc("except", s.CompleteServices))
	Must(cmd.RegisterFlagCompletionFunc("selector", cobra.NoFileCompletions))
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
	sel.Services = bareNames(services)
	return nil
}

// Asked is what a selection asks for, as a plan's file has it.
func (sel *Selection) Asked(branch string) planfile.Request {
	r := sel.Request
	return planfile.Request{Services: r.Services, All: r.All, Selector: sel.selector, Except: r.Except, To: sel.Targets, From: r.From, Images: r.Images,
		Version: r.Version, Newest: r.Newest, AllowDowngrade: r.AllowDowngrade, AddMissing: r.AddMissing, SkipRefused: r.SkipRefused,
		Deliver: r.Mode, Branch: branch, Override: r.Override, OverrideUntil: r.OverrideUntil, OverrideBy: r.OverrideBy}
}

// Ask is the reverse: it takes what a plan's file asks for, but for the mode of delivery.
func (sel *Selection) Ask(cmd *cobra.Command, asked planfile.Request) error {
	sel.Request = promote.Request{All: asked.All, Except: asked.Except, From: asked.From, Images: asked.Images, Version: asked.Version, Newest: asked.Newest,
		AllowDowngrade: asked.AllowDowngrade, AddMissing: asked.AddMissing, SkipRefused: asked.SkipRefused,
		Override: asked.Override, OverrideUntil: asked.OverrideUntil, OverrideBy: asked.OverrideBy}
	sel.Targets, sel.selector = asked.To, asked.Selector
	return sel.Choose(cmd, asked.Services)
}

var digestPrefix = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{6,128}$`) })

// DigestPrefix reads a digest, or at least six of its first digits, as sha256:DIGITS.
func DigestPrefix(cmd *cobra.Command, text string) (string, error) {
	algorithm, digits, ok := strings.Cut(text, ":")
	if !ok {
		algorithm, digits = "sha256", text
	}
	if !digestPrefix().MatchString(digits) || algorithm != "sha256" && algorithm != "sha512" {
		return "", &UsageError{Msg: "--digest " + Clean(text) + " is no digest, nor the beginning of one", Hint: "--digest sha256:4de5636384d5", Command: cmd.CommandPath()}
	}
	return algorithm + ":" + digits, nil
}

// bareNames takes back names as -o name prints them, and service/NAME.
func bareNames(services []string) []string {
	var out []string
	for _, s := range services {
		if kind, name, ok := strings.Cut(s, "/"); ok && (kind == "service" || strings.HasSuffix(kind, ".kubepromote.dev")) {
			s = name
		}
		out = append(out, s)
	}
	return out
}
