package recording

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// Events says what is told of promotions, and to whom. A destination that is not named is
// told nothing, and one that cannot be told stops nothing.
type Events struct {
	// On are the kinds of events that are told: promoted, proposed (by a pull request),
	// refused, waiting, unknown, rolledBack, overridden, held, unheld, approved and planned; by
	// default all but planned.
	On []string `yaml:"on" json:"on,omitempty"`
	// CloudEvents is a server that is sent each event as a CloudEvent, in JSON.
	CloudEvents *EventServer `yaml:"cloudevents" json:"cloudevents,omitempty"`
	// File is a file that each event is appended to, as a CloudEvent in one line of JSON.
	// The variable has its path, so that a pipeline file cannot have others written to.
	File *Variable `yaml:"file" json:"file,omitempty"`
	// Slack, Teams and Matrix are incoming webhooks that are sent a line for people. The
	// variable has the URL, which is a secret.
	Slack  *Variable `yaml:"slack" json:"slack,omitempty"`
	Teams  *Variable `yaml:"teams" json:"teams,omitempty"`
	Matrix *Variable `yaml:"matrix" json:"matrix,omitempty"`
	// Metrics is a file in OpenMetrics text with the time of the last event of each kind,
	// service and environment, for a textfile collector. The variable has its path.
	Metrics *Variable `yaml:"metrics" json:"metrics,omitempty"`
	// Deployments has GitHub or GitLab show what has been pushed as a deployment: {}. Each
	// service has an environment of its own there, ENVIRONMENT/SERVICE.
	Deployments *Deployments `yaml:"deployments" json:"deployments,omitempty"`
}

// Deployments says that the forge of each environment's repository shows deployments.
type Deployments struct{}

// DeploymentKinds are the kinds of events that a forge shows as deployments.
func DeploymentKinds() []string { return []string{"promoted", "rolledBack"} }

// EventServer is a server that events are sent to.
type EventServer struct {
	// URL is where they are sent: https, or http on this machine.
	URL string `yaml:"url" json:"url"`
	// HeadersFrom are headers whose values are secrets.
	HeadersFrom map[string]Variable `yaml:"headersFrom" json:"headersFrom,omitempty"`
}

// EventKinds are the kinds of events, in the order in which they are documented.
func EventKinds() []string {
	return []string{"promoted", "proposed", "refused", "waiting", "unknown", "rolledBack", "overridden", "held", "unheld", "approved", EventPlanned}
}

// EventPlanned is the kind that is told only where Events.On has it.
const EventPlanned = "planned"

// Tells tells whether events of a kind are told.
func (e *Events) Tells(kind string) bool {
	if e == nil {
		return false
	}
	if len(e.On) == 0 {
		return kind != EventPlanned
	}
	return slices.Contains(e.On, kind)
}

// Deploys tells whether a forge shows deployments.
func (e *Events) Deploys() bool { return e != nil && e.Deployments != nil }

// check finds what is wrong with what is said of events.
func (e *Events) check(f *yamlfile.File, at string) {
	if e == nil {
		return
	}
	for i, kind := range e.On {
		if !slices.Contains(EventKinds(), kind) {
			f.At(fmt.Sprintf("%s.on[%d]", at, i), spelling.Hint(kind, EventKinds()), "there are no events %q", kind)
		}
	}
	told := e.CloudEvents != nil
	for _, one := range []struct {
		field string
		from  *Variable
	}{{"file", e.File}, {"slack", e.Slack}, {"teams", e.Teams}, {"matrix", e.Matrix}, {"metrics", e.Metrics}} {
		if told = told || one.from != nil; one.from != nil {
			CheckVariable(f, at+"."+one.field+".env", one.from.Env)
		}
	}
	switch {
	case e.Deployments != nil && !slices.ContainsFunc(DeploymentKinds(), e.Tells):
		f.At(at+".deployments", "on: [promoted, rolledBack]", "deployments are told of what is promoted and rolledBack, and on has neither")
	case !told && e.Deployments == nil:
		f.At(at, "slack: {env: PROMOTE_SLACK}", "events says nobody to tell")
	}
	if s := e.CloudEvents; s != nil {
		s.check(f, at+".cloudevents")
	}
}

func (s *EventServer) check(f *yamlfile.File, at string) {
	const example = "url: https://events.example.com/promotions"
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		f.At(at, example, "cloudevents has no url")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(s.URL, "{}"):
		f.At(at+".url", example, "url is none of http or https")
	case u.User != nil:
		f.At(at+".url", "headersFrom: {Authorization: {env: PROMOTE_TOKEN}}", "url has a password, which everybody can read")
	case u.Scheme == "http" && !OnThisMachine(u.Hostname()):
		f.At(at+".url", "url: https://"+u.Host, "url is not encrypted")
	}
	CheckHeaders(f, at, nil, s.HeadersFrom)
}

// Variables are those of the environment that destinations and their secrets stand in.
func (e *Events) Variables() []string {
	if e == nil {
		return nil
	}
	var out []string
	if e.CloudEvents != nil {
		for _, v := range e.CloudEvents.HeadersFrom {
			out = append(out, v.Env)
		}
	}
	for _, v := range []*Variable{e.File, e.Slack, e.Teams, e.Matrix, e.Metrics} {
		if v != nil {
			out = append(out, v.Env)
		}
	}
	return out
}
