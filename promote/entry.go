package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Tags chooses among the tags of repositories.
type Tags interface {
	// Newest answers for the questions, one answer each, in their order. done is called
	// after each, one at a time. An error means that a rule cannot be used.
	Newest(ctx context.Context, questions []NewestQuestion, done func()) ([]NewestTag, error)
}

// NewestQuestion asks for the newest tag of a repository.
type NewestQuestion struct {
	Repository string
	// Rule is one of package digest/tags: semver:>=1.0. RuleAt says where it stands.
	Rule, RuleAt string
	// Now is the tag to hold the answer against; it may be empty.
	Now string
}

// NewestTag is the answer to a NewestQuestion.
type NewestTag struct {
	// Answer is Pass where there is a tag, Fail where the registry says that none is
	// admitted, Unknown where it could not be asked. Reason says why there is none.
	Answer Answer
	Reason string
	// Tag is the newest, Why the reason in one line.
	Tag, Why string
	// Older tells that it is older than Now by the rule's order.
	Older bool
}

// gateNewest names the verdict on a tag that was chosen.
const gateNewest = "newest"

// enters tells whether images come in from outside, or from the past.
func (r Request) enters() bool { return r.Version != "" || r.Newest || r.Back != nil }

// entry is what they come in by, as plans and records have it.
func (r Request) entry(to *pipeline.Environment) string {
	switch {
	case r.Back != nil:
		return ""
	case !r.Newest:
		return "version " + r.Version
	case to.Admit == nil:
		return "newest"
	}
	return "newest " + to.Admit.Newest
}

// origin gives the environment that images come from: the target itself where they come
// in from outside, whose pins are then replaced. Where there is a source nothing does:
// else what was never tested there could pass it by.
func (p *Promoter) origin(to *pipeline.Environment, req Request) (*pipeline.Environment, error) {
	switch {
	case !req.enters():
		return p.Source(to, req.From)
	case req.Back != nil:
		return to, nil
	case req.Newest && req.Version != "":
		return nil, usage("one of the two", "a version is named although the newest is asked for")
	case req.From != "":
		return nil, usage("one of the two", "a source is named although a version comes in from outside")
	case len(to.From) > 0:
		return nil, usage("", "nothing comes into %q from outside: it is promoted from %s", to.Name, strings.Join(to.From, ", ")).
			advising(advise(DoPromote, "from", to.From[0], "to", to.Name))
	case req.Newest:
		return to, nil
	}
	pin, ok := history.ParsePin(req.Version)
	switch {
	case !ok:
		return to, usage("give a tag as the registry has it, TAG@DIGEST or @DIGEST", "version %q is malformed", req.Version)
	case p.Pipeline.Spec.Pin == pipeline.PinTag && pin.Tag == "":
		return to, usage("give TAG or TAG@DIGEST", "version %q has no tag, and the pipeline pins by tag", req.Version)
	}
	return to, nil
}

// enterFiles makes a part of the draft of each file of the target, whose images are
// their own counterparts.
func (w *planner) enterFiles(c *draft, files []siteFile) {
	for _, f := range files {
		p := &part{plan: FilePlan{Source: f.Name(), Target: f.Name()}, site: f.site, target: f.Bytes(), alone: true}
		c.parts = append(c.parts, p)
		w.pair(c, p, []siteFile{f}, f)
	}
}

