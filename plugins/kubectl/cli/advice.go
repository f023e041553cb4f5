package cli

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/typed"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
)

// WithAdvice adds advice, which libraries give as data, to a hint: as what to type
// here, in the repository at hand.
func (s *Session) WithAdvice(hint, do string, with map[string]string) string {
	hint = s.HintHere(hint)
	advice := cmp.Or(s.commandLine(promote.Action(do), with), lockLine(do, with))
	if do == imagecopy.DoWithoutSignatures {
		advice = s.again().Set("without-signatures", "").String()
	}
	if hint == "" || advice == "" {
		return hint + advice
	}
	return hint + ", or " + advice
}

// lockLine words what the errors of lock files advise.
func lockLine(do string, with map[string]string) string {
	switch do {
	case lock.DoLock:
		return "kubectl promote resolve " + shell.Quote(with["ref"]) + " --lock " + shell.Quote(with["lock"])
	case lock.DoUpdateLock:
		return strings.TrimSpace(with["before"] + " kubectl promote resolve --lock " + shell.Quote(with["lock"]) + " --update")
	}
	return ""
}

// again is the command line that was given, or where that is not known, one of a
// promotion.
func (s *Session) again() *typed.Line {
	if s.cmd == nil {
		return &typed.Line{Command: "kubectl promote"}
	}
	t := typed.By(s.cmd).Set("color") // which the board gives as well, and nothing depends on
	if s.member {
		t = s.place().Give(t.Set("fleet"))
	}
	return t
}

// promotion is a command line that was given for a promotion, or a plan or an approval
// of one, with what advice knows better.
func (s *Session) promotion(with map[string]string) *typed.Line {
	t := s.again()
	if s.cmd != nil && s.cmd.Flags().Lookup("to") == nil {
		t = &typed.Line{Command: "kubectl promote"}
	}
	switch {
	case with["all"] != "":
		t.Args = nil
		t.Set("all", "")
	case with["service"] != "":
		t.Args = strings.Fields(with["service"])
		t.Set("all")
	case len(t.Args) == 0 && !t.Has("all"):
		t.Args = []string{"SERVICE"}
	}
	if from, named := with["from"]; named {
		t.Set("from", cmp.Or(from, "ENV"))
	}
	if to := with["to"]; to != "" || !t.Has("to") {
		t.Set("to", cmp.Or(to, "ENVIRONMENT"))
	}
	return t
}

// itself is a promotion that is carried out, where a plan or its gates were asked for.
func (s *Session) itself(with map[string]string) *typed.Line {
	t := s.promotion(with)
	for _, flag := range []string{"dry-run", "output", "template", "at", "wait", "verbose"} {
		t.Set(flag)
	}
	if t.Command != "kubectl promote run" {
		t.Command = "kubectl promote"
	}
	return t
}

// commandLine words advice; "" for what is not known here.
func (s *Session) commandLine(do promote.Action, with map[string]string) string {
	switch do {
	case promote.DoPromote:
		return s.promotion(with).Set("version").Set("newest").Set("allow-downgrade").String()
	case promote.DoEnter:
		return s.promotion(with).Set("from").Set("newest").Set("version", "TAG").String()
	case promote.DoAllowDowngrade:
		return s.promotion(with).Set("allow-downgrade", "").String()
	case promote.DoPromoteAll:
		named := s.promotion(with).Set("all")
		all := s.promotion(map[string]string{"all": "true", "to": with["to"]})
		return all.String() + ", or " + named.String()
	case promote.DoAddMissing:
		return s.promotion(with).Set("add-missing", "").String()
	case promote.DoChooseImages:
		return s.promotion(with).Set("image", "IMAGE").String()
	case promote.DoAskRegistry:
		return s.promotion(with).Set("offline").String()
	case promote.DoNotCommit:
		t := s.promotion(with).Set("commit")
		return t.AddText("commit", "--commit=false").String()
	case promote.DoCommit:
		return s.promotion(with).Set("commit", "").String()
	case promote.DoAllowTime:
		return s.promotion(with).Set("timeout", cmp.Or(2*s.timeout, time.Minute).String()).String()
	case promote.DoConfirm:
		return s.itself(with).String()
	case promote.DoPropose:
		return s.itself(with).Set("deliver").Set("commit").Set("push").Set("pr", "").String()
	case promote.DoApprove:
		t := s.again().Keep("version", "newest", "allow-downgrade")
		t.Command, t.Args = "kubectl promote approve", []string{with["service"]}
		return s.place().Give(t.Set("to", with["to"]).Set("key", "FILE")).String()
	case promote.DoAwait:
		return s.itself(with).Set("wait", "").String()
	case promote.DoOverride:
		t := s.itself(with)
		return t.Add("override", with["gate"]).Set("reason", "TEXT").String()
	case promote.DoCopy:
		return "kubectl promote copy " + shell.Quote(with["source"]) + " " + shell.Quote(with["target"])
	case promote.DoUnhold:
		t := &typed.Line{Command: "kubectl promote unhold"}
		if with["service"] != "" {
			t.Args = []string{with["service"]}
		}
		if with["env"] != "" {
			t.Set("env", with["env"])
		}
		return s.Here(t)
	case promote.DoDiff:
		return s.Here((&typed.Line{Command: "kubectl promote diff", Args: []string{with["service"]}}).Set("to", with["to"]))
	case promote.DoStatus:
		if with["dir"] != "" {
			return "kubectl promote status -C " + shell.Quote(s.fromHere(with["dir"]))
		}
		return s.Here(&typed.Line{Command: "kubectl promote status"})
	case promote.DoPin:
		image := "IMAGE:TAG"
		if with["image"] != "" {
			image = shell.Quote(with["image"] + "=*:VERSION")
		}
		if with["file"] != "" {
			return "kubectl promote set " + image + " -f " + shell.Quote(s.fromHere(with["file"]))
		}
		return "kubectl promote set " + image + " -k " + shell.Quote(s.fromHere(cmp.Or(with["overlay"], "DIR")))
	}
	return ""
}

// place is where this call works.
func (s *Session) place() typed.Place {
	if s.cmd == nil {
		return typed.Place{}
	}
	return typed.Place{Repository: s.Repo, Branch: typed.BranchOf(s.cmd, s.Branch), Pipeline: s.Pipeline, File: s.file,
		Root: s.cmd.Root(), TakesURL: func(cmd *cobra.Command) bool { return slices.Contains(s.takeURL, cmd) }}
}

// Here is a command line of this program that is about the repository, the branch and the
// pipeline which this call is about.
func (s *Session) Here(l *typed.Line) string { return s.place().Give(l).String() }

// FlagsHere are those that a command line, without the words kubectl promote, needs to be about
// the same: for a program, and as they are shown.
func (s *Session) FlagsHere(args []string) (words, shown []string) { return s.place().Words(args) }

// HintHere has the commands in a hint be about what this call is about.
func (s *Session) HintHere(hint string) string {
	dir := s.Repo
	if s.root != "" {
		dir = s.fromHere("")
	}
	return s.place().In(typed.GitIn(hint, dir))
}

// Retyped is a command line as it was given, with a flag added or changed: what to
// type in place of it.
func (s *Session) Retyped(cmd *cobra.Command, flag string, values ...string) string {
	return typed.By(cmd).Set("color").Set(flag, values...).String()
}

// fromHere is a path below the repository's root as it is named from the working
// directory, where the root is known.
func (s *Session) fromHere(name string) string {
	if s.root == "" {
		return name
	}
	return typed.FromHere(filepath.Join(s.root, filepath.FromSlash(name)))
}
