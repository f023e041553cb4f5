package events

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// The kinds of events; see [recording.EventKinds].
const (
	Promoted   = "promoted"
	Proposed   = "proposed"
	Refused    = "refused"
	Waiting    = "waiting"
	Unknown    = "unknown"
	RolledBack = "rolledBack"
	Overridden = "overridden"
	Held       = "held"
	Unheld     = "unheld"
	Approved   = "approved"
	Planned    = "planned"
)

// Event is what has become of one service in one environment.
type Event struct {
	Kind string `json:"-"`
	// Time is when it was so.
	Time time.Time `json:"-"`
	// Repository is its public address, without credentials; it may be empty.
	Repository string `json:"repository,omitempty"`
	// Service is empty where all of an environment is held, Environment where a service is
	// held everywhere.
	Service     string `json:"service,omitempty"`
	Environment string `json:"environment,omitempty"`
	// From is the environment that it is promoted from.
	From string `json:"from,omitempty"`
	// Commit has brought it, or is the one that the plan was made on.
	Commit string `json:"commit,omitempty"`
	// Pushed tells that Commit is on the branch that others have, and not only here or
	// proposed.
	Pushed bool `json:"-"`
	// By is who has done it, as Git knows them.
	By string `json:"by,omitempty"`
	// Reason is why: of a hold, an override, or what gates say.
	Reason string `json:"reason,omitempty"`
	// Until is when a hold, an override or a wait ends; zero where nobody knows.
	Until time.Time `json:"until,omitzero"`
	// PullRequest is the address of the one that proposes it.
	PullRequest string  `json:"pullRequest,omitempty"`
	Images      []Image `json:"images,omitempty"`
	Gates       []Gate  `json:"gates,omitempty"`
}

// Image is one that changes, and its pins before and after.
type Image struct {
	Name       string `json:"name"`
	Repository string `json:"repository,omitempty"`
	OldTag     string `json:"oldTag,omitempty"`
	OldDigest  string `json:"oldDigest,omitempty"`
	Tag        string `json:"tag,omitempty"`
	Digest     string `json:"digest,omitempty"`
}

// Gate is what one gate has said.
type Gate struct {
	Name   string    `json:"name"`
	Answer string    `json:"answer"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// typePrefix is that of the types of events, as CloudEvents wants them.
const typePrefix = "dev.kubepromote."

// ID is the same for the same event: repository, commit, service, environment, kind and what
// the images become. The time has no part in it.
func (e Event) ID() string {
	parts := []string{e.Repository, e.Commit, e.Service, e.Environment, e.Kind}
	for _, i := range e.Images {
		parts = append(parts, i.Repository, i.Name, i.Tag, i.Digest)
	}
	if e.Kind == Approved || e.Kind == Overridden {
		parts = append(parts, e.By, e.Reason)
	}
	text, _ := json.Marshal(parts) // strings can always be written
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// CloudEvent is the event in the JSON format of CloudEvents 1.0, in one line.
func (e Event) CloudEvent() []byte {
	text, _ := json.Marshal(struct {
		SpecVersion     string    `json:"specversion"`
		ID              string    `json:"id"`
		Source          string    `json:"source"`
		Type            string    `json:"type"`
		Subject         string    `json:"subject,omitempty"`
		Time            time.Time `json:"time"`
		DataContentType string    `json:"datacontenttype"`
		Data            Event     `json:"data"`
	}{"1.0", e.ID(), cmp.Or(e.Repository, "/kubepromote"), typePrefix + e.Kind, strings.Trim(e.Environment+"/"+e.Service, "/"), e.Time.UTC().Truncate(time.Second), "application/json", e})
	return text
}

// words say what has become of a service.
var words = map[string]string{
	Promoted: "promoted", Proposed: "proposed", Refused: "refused", Waiting: "waiting", Unknown: "could not be judged", RolledBack: "rolled back",
	Overridden: "a gate was overridden", Held: "held", Unheld: "no longer held", Approved: "approved", Planned: "planned",
}

// Text is the event as one line for people, without any markup.
func (e Event) Text() string {
	text := fmt.Sprintf("%s in %s: %s", cmp.Or(e.Service, "all services"), cmp.Or(e.Environment, "all environments"), cmp.Or(words[e.Kind], e.Kind))
	var images []string
	for _, i := range e.Images {
		pin := i.Tag
		if pin == "" {
			pin = i.Digest[:min(len(i.Digest), len("sha256:")+12)]
		}
		if !slices.Contains(images, pin) {
			images = append(images, pin)
		}
	}
	if len(images) > 0 {
		text += " " + strings.Join(images, ", ")
	}
	if e.From != "" {
		text += " from " + e.From
	}
	// What gates have said is nobody's doing.
	if e.By != "" && e.Kind != Refused && e.Kind != Waiting && e.Kind != Unknown {
		text += " by " + name(e.By)
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if !e.Until.IsZero() {
		text += " (until " + e.Until.UTC().Format("2006-01-02 15:04 MST") + ")"
	}
	if e.PullRequest != "" {
		text += " " + e.PullRequest
	}
	return strings.TrimSpace(fault.OneLine(text))
}

// name is a person without their address.
func name(who string) string {
	before, _, _ := strings.Cut(who, " <")
	return before
}
