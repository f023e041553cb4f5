package cli

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
)

// WithAdvice adds advice, which libraries give as data, to a hint: as what to type
// here, in the repository at hand.
func (s *Session) WithAdvice(hint, do string, with map[string]string) string {
	hint = s.here(hint)
	advice := cmp.Or(s.commandLine(promote.Action(do), with), lockLine(do, with))
	if do == imagecopy.DoWithoutSignatures {
		advice = s.again().set("without-signatures", "").String()
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
func (s *Session) again() *typed {
	if s.cmd == nil {
		return &typed{command: "kubectl promote"}
	}
	t := typedBy(s.cmd)
	if s.member {
		t.set("fleet").set("repo", withoutPassword(s.Repo))
		if s.Branch != "" {
			t.set("branch", s.Branch)
		}
	}
	return t
}

// promotion is a command line that was given for a promotion, or a plan or an approval
// of one, with what advice knows better.
func (s *Session) promotion(with map[string]string) *typed {
	t := s.again()
	if s.cmd != nil && s.cmd.Flags().Lookup("to") == nil {
		t = &typed{command: "kubectl promote"}
	}
	switch {
	case with["all"] != "":
		t.args = nil
		t.set("all", "")
	case with["service"] != "":
		t.args = strings.Fields(with["service"])
		t.set("all")
	case len(t.args) == 0 && !t.has("all"):
		t.args = []string{"SERVICE"}
	}
	if from, named := with["from"]; named {
		t.set("from", cmp.Or(from, "ENV"))
	}
	if to := with["to"]; to != "" || !t.has("to") {
		t.set("to", cmp.Or(to, "ENVIRONMENT"))
	}
	return t
}

// itself is a promotion that is carried out, where a plan or its gates were asked for.
func (s *Session) itself(with map[string]string) *typed {
	t := s.promotion(with)
	for _, flag := range []string{"dry-run", "output", "template", "at", "wait", "verbose"} {
		t.set(flag)
	}
	if t.command != "kubectl promote run" {
		t.command = "kubectl promote"
	}
	return t
}

// commandLine words advice; "" for what is not known here.
func (s *Session) commandLine(do promote.Action, with map[string]string) string {
	switch do {
	case promote.DoPromote:
		return s.promotion(with).set("version").set("newest").set("allow-downgrade").String()
	case promote.DoEnter:
		return s.promotion(with).set("from").set("newest").set("version", "TAG").String()
	case promote.DoAllowDowngrade:
		return s.promotion(with).set("allow-downgrade", "").String()
	case promote.DoPromoteAll:
		named := s.promotion(with).set("all")
		all := s.promotion(map[string]string{"all": "true", "to": with["to"]})
		return all.String() + ", or " + named.String()
	case promote.DoAddMissing:
		return s.promotion(with).set("add-missing", "").String()
	case promote.DoChooseImages:
		return s.promotion(with).set("image", "IMAGE").String()
	case promote.DoAskRegistry:
		return s.promotion(with).set("offline").String()
	case promote.DoNotCommit:
		t := s.promotion(with).set("commit")
		t.flags = append(t.flags, typedFlag{"commit", "--commit=false"})
		return t.String()
	case promote.DoCommit:
		return s.promotion(with).set("commit", "").String()
	case promote.DoAllowTime:
		return s.promotion(with).set("timeout", cmp.Or(2*s.timeout, time.Minute).String()).String()
	case promote.DoConfirm:
		return s.itself(with).String()
	case promote.DoPropose:
		return s.itself(with).set("deliver").set("commit").set("push").set("pr", "").String()
	case promote.DoApprove:
		t := &typed{command: "kubectl promote approve", args: []string{with["service"]}}
		t.flags = slices.DeleteFunc(s.again().flags, func(f typedFlag) bool {
			return !slices.Contains([]string{"version", "newest", "allow-downgrade"}, f.name)
		})
		return s.InRepo(t.set("to", with["to"]).set("key", "FILE").String())
	case promote.DoAwait:
		return s.itself(with).set("wait", "").String()
	case promote.DoOverride:
		t := s.itself(with)
		return t.add("override", with["gate"]).set("reason", "TEXT").String()
	case promote.DoCopy:
		return "kubectl promote copy " + shell.Quote(with["source"]) + " " + shell.Quote(with["target"])
	case promote.DoUnhold:
		line := "kubectl promote unhold"
		if with["service"] != "" {
			line += " " + shell.Quote(with["service"])
		}
		if with["env"] != "" {
			line += " --env " + shell.Quote(with["env"])
		}
		return s.InRepo(line)
	case promote.DoDiff:
		return s.InRepo("kubectl promote diff " + shell.Quote(with["service"]) + " --to " + shell.Quote(with["to"]))
	case promote.DoStatus:
		if with["dir"] != "" {
			return "kubectl promote status -C " + shell.Quote(s.fromHere(with["dir"]))
		}
		return s.InRepo("kubectl promote status")
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

// InRepo gives a command line the repository that was named.
func (s *Session) InRepo(line string) string {
	if s.Repo == "" || s.Repo == "." {
		return line
	}
	if branch.IsURL(s.Repo) {
		return line + " -C " + shell.Quote(branch.WithoutCredentials(s.Repo))
	}
	return line + " -C " + shell.Quote(s.Repo)
}
