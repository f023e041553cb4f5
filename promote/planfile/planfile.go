// Package planfile is a plan as a file: kubectl promote plan -o json writes one, somebody
// reviews it, and kubectl promote apply carries it out.
//
// Nothing in such a file is trusted. Whoever applies it plans again, from the [Request]
// that stands in it, and [Compare] holds everything that would be written then, and what
// it is judged by, against what the file says. What is not the same is a [Difference].
// [Decode] takes the fields that [Of] writes and no others, each once.
package planfile

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/kubepromote/kubepromote/promote/shard"
	"sigs.k8s.io/json"
)

// Kind is the kind of the file's object.
const Kind = "PromotionList"

// Document is a plan for one or several environments.
type Document struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   struct{} `json:"metadata"`
	Head
	// Items are a part for each environment and service.
	Items []Item `json:"items"`
}

// Head is what a document has beside its items.
type Head struct {
	Request *Request `json:"request,omitempty"`
	// Rules are the files that the plan was judged by.
	Rules []Rule `json:"rules,omitempty"`
	// Writes are the files that would be written.
	Writes []Write `json:"writes,omitempty"`
	// Kept are the files of versions that would be written with them. They follow from the
	// pins, and from what else has been promoted until then: they are not compared.
	Kept []Kept `json:"kept,omitempty"`
}

// Request is what was asked for. The names are those of the flags.
type Request struct {
	Services       []string             `json:"services,omitempty"`
	All            bool                 `json:"all,omitempty"`
	Selector       string               `json:"selector,omitempty"`
	Except         []string             `json:"except,omitempty"`
	Shard          shard.Shard          `json:"shard,omitzero"`
	To             []string             `json:"to"`
	From           string               `json:"from,omitempty"`
	Images         []string             `json:"images,omitempty"`
	Version        string               `json:"version,omitempty"`
	Newest         bool                 `json:"newest,omitempty"`
	AllowDowngrade bool                 `json:"allowDowngrade,omitempty"`
	AddMissing     bool                 `json:"addMissing,omitempty"`
	SkipRefused    bool                 `json:"skipRefused,omitempty"`
	Deliver        pipeline.DeliverMode `json:"deliver,omitempty"`
	Branch         string               `json:"branch,omitempty"`
	// Override has the reasons for which gates are gone past, by their names.
	Override map[string]string `json:"override,omitempty"`
	// OverrideUntil is when that ends, and OverrideBy who answers for it.
	OverrideUntil time.Time `json:"overrideUntil,omitzero"`
	OverrideBy    string    `json:"overrideBy,omitempty"`
}

// Rule is a file that a plan was judged by: the pipeline, a policy, a key, a calendar.
type Rule struct {
	// Name is its path in the repository; of a file that was named in its place
	// (Elsewhere), the last element of its path.
	Name      string `json:"name"`
	Digest    string `json:"digest"`
	Elsewhere bool   `json:"elsewhere,omitempty"`
}

// Write is a file that would be written: the digests of what it holds, and of what it
// shall hold.
type Write struct {
	To string `json:"to"`
	// Title, if not empty, is the plan's: each service has a place of its own.
	Title string `json:"title,omitempty"`
	Path  string `json:"path"`
	// Before is empty where the file is not there yet, After where it goes. Of a file that is
	// too large to be read both are empty.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Was and Is are its mode and its object in Git, where it comes by a merge: it may be a
	// link, a submodule, or a file of another mode. They are empty where nothing stands.
	Was string `json:"was,omitempty"`
	Is  string `json:"is,omitempty"`
}

// Of tells whether a write is one of a plan.
func (w Write) Of(plan *promote.Plan) bool { return w.title() == plan.Title() }

func (w Write) title() string { return cmp.Or(w.Title, w.To) }

func (w Write) before() string { return w.Before + " " + w.Was }
func (w Write) after() string  { return w.After + " " + w.Is }

// writeOf is what a document has of a file.
func writeOf(plan *promote.Plan, f promote.File) Write {
	w := Write{To: plan.To, Path: f.Path, Was: f.Was, Is: f.Is}
	if w.Title = plan.Title(); w.Title == w.To {
		w.Title = ""
	}
	if !f.New && !f.Unread {
		w.Before = Digest(f.Old)
	}
	if gone := f.Gone || f.Was != "" && f.Is == ""; !gone && !f.Unread {
		w.After = Digest(f.Data)
	}
	return w
}

// Kept is a file of versions, with what changes in it.
type Kept struct {
	To string `json:"to"`
	promote.KeptPlan
}