// enter gives the images of the target what comes in, in the place of what a source
// would have.
func (w *planner) enter(ctx context.Context) error {
	if !w.req.enters() {
		return nil
	}
	if w.req.Back != nil {
		return w.goBack()
	}
	var errs []error
	for _, c := range slices.Clone(w.drafts) {
		errs = append(errs, w.setAside(c.plan.Service, w.unclear(c)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if w.req.Newest {
		return w.chooseNewest(ctx)
	}
	pin, _ := history.ParsePin(w.req.Version) // which is sound; see origin
	for _, c := range w.drafts {
		for _, i := range c.all() {
			w.takeIn(i, pin)
		}
	}
	return nil
}

// takeIn lets a pin come in for an image.
func (w *planner) takeIn(i *draftImage, pin Pin) {
	i.source.Tag, i.source.Digest, i.source.Misread = pin.Tag, pin.Digest, overlay.Misread{}
	i.digest = pin.Digest
	i.done = pin.Digest != "" && w.pinned(i) == i.plan.Old
}

// unclear is an error where a service has several images, or several pins of one, and
// nobody has said which of them is meant.
func (w *planner) unclear(c *draft) error {
	var names, paths []string
	for _, p := range c.parts {
		apart := history.PinnedApart(p.images)
		for _, i := range p.paired {
			if !slices.Contains(names, i.source.Name) {
				names = append(names, i.source.Name)
			}
			if apart[i.source.Name] && !slices.Contains(w.req.Images, i.source.Path) {
				paths = append(paths, i.source.Path)
			}
		}
	}
	switch {
	case len(paths) > 0:
		return failure("name one by its path: "+strings.Join(paths, ", "), "service %q has pins of one image in %s with different tags, and one version comes in", c.plan.Service, w.to.Name).
			advising(advise(DoChooseImages))
	case len(names) > 1 && len(w.req.Images) == 0:
		return failure("", "service %q has several images in %s, and one version comes in: %s", c.plan.Service, w.to.Name, strings.Join(names, ", ")).
			advising(advise(DoChooseImages))
	}
	return nil
}

// chooseNewest finds the newest tags of all images.
func (w *planner) chooseNewest(ctx context.Context) error {
	asked, err := w.newestQuestions(ctx)
	if err != nil || len(asked) == 0 {
		return err
	}
	questions := make([]NewestQuestion, len(asked))
	for n, q := range asked {
		questions[n] = q.ask
	}
	answers, err := w.Tags.Newest(ctx, questions, w.progress("choosing", len(questions)))
	if err != nil {
		return err
	}
	for n, a := range answers {
		w.takeNewest(asked[n].c, asked[n].i, a)
	}
	return nil
}

// newestAsked is an image whose newest tag is asked for.
type newestAsked struct {
	question
	ask NewestQuestion
}

func (w *planner) newestQuestions(ctx context.Context) ([]newestAsked, error) {
	var asked []newestAsked
	var files []string
	var errs []error
	said := make(map[string]bool)
	for _, c := range slices.Clone(w.drafts) {
		for _, i := range c.all() {
			i.done = true // it stays as it is, unless a tag is found
			rule, err := w.ruleFor(i)
			switch {
			case err != nil:
				if err = w.setAside(c.plan.Service, err); err != nil && !said[err.Error()] {
					said[err.Error()] = true
					errs = append(errs, err)
				}
			case !i.target.Known():
				w.say(c, gateNewest, Fail, "", "%s: %s, so its tags cannot be listed", imageAt(i.file, i.target), i.target.Unknown)
			case w.Tags == nil:
				w.say(c, gateNewest, Unknown, "", "image %q: no registry may be asked for its tags", i.source.Name).Advice = advise(DoAskRegistry)
			default:
				asked = append(asked, newestAsked{question{c: c, i: i}, NewestQuestion{Repository: i.plan.Repository, Now: i.target.Tag, Rule: rule.text, RuleAt: rule.at}})
				if rule.file != "" && !slices.Contains(files, rule.file) {
					files = append(files, rule.file)
				}
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return asked, w.committedRules(ctx, files)
}

// takeNewest lets the newest tag come in, unless it is older than what is there.
func (w *planner) takeNewest(c *draft, i *draftImage, a NewestTag) {
	switch {
	case a.Answer != Pass:
		w.say(c, gateNewest, a.Answer, "", "image %q: %s", i.source.Name, a.Reason)
	case a.Older && !w.req.AllowDowngrade:
		w.say(c, gateNewest, Fail, "", "image %q: the newest is older than %s, which %s has: %s", i.source.Name, i.target.Tag, w.to.Name, a.Why).
			Advice = advise(DoAllowDowngrade)
	default:
		i.plan.Why = a.Why
		w.takeIn(i, Pin{Tag: a.Tag})
	}
}

// pinnedTo says of an image which tag it has, or is to have, at the beginning of a
// message.
func (w *planner) pinnedTo(i *draftImage) string {
	if w.req.enters() {
		return fmt.Sprintf("image %q is to have the tag %s", i.source.Name, i.source.Tag)
	}
	return imageAt(i.file, i.source) + " is pinned to the tag " + i.source.Tag
}

// takeEntered notes what comes in. A digest was given because somebody has it from a
// build: unlike one that an environment has had, it is not taken where the registry
// cannot say that it is there, nor beside a tag that stands for another.
func (w *planner) takeEntered(q question, r Resolution) {
	moved := r.TagDigest != "" && r.TagDigest != r.Digest
	switch byTag := w.byTag(q.i) && q.i.source.Digest == ""; {
	case r.Answer == Pass && moved:
		w.say(q.c, "resolve", Fail, "", "image %q: the tag %s stands for %s and not for the digest given, %s", q.i.source.Name, q.i.source.Tag, r.TagDigest, r.Digest)
	case r.Answer == Pass:
		q.i.digest = r.Digest
		if old := q.i.target; old.Tag == q.i.source.Tag && old.Digest != "" && old.Digest != r.Digest {
			w.warn(q.c, "image %q: the tag %s stood for %s and now stands for %s", q.i.source.Name, old.Tag, old.Digest, r.Digest)
		}
	case r.Answer == Unknown && byTag:
		w.warn(q.c, "image %q: the registry could not be asked whether it has the tag: %s", q.i.source.Name, r.Reason)
	default:
		w.say(q.c, "resolve", r.Answer, "", "image %q: %s", q.i.source.Name, r.Reason)
	}
}
