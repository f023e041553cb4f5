package promote

import (
	"errors"
	"strings"

	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Advice is a hint as data: what to ask for instead. Only a program knows how its
// users ask for things; kubectl promote writes the command line to type. The zero
// value is none.
type Advice struct {
	Do Action `json:"do"`
	// With are the arguments; which there are, the action says.
	With map[string]string `json:"with,omitempty"`
}

// Action is what to ask for.
type Action string

// The actions and their arguments. One that is empty or not there is for the user to
// choose.
const (
	// DoPromote is a promotion: "service", or several separated by spaces, or "all";
	// "from", or none where the pipeline names it; "to".
	DoPromote Action = "promote"
	// DoPromoteAll is one of all services: "to". Or the services alone are named.
	DoPromoteAll Action = "promote-all"
	// DoEnter is one of a version from outside: "service" or "all" as above, "to".
	DoEnter Action = "enter"
	// DoAllowDowngrade is the same promotion with Request.AllowDowngrade.
	DoAllowDowngrade Action = "allow-downgrade"
	// DoAddMissing is the promotion of "service" to "to" with Request.AddMissing.
	DoAddMissing Action = "add-missing"
	// DoChooseImages is the same promotion with Request.Images.
	DoChooseImages Action = "choose-images"
	// DoAskRegistry is the same promotion with a Resolver and a Verifier.
	DoAskRegistry Action = "ask-registry"
	// DoNotCommit is the same promotion with another delivery mode.
	DoNotCommit Action = "not-commit"
	// DoCommit is the same promotion by commits.
	DoCommit Action = "commit"
	// DoAllowTime is the same promotion with more time.
	DoAllowTime Action = "allow-time"
	// DoConfirm is the same promotion of "service" to "to", by a person on a terminal.
	DoConfirm Action = "confirm"
	// DoAwait is the same promotion, waiting for what will pass soon.
	DoAwait Action = "await"
	// DoOverride is the same promotion with Request.Override of "gate".
	DoOverride Action = "override"
	// DoCopy copies an image, "source", to the repository of a target, "target".
	DoCopy Action = "copy"
	// DoUnhold lifts the hold of "service" in "env", either of which may be empty.
	DoUnhold Action = "unhold"
	// DoDiff shows what the promotion of "service" to "to" changes of rendered objects.
	DoDiff Action = "diff"
	// DoStatus shows which overlays there are: "dir", if not empty, is in another repository.
	DoStatus Action = "status"
	// DoPin pins an image in an overlay: "overlay", its directory, or "file"; "image",
	// its name.
	DoPin Action = "pin"
)

// advise makes advice of an action and pairs of an argument's name and value.
func advise(do Action, with ...string) Advice {
	a := Advice{Do: do}
	for i := 0; i+1 < len(with); i += 2 {
		if a.With == nil {
			a.With = make(map[string]string)
		}
		a.With[with[i]] = with[i+1]
	}
	return a
}

// pinIn is advice to pin an image in the overlay of a service in an environment; some
// image where none is named.
func pinIn(p *pipeline.Pipeline, service, environment, image string) Advice {
	at, what := p.OverlayPath(service, environment), "overlay"
	if location.IsFile(at) {
		what = "file"
	}
	a := advise(DoPin, what, at)
	if image != "" {
		a.With["image"] = image
	}
	return a
}

// forRequest names in advice the services that were asked for.
func forRequest(err error, req Request) error {
	var e *Error
	if !errors.As(err, &e) || e.Advice.Do != DoPromote && e.Advice.Do != DoEnter {
		return err
	}
	switch {
	case req.All:
		e.Advice.With["all"] = "true"
	case len(req.Services) > 0:
		e.Advice.With["service"] = strings.Join(req.Services, " ")
	}
	return err
}