// Item is one service's part of a plan, or of what became of it.
type Item struct {
	APIVersion string   `json:"apiVersion,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Metadata   Metadata `json:"metadata"`
	Promotion
}

// Metadata has the item's name: the service.
type Metadata struct {
	Name string `json:"name"`
}

// Promotion is one service's plan as an API object, and what became of it.
type Promotion struct {
	From  string `json:"from,omitempty"`
	To    string `json:"to"`
	Entry string `json:"entry,omitempty"`
	// RollbackOf is the commit of the oldest change that is taken back, where it is a rollback.
	RollbackOf string               `json:"rollbackOf,omitempty"`
	Mode       pipeline.DeliverMode `json:"mode"`
	DryRun     bool                 `json:"dryRun,omitempty"`
	// Answer is that of the whole plan: one service refused refuses all.
	Answer promote.Answer `json:"answer"`
	// Changed tells that the target's file differs; Commit is the commit made.
	Changed bool   `json:"changed"`
	Head    string `json:"head,omitempty"`
	Commit  string `json:"commit,omitempty"`
	// Attempts is how often it was made anew because others were faster, and once more.
	Attempts int `json:"attempts,omitempty"`
	// Branch is where the commit is, behind its remote where it was pushed.
	Branch      string           `json:"branch,omitempty"`
	PullRequest *proposal.Result `json:"pullRequest,omitempty"`
	// Merge is how the target's branch moves, where it is by a merge.
	Merge *mergeplan.Plan `json:"merge,omitempty"`
	*promote.ServicePlan
}

// Of makes the document of plans that are only to be shown.
func Of(request Request, plans *promote.Plans, rules []Rule) *Document {
	d := &Document{APIVersion: pipeline.APIVersion, Kind: Kind, Head: Head{Request: &request, Rules: slices.Clone(rules)}}
	for _, plan := range plans.All {
		for _, r := range plan.Rules {
			if r.Kind == "commit" { // whose rules are listed as they are
				continue
			}
			d.Rules = append(d.Rules, Rule{Name: r.Name, Digest: r.Digest, Elsewhere: true})
		}
		for _, k := range plan.Kept {
			d.Kept = append(d.Kept, Kept{plan.To, k})
		}
		for _, f := range plan.Writes() {
			if plan.Keeps(f.Path) {
				continue
			}
			d.Writes = append(d.Writes, writeOf(plan, f))
		}
		for _, s := range plan.Services {
			d.Items = append(d.Items, Item{Metadata: Metadata{s.Service}, Promotion: Promotion{From: plan.From, To: plan.To, Entry: plan.Entry, RollbackOf: plan.RollbackOf,
				Mode: plan.Mode, DryRun: true, Answer: plan.Answer, Changed: s.Changed(), Head: plan.Head, Merge: plan.Merge, ServicePlan: s}})
		}
	}
	slices.SortFunc(d.Rules, Rule.compare)
	d.Rules = slices.Compact(d.Rules)
	return d
}

// Digest is that of a file's bytes: sha256 and hexadecimal digits.
func Digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// Bounds of a file.
const (
	// MaxSize is that of a file in bytes.
	MaxSize  = 64 << 20
	maxItems = 20_000
)

// Decode reads a document. The name is for messages. The errors say what it is not: JSON,
// with the fields of a plan and no others, of a promotion that has not been made.
func Decode(name string, data []byte) (*Document, error) {
	wrong := func(format string, args ...any) error {
		return &promote.Error{Msg: name + ": " + fmt.Sprintf(format, args...), Hint: "kubectl promote plan SERVICES --to ENVIRONMENT -o json > plan.json"}
	}
	if len(data) > MaxSize {
		return nil, wrong("is larger than %d MiB", MaxSize>>20)
	}
	d := &Document{}
	strict, err := json.UnmarshalStrict(data, d)
	switch {
	case err != nil:
		return nil, wrong("is no plan: %s", fault.OneLine(err.Error()))
	case d.Kind != Kind || d.APIVersion != pipeline.APIVersion:
		return nil, wrong("is no plan: its kind is not %s of %s", Kind, pipeline.APIVersion)
	case len(strict) > 0:
		return nil, wrong("is no plan: %s", fault.OneLine(strict[0].Error()))
	case d.Request == nil:
		return nil, wrong("does not say what was asked for: it is what became of a promotion, or another version has written it")
	case len(d.Items) > maxItems || len(d.Writes) > 4*maxItems || len(d.Kept) > maxItems || len(d.Rules) > maxItems:
		return nil, wrong("has more than %d items", maxItems)
	case len(d.Items) == 0:
		return nil, wrong("has no items")
	}
	seen := make(map[[2]string]bool)
	for n, i := range d.Items {
		if i.ServicePlan == nil || i.Service == "" || i.To == "" || i.Metadata.Name != i.Service || seen[i.key()] {
			return nil, wrong("items[%d] is of no service and environment, or of one that was there before", n)
		}
		if !i.DryRun || i.Commit != "" || i.PullRequest != nil || i.RollbackOf != "" {
			return nil, wrong("items[%d] is not the plan of a promotion: it has been made, or is a rollback", n)
		}
		seen[i.key()] = true
	}
	return d, nil
}

func (i *Item) key() [2]string { return [2]string{i.To, i.Service} }

// Chosen gives the tags that the document has as the newest, for package promote/images. Where
// it has several for one question there is none.
func (d *Document) Chosen() func(promote.NewestQuestion) string {
	chosen := make(map[[2]string]string)
	for _, i := range d.Items {
		for _, image := range i.Images {
			key := [2]string{image.Repository, image.Old.Tag}
			if before, ok := chosen[key]; ok && before != image.New.Tag {
				chosen[key] = ""
				continue
			}
			chosen[key] = image.New.Tag
		}
	}
	return func(q promote.NewestQuestion) string { return chosen[[2]string{q.Repository, q.Now}] }
}
