package promote

import (
	"context"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
	"github.com/kubepromote/kubepromote/promote/shard"
	"github.com/kubepromote/kubepromote/promote/sources"
)

// Request asks for services to be promoted.
type Request struct {
	// Services are named in the order in which they are to be shown. All asks
	// for every service that the source environment has.
	// One may be a glob, as path.Match has it.
	Services []string
	All      bool
	// Except takes services out again, by names or globs.
	Except []string
	// Select, if not nil, takes those services alone whose labels it says yes to. Without
	// names it stands for All.
	Select func(labels map[string]string) bool
	// Shard takes a part of them, which may be none.
	Shard shard.Shard
	// SkipRefused promotes the other services where some are refused, wait or are unknown.
	SkipRefused bool
	// To is the target environment; From may be empty where the pipeline names
	// one source.
	From, To string
	// Version, if not empty, is what comes from outside into an environment that has no
	// source, for all services that are asked for: TAG, TAG@DIGEST or @DIGEST.
	Version string
	// Newest asks for the newest tag in its place, by the rule that the environment has
	// for it; see [pipeline.Admit]. AllowDowngrade lets that be an older one than the
	// environment's.
	Newest, AllowDowngrade bool
	// TagVersion is Version for an environment that is tags: which of the source's is meant.
	TagVersion string
	// Back, if not nil, takes the services back to pins that they had, in place of all that
	// comes from somewhere.
	Back *Back
	// Images restricts the promotion to the images of these names; all where empty.
	Images []string
	// AddMissing gives the target an image that it does not have although the
	// source renames it, so that the target uses the source's registry.
	AddMissing bool
	// Policy, if not empty, is used in place of the pipeline's verification
	// policy.
	Policy string
	// Mode, if not empty, is used in place of the pipeline's delivery mode.
	Mode pipeline.DeliverMode
	// Preview asks for a plan that is only shown: it may be made where nothing could
	// be committed, such as on a detached HEAD.
	Preview bool
	// Override has gates let through what they do not let pass, by their names, each for
	// a reason that is recorded. Only gates that say so can be overridden.
	Override map[string]string
	// OverrideUntil, if not zero, is when Override ends: asked later, the gates have their
	// say. OverrideBy is who answers for it. Both are recorded.
	OverrideUntil time.Time
	OverrideBy    string
	// NoDiff leaves ServicePlan.Diff empty, for a caller that does not show it.
	NoDiff bool

	each bool // it is one of several, as each service is in a place of its own
}

// Resolver finds out what image references stand for.
type Resolver interface {
	// Resolve answers for references of the form repository[:tag][@digest], one
	// answer each, in their order. done is called after each, one at a time.
	Resolve(ctx context.Context, refs []string, done func()) []Resolution
}

// Resolution is a resolver's answer for one reference.
type Resolution struct {
	// Answer is Pass where the image exists, Fail where the registry says that
	// it does not, Unknown where it could not be asked.
	Answer Answer
	// Digest is what the reference stands for: of a tag and a digest, the digest.
	Digest string
	// TagDigest is what the tag stands for now, where both were given and it
	// could be told.
	TagDigest string
	// Reason says why there is no digest.
	Reason string
}

// Verifier checks images against a verification policy of the repository.
type Verifier interface {
	// Verify answers for the images asked about, in their order. An error means
	// that the policy itself cannot be used.
	Verify(ctx context.Context, req VerifyRequest, done func()) ([]Verification, error)
}

// VerifyRequest asks a Verifier about images.
type VerifyRequest struct {
	// Policy is the path of a VerificationPolicy file in the repository.
	Policy string
	// Images are of the form repository@digest. Services has the service that each of
	// them is for; it is empty where there is none.
	Images, Services []string
	// Environment is where the images are to go.
	Environment string
	// Promoted, if not empty, asks for something else than the policy does: that
	// the policy's authorities have attested a promotion to this environment.
	Promoted string
}

