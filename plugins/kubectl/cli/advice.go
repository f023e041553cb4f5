package cli

import (
	"cmp"
	"strings"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/promote"
)

// WithAdvice adds advice, which libraries give as data, to a hint: as what to type
// here.
func WithAdvice(hint, do string, with map[string]string) string {
	advice := cmp.Or(commandLine(promote.Action(do), with), lockLine(do, with))
	if do == imagecopy.DoWithoutSignatures {
		advice = "copy with --without-signatures, if nothing is attached to the image"
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
		return "kubectl promote resolve " + with["ref"] + " --lock " + with["lock"]
	case lock.DoUpdateLock:
		return strings.TrimSpace(with["before"] + " kubectl promote resolve --lock " + with["lock"] + " --update")
	}
	return ""
}

// commandLine words advice; "" for what is not known here.
func commandLine(do promote.Action, with map[string]string) string {
	to := " --to " + cmp.Or(with["to"], "ENVIRONMENT")
	service := cmp.Or(with["service"], "SERVICE")
	if with["all"] != "" {
		service = "--all"
	}
	switch do {
	case promote.DoPromote:
		if from, named := with["from"]; named {
			service += " --from " + cmp.Or(from, "ENV")
		}
		return "kubectl promote " + service + to
	case promote.DoPromoteAll:
		return "kubectl promote --all" + to + ", or the services without --all"
	case promote.DoAddMissing:
		return "kubectl promote " + service + to + " --add-missing"
	case promote.DoChooseImages:
		return "promote with --image"
	case promote.DoAskRegistry:
		return "promote without --offline"
	case promote.DoNotCommit:
		return "promote with --commit=false"
	case promote.DoAllowTime:
		return "a longer --timeout"
	case promote.DoStatus:
		return "kubectl promote status, to see which overlays there are"
	case promote.DoPin:
		image := "IMAGE:TAG"
		if with["image"] != "" {
			image = with["image"] + "=*:VERSION"
		}
		if with["file"] != "" {
			return "kubectl promote set " + image + " -f " + with["file"]
		}
		return "kubectl promote set " + image + " -k " + cmp.Or(with["overlay"], "DIR")
	}
	return ""
}
