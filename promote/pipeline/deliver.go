package pipeline

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// Deliver says how a promotion is carried out.
type Deliver struct {
	// Mode is worktree (the default), commit, push or pullRequest.
	Mode DeliverMode `yaml:"mode" json:"mode,omitempty"`
	// Remote is the name of the remote that is pushed to; by default the one that the
	// branch at hand follows, or origin.
	Remote string `yaml:"remote" json:"remote,omitempty"`
	// Forge is the kind of forge that pull requests are opened on: github, gitlab, gitea,
	// bitbucket, bitbucket-server or azure. It is needed for hosts that do not tell.
	Forge string `yaml:"forge" json:"forge,omitempty"`
	// URL is the forge's, where it is not that of the remote.
	URL string `yaml:"url" json:"url,omitempty"`
	// Labels and Reviewers are those of pull requests. A reviewer is a user as the forge
	// names them, or codeowners: whom the file CODEOWNERS names for what is changed.
	Labels    []string `yaml:"labels" json:"labels,omitempty"`
	Reviewers []string `yaml:"reviewers" json:"reviewers,omitempty"`
	// Draft has pull requests opened as drafts.
	Draft bool `yaml:"draft" json:"draft,omitempty"`
	// AutoMerge is whenGreen where the forge is to merge by itself, once it may; by default
	// a person merges.
	AutoMerge string `yaml:"autoMerge" json:"autoMerge,omitempty"`
}

// forges are the kinds of forges, as promote/forge has them.
var forges = []string{"github", "gitlab", "gitea", "bitbucket", "bitbucket-server", "azure"}

// WhenGreen is the one value of Deliver.AutoMerge.
const WhenGreen = "whenGreen"

// CodeOwners stands among Deliver.Reviewers for those whom a file CODEOWNERS names.
const CodeOwners = "codeowners"

// DeliverMode is how far a promotion goes.
type DeliverMode string

// The delivery modes: edit the files and leave them, commit them too, push the commit to
// the branch that others have, or propose it there by a pull request.
const (
	DeliverWorktree    DeliverMode = "worktree"
	DeliverCommit      DeliverMode = "commit"
	DeliverPush        DeliverMode = "push"
	DeliverPullRequest DeliverMode = "pullRequest"
)

// DeliverModes are all of them.
func DeliverModes() []string {
	return []string{string(DeliverWorktree), string(DeliverCommit), string(DeliverPush), string(DeliverPullRequest)}
}

// Known tells whether it is one of the modes.
func (m DeliverMode) Known() bool { return slices.Contains(DeliverModes(), string(m)) }

// Commits tells whether there is a commit in the end.
func (m DeliverMode) Commits() bool { return m != DeliverWorktree }

// Shared tells whether others see it at once: it is made on what they have.
func (m DeliverMode) Shared() bool { return m == DeliverPush || m == DeliverPullRequest }

func (e *Environment) checkDeliver(f *yamlfile.File, path string) {
	d := e.Deliver
	if d.Mode != "" && !d.Mode.Known() {
		f.At(path+".deliver.mode", spelling.Hint(string(d.Mode), DeliverModes()), "deliver.mode is %q", d.Mode)
	}
	if d.Forge != "" && !slices.Contains(forges, d.Forge) {
		f.At(path+".deliver.forge", spelling.Hint(d.Forge, forges), "deliver.forge is %q", d.Forge)
	}
	if d.AutoMerge != "" && d.AutoMerge != WhenGreen {
		f.At(path+".deliver.autoMerge", "autoMerge: "+WhenGreen, "deliver.autoMerge is %q", d.AutoMerge)
	}
	if d.Remote != "" && (strings.HasPrefix(d.Remote, "-") || strings.ContainsAny(d.Remote, ":/ ")) {
		f.At(path+".deliver.remote", "remote: origin", "%q is no name of a remote", d.Remote)
	}
	if d.Mode != DeliverPullRequest {
		for _, only := range []struct {
			field string
			set   bool
		}{{"forge", d.Forge != ""}, {"url", d.URL != ""}, {"labels", len(d.Labels) > 0}, {"reviewers", len(d.Reviewers) > 0}, {"draft", d.Draft}, {"autoMerge", d.AutoMerge != ""}} {
			if only.set && d.Mode != "" {
				f.At(path+".deliver."+only.field, "mode: pullRequest", "deliver.%s is for pull requests, and deliver.mode is %s", only.field, d.Mode)
			}
		}
	}
}

// Record is what is kept and told of promotions beside their commits.
type Record struct {
	// Events says what is told of promotions, and to whom.
	Events *Events `yaml:"events" json:"events,omitempty"`
}

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
}

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

// check finds what is wrong with what is said of events.
func (e *Events) check(f *yamlfile.File, at string) {
	if e == nil {
		return
	}
	c := gateCheck{File: f}
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
			c.variable(at+"."+one.field+".env", one.from.Env)
		}
	}
	if !told {
		f.At(at, "slack: {env: PROMOTE_SLACK}", "events says nobody to tell")
	}
	if s := e.CloudEvents; s != nil {
		s.check(c, at+".cloudevents")
	}
}

func (s *EventServer) check(c gateCheck, at string) {
	const example = "url: https://events.example.com/promotions"
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		c.At(at, example, "cloudevents has no url")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(s.URL, "{}"):
		c.At(at+".url", example, "url is none of http or https")
	case u.User != nil:
		c.At(at+".url", "headersFrom: {Authorization: {env: PROMOTE_TOKEN}}", "url has a password, which everybody can read")
	case u.Scheme == "http" && !onThisMachine(u.Hostname()):
		c.At(at+".url", "url: https://"+u.Host, "url is not encrypted")
	}
	c.headers(at, nil, s.HeadersFrom)
}