// Verification is a verifier's answer for one image.
type Verification struct {
	Image  string `json:"image"`
	Answer Answer `json:"answer"`
	Reason string `json:"reason,omitempty"`
	// Rule is what Reason is about: the place of the policy's rule, file:line:col, or
	// the policy where it is about no rule.
	Rule string `json:"rule,omitempty"`
	// Lacks is what would have to be named for an answer: environment or service.
	Lacks    string     `json:"lacks,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	// Override, if not empty, says why the image may go on although the policy's
	// demands are not met; Answer is Pass then.
	Override string `json:"override,omitempty"`
	// Warnings are what the policy says does not stop the image.
	Warnings []string `json:"warnings,omitempty"`
}

// Evidence is what a verifier found, RuleFile a file with rules that does not come from the
// repository's commit.
type (
	Evidence = record.Evidence
	RuleFile = record.RuleFile
)

// Promoter makes and carries out plans on one repository.
type Promoter struct {
	Repo     Repo
	Pipeline *pipeline.Pipeline
	// Resolver is nil where no registry may be asked: then images that are not
	// pinned by digest cannot be promoted.
	Resolver Resolver
	// Recorded, if not nil, is asked in place of Resolver about images whose digest is
	// recorded and promoted anyway, unless it is said to be gone: it need not wait long.
	Recorded Resolver
	// Verifier is nil where no registry may be asked: then a policy's answer is
	// unknown.
	Verifier Verifier
	// Tags is nil where no registry may be asked: then Request.Newest is unknown.
	Tags Tags
	// Gates gives the gates of an environment in the order of the pipeline's file, without
	// those that are promoted; more may follow them. Where it is nil, what the file asks
	// for is unknown. See package promote/gate.
	Gates func(to *pipeline.Environment) ([]Gate, error)
	// Carriers makes the carriers of environments whose strategy is another than edits, and of
	// a Back.Revert; without it these are errors. See package promote/merging.
	Carriers func(ctx context.Context, c *Carried) (Carrier, error)
	// Now, if not nil, is the clock that gates are asked by.
	Now func() time.Time
	// Rules says where the pipeline and the policies come from.
	Rules Rules
	// Progress, if not nil, is told how far a long step is. Calls do not overlap.
	Progress func(step string, done, total int)
}

// Rules is where the pipeline and the policies come from. The zero value says
// nothing about them.
type Rules struct {
	// Commit is the one that they were read from. A plan that is made on another
	// commit is an error.
	Commit string
	// Uncommitted, if not empty, is the path of the pipeline file where the working
	// tree alone has one: then a plan is not carried out by a commit, and what its policies
	// and gates ask for is unknown.
	Uncommitted string
	// Elsewhere, if not nil, gives the files that took the place of those that are
	// committed, as far as they have been read.
	Elsewhere func() []RuleFile
}

// Plan is what a promotion would do.
type Plan struct {
	// From is empty where images come in from outside. Entry says then by what:
	// "version" or "newest", a blank, and the version or the rule asked for.
	From  string `json:"from,omitempty"`
	To    string `json:"to"`
	Entry string `json:"entry,omitempty"`
	// RollbackOf is Back.Of.
	RollbackOf string `json:"rollbackOf,omitempty"`
	// Mode is how it would be delivered.
	Mode pipeline.DeliverMode `json:"mode"`
	// Head is the commit that the plan was made on.
	Head string `json:"head"`
	// Branch is where a commit would go; empty when HEAD is detached.
	Branch string `json:"branch,omitempty"`
	// Remote is the remote whose branch that is, where it is pushed there.
	Remote string `json:"remote,omitempty"`
	// Answer is the worst of all verdicts.
	Answer Answer `json:"answer"`
	// Rules are the files that it was judged by that are not those of Head.
	Rules []RuleFile `json:"rules,omitempty"`
	// Warnings are facts that concern no service of the plan.
	Warnings []string `json:"warnings,omitempty"`
	// Merge is how the target's branch moves, where that is by a merge.
	Merge *mergeplan.Plan `json:"merge,omitempty"`
	// Services are the services in the order asked for.
	Services []*ServicePlan `json:"services"`
	// Kept are the files of versions, see [pipeline.Record], that the promotion changes.
	Kept []KeptPlan `json:"kept,omitempty"`

	each    bool // Request.each
	at      Repo // that the target is in
	place   pipeline.Place
	deliver pipeline.Deliver
	index   string // State.Index that the plan was made on
	// sourceHead is the commit that the source was read from; that of Head where both are
	// in one place.
	sourceHead string
	skip       bool // Request.SkipRefused
	// reason and holds are those of a Back; held tells that holds is written already.
	reason string
	holds  *File
	held   bool
	// judged is when the gates were asked.
	judged time.Time
}

// ServicePlan is the part of a plan that concerns one service.
type ServicePlan struct {
	Service string `json:"service"`
	// Files are what is read and what is to be written, for each file of the target.
	Files []FilePlan `json:"files"`
	// Images are the images promoted, in the source's order.
	Images []ImagePlan `json:"images"`
	// Along is what moves with the images.
	Along []AlongPlan `json:"along,omitempty"`
	// Verdicts are what gates say. Without one the service may be promoted.
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Warnings are facts that do not stop a promotion.
	Warnings []string `json:"warnings,omitempty"`
	// Copies are the files that are promoted as they are.
	Copies []CopyPlan `json:"copies,omitempty"`

	// failed says why there is no plan for the service.
	failed []error
}

// FilePlan is what a promotion does to one file.
type FilePlan struct {
	// Source is the file that the images come from, Target the one that they go to. Of
	// several sources that a layout's stars match, and which agree, it is the first. Where
	// images come in from outside it is the target.
	Source string `json:"source"`
	Target string `json:"target"`
	// Changes are the values that would be written, Diff their unified diff;
	// both are empty where the target has them already.
	Changes []overlay.FieldChange `json:"changes,omitempty"`
	Diff    string                `json:"diff,omitempty"`

	// file is the target's file as it shall be, if it differs. write is set where
	// it is to be written; without it, the file has the new content already, from
	// a run that was interrupted.
	file  File
	write bool
}

// ImagePlan is one image's old and new pin.
type ImagePlan struct {
	// Name is what the source calls the image.
	Name string `json:"name"`
	// File is the target's file that it stands in.
	File string `json:"file"`
	// Repository is where the target pulls it from.
	Repository string `json:"repository"`
	// Unknown says why that is not known; empty where it is.
	Unknown string `json:"unknown,omitempty"`
	Old     Pin    `json:"old"`
	New     Pin    `json:"new"`
	// Why says why a tag is the newest, where that was asked for.
	Why string `json:"why,omitempty"`
	// Evidence is what the verifier found.
	Evidence []Evidence `json:"evidence,omitempty"`
	// Source is what lies between the two in the image's source, where that was asked for.
	Source *sources.Change `json:"source,omitempty"`
}

// Pin is a tag and a digest, either of which may be empty.
type Pin = history.Pin

// Title tells the plans of one promotion apart: the environment, and the service where each
// has a place of its own there.
func (p *Plan) Title() string {
	if p.each && len(p.Services) > 0 {
		return p.Services[0].Service + " in " + p.To
	}
	return p.To
}

// Changed tells whether anything would be written or committed.
func (p *Plan) Changed() bool { return len(p.changed()) > 0 }

// changed gives the services whose target differs, without those that are left out as
// they are refused.
func (p *Plan) changed() []*ServicePlan {
	return slices.DeleteFunc(slices.Clone(p.Services), func(s *ServicePlan) bool { return !s.Changed() || p.skip && s.Answer() != Pass })
}

// Answer is the worst of the service's verdicts.
func (s *ServicePlan) Answer() Answer {
	var answers []Answer
	for _, v := range s.Verdicts {
		answers = append(answers, v.Answer)
	}
	return Worst(answers...)
}

// Changed tells whether anything of the service would be written or committed.
func (s *ServicePlan) Changed() bool {
	return slices.ContainsFunc(s.Files, func(f FilePlan) bool { return f.file.Path != "" }) ||
		slices.ContainsFunc(s.Copies, func(c CopyPlan) bool { return c.Changed })
}

// Writes gives the files that differ, as they shall be.
func (p *Plan) Writes() []File {
	all, _ := p.files()
	return all
}

// files gives the files that differ, as they shall be, and of them those that are
// to be written: the others have their new content already. A file that several
// services share has the edits of all.
func (p *Plan) files() (all, write []File) {
	at := make(map[string]int)
	writes := make(map[string]bool)
	add := func(f File, written bool) {
		n, ok := at[f.Path]
		if !ok {
			n = len(all)
			at[f.Path], all = n, append(all, f)
		}
		all[n], writes[f.Path] = f, written
	}
	for _, s := range p.changed() {
		for _, f := range s.Files {
			if f.file.Path != "" {
				add(f.file, f.write)
			}
		}
		for _, c := range s.Copies {
			if c.Changed {
				add(File{Path: c.Target, Data: c.data, Old: c.old}, c.write)
			}
		}
	}
	if p.holds != nil && len(all) > 0 {
		add(*p.holds, !p.held)
	}
	for _, k := range p.Kept {
		add(k.file, k.write)
	}
	for _, f := range all {
		if writes[f.Path] {
			write = append(write, f)
		}
	}
	return all, write
}
