package promote

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// latestTag names no version: what it stands for changes by convention.
const latestTag = "latest"

// question is a reference to be resolved and the image it is asked for.
type question struct {
	c   *draft
	i   *draftImage
	ref string
}

// copyThere advises to copy the image to where the target pulls it from.
func (q question) copyThere() Advice {
	return advise(DoCopy, "source", Pin{Tag: q.i.source.Tag, Digest: q.i.digest}.Ref(q.i.source.Repository()), "target", Pin{Tag: q.i.source.Tag}.Ref(q.i.plan.Repository))
}

// resolve turns every tag into a digest, once, and finds out whether the target
// can pull it. Images that the target has already are not asked for.
func (w *planner) resolve(ctx context.Context) error {
	var questions, recorded []question
	for _, c := range w.drafts {
		for _, i := range c.all() {
			q, ok := question{}, false
			if !i.done {
				q, ok = w.ask(c, i)
			}
			switch {
			case !ok:
			case w.Recorded != nil && i.source.Digest != "" && w.Pipeline.Spec.Pin != pipeline.PinTag && (!w.req.enters() || w.req.Back != nil):
				recorded = append(recorded, q)
			default:
				questions = append(questions, q)
			}
		}
	}
	if err := w.resolveAll(ctx, w.Resolver, questions, "resolving", w.takeDigest); err != nil {
		return err
	}
	if err := w.resolveAll(ctx, w.Recorded, recorded, "looking for recorded digests", w.takeDigest); err != nil {
		return err
	}
	// Where the target pulls from another registry, the digest must be there.
	var elsewhere []question
	for _, c := range w.drafts {
		for _, i := range c.all() {
			if !w.unknownTarget(c, i) && !i.done && i.digest != "" && i.plan.Repository != i.source.Repository() && w.Resolver != nil {
				elsewhere = append(elsewhere, question{c, i, w.pulledRef(i)})
			}
		}
	}
	return w.resolveAll(ctx, w.Resolver, elsewhere, "looking in the target's registry", w.takePresence)
}

// notAsked is the reason where the policy named cannot be asked about an image.
const notAsked = "image %q: %s asks for signatures, and no registry may be asked for them"

// imageAt names an image by the place of its pin.
func imageAt(file string, i overlay.Pin) string {
	return fmt.Sprintf("%s:%d:%d: image %q", file, i.Position.Line, i.Position.Col, i.Name)
}

// pulledRef is what the target will pull: with its tag, where that decides.
func (w *planner) pulledRef(i *draftImage) string {
	if w.byTag(i) {
		return Pin{Tag: i.source.Tag, Digest: i.digest}.Ref(i.plan.Repository)
	}
	return i.promotedRef()
}

// ask decides whether a registry has to be asked about an image.
func (w *planner) ask(c *draft, i *draftImage) (question, bool) {
	switch {
	case w.checkMisread(c, i):
		return question{}, false
	case i.source.Tag == latestTag && i.source.Digest == "":
		w.say(c, "pin", Fail, "", "%s, which names no version", w.pinnedTo(i)).Advice = w.pinAdvice(c, i.source.Name)
		return question{}, false
	case w.namesEnvironment(i.source.Tag) && i.source.Digest == "":
		w.say(c, "pin", Fail, "", "%s, the name of an environment and of no version", w.pinnedTo(i)).Advice = w.pinAdvice(c, i.source.Name)
		return question{}, false
	case !i.source.Known():
		w.unknownSource(c, i)
		return question{}, false
	case w.Pipeline.Spec.Pin == pipeline.PinSource && w.byTag(i) && !w.Pipeline.Spec.AllowMutable:
		w.say(c, "pin", Fail, "allowMutable: true in the pipeline, or pin: tag+digest", "%s alone, and pin: source would write it as it is", w.pinnedTo(i))
		return question{}, false
	case w.Resolver == nil && i.source.Digest == "" && !w.byTag(i):
		w.say(c, "resolve", Unknown, "", "%s alone, and no registry may be asked for its digest", w.pinnedTo(i)).Advice = advise(DoAskRegistry)
		return question{}, false
	case w.Resolver == nil:
		return question{}, false
	}
	return question{c, i, i.source.Ref()}, true
}

// unknownSource says that an image's repository is not known, so that no registry
// can be asked. What is pinned by a digest, or by a tag on purpose, is promoted as
// it stands.
func (w *planner) unknownSource(c *draft, i *draftImage) {
	at := imageAt(i.file, i.source) + ": " + i.source.Unknown
	switch {
	case i.source.Digest != "":
		c.plan.Warnings = append(c.plan.Warnings, at+", so no registry is asked whether it has the recorded digest")
	case w.byTag(i):
		c.plan.Warnings = append(c.plan.Warnings, at+", so no registry is asked whether it has the tag")
	default:
		w.say(c, "resolve", Fail, "", "%s, so it cannot be resolved", at)
	}
}

// unknownTarget tells whether the target's repository is not known though the
// source's is, and says so: whether the target can pull the digest, nobody can tell.
func (w *planner) unknownTarget(c *draft, i *draftImage) bool {
	if i.create || i.target.Known() {
		return false
	}
	if !i.done && i.digest != "" && i.source.Known() && w.Resolver != nil {
		c.plan.Warnings = append(c.plan.Warnings, imageAt(i.plan.File, i.target)+": "+i.target.Unknown+", so no registry is asked whether the target can pull it")
	}
	return true
}

// namesEnvironment tells whether a tag is called as an environment of the pipeline.
// What it stands for changes with each deployment there.
func (w *planner) namesEnvironment(tag string) bool {
	return slices.ContainsFunc(w.Pipeline.Spec.Environments, func(e pipeline.Environment) bool { return strings.EqualFold(e.Name, tag) })
}

func (w *planner) resolveAll(ctx context.Context, by Resolver, questions []question, step string, take func(question, Resolution)) error {
	if len(questions) == 0 {
		return nil
	}
	refs := make([]string, len(questions))
	for n, q := range questions {
		refs[n] = q.ref
	}
	for n, r := range by.Resolve(ctx, refs, w.progress(step, len(refs))) {
		take(questions[n], r)
	}
	return nil
}

// checkMisread refuses an image whose tag is a number or a boolean to who reads the
// source: there another image runs than the one that the text names. Where a digest
// says what runs, and where the file is refused by who reads it, it is a warning.
func (w *planner) checkMisread(c *draft, i *draftImage) bool {
	m := i.source.Misread
	if !m.Found() {
		return false
	}
	if !m.Hides(i.source.Digest) {
		c.plan.Warnings = append(c.plan.Warnings, fmt.Sprintf("%s:%d:%d: %s; %s", i.file, m.Position.Line, m.Position.Col, m.Says(w.from.Name), m.Hint()))
		return false
	}
	w.say(c, "pin", Fail, m.Hint(), "%s:%d:%d: %s", i.file, m.Position.Line, m.Position.Col, m.Says(w.from.Name))
	return true
}

// takeDigest notes what a source reference stands for. A recorded digest stays
// what it is, whatever its tag has become: it is what was tested.
func (w *planner) takeDigest(q question, r Resolution) {
	switch {
	case w.req.enters() && w.req.Back == nil:
		w.takeEntered(q, r)
	case r.Answer == Pass:
		q.i.digest = r.Digest
		if r.TagDigest != "" && r.TagDigest != r.Digest && w.byTag(q.i) {
			w.say(q.c, "resolve", Fail, "pin: tag+digest in the pipeline", "image %q: the tag %s now stands for %s and not for the recorded digest %s, and the pipeline pins by tag",
				q.i.source.Name, q.i.source.Tag, r.TagDigest, r.Digest)
		} else if r.TagDigest != "" && r.TagDigest != r.Digest {
			q.c.plan.Warnings = append(q.c.plan.Warnings, fmt.Sprintf("image %q: the tag %s now stands for %s; the recorded digest %s is promoted",
				q.i.source.Name, q.i.source.Tag, r.TagDigest, r.Digest))
		}
	case r.Answer == Fail:
		w.say(q.c, "resolve", Fail, "", "image %q: %s", q.i.source.Name, r.Reason)
	case q.i.source.Digest != "":
		q.c.plan.Warnings = append(q.c.plan.Warnings, fmt.Sprintf("image %q: the registry could not be asked whether it has the recorded digest: %s", q.i.source.Name, r.Reason))
	case w.byTag(q.i):
		q.c.plan.Warnings = append(q.c.plan.Warnings, fmt.Sprintf("image %q: the registry could not be asked whether it has the tag: %s", q.i.source.Name, r.Reason))
	default:
		w.say(q.c, "resolve", Unknown, "", "image %q: %s", q.i.source.Name, r.Reason)
	}
}

// takePresence notes whether the target's registry has the digest.
func (w *planner) takePresence(q question, r Resolution) {
	switch r.Answer {
	case Pass:
		if r.TagDigest != "" && r.TagDigest != r.Digest && w.byTag(q.i) {
			w.say(q.c, "resolve", Fail, "", "image %q: %s has another digest in the target's registry, %s", q.i.source.Name, q.ref, r.TagDigest).Advice = q.copyThere()
		}
	case Fail:
		w.say(q.c, "resolve", Fail, "", "image %q: %s", q.i.source.Name, r.Reason).Advice = q.copyThere()
	default:
		w.say(q.c, "resolve", Unknown, "", "image %q: %s", q.i.source.Name, r.Reason)
	}
}

// verify asks the target environment's policy about every digest that would be
// written.
func (w *planner) verify(ctx context.Context) error {
	policy := w.req.Policy
	if policy == "" && w.to.Verify != nil {
		policy = w.to.Verify.Policy
	}
	if policy == "" {
		return nil
	}
	return w.verifyBy(ctx, GateVerify, VerifyRequest{Policy: policy})
}

// verifyBy asks the verifier on behalf of a gate. One digest in one repository is
// asked for once.
func (w *planner) verifyBy(ctx context.Context, gate string, req VerifyRequest) error {
	req.Environment = w.to.Name
	var questions []question
	for _, c := range w.drafts {
		// What else would run beside the images that are verified.
		if slices.ContainsFunc(c.all(), func(i *draftImage) bool { return !i.done }) {
			for _, u := range c.unread {
				w.say(c, gate, Unknown, "", "%s:%d:%d: image %q cannot be read, so nobody can say what runs there", u.File, u.Position.Line, u.Position.Col, cmp.Or(u.Text, u.Path))
			}
			// Whoever can write to the working tree could have made the rules.
			if file := w.Rules.Uncommitted; file != "" && w.req.Policy == "" {
				w.say(c, gate, Unknown, "git add "+shell.Pathspecs(file)+" && git commit", "%s is not committed, and what it asks for does not count until it is", file)
			}
		}
		for _, i := range c.all() {
			switch {
			case i.done:
			case !i.pulledFromKnown():
				w.say(c, gate, Unknown, "", "%s: %s, so nothing can be verified", imageAt(i.plan.File, i.target), i.target.Unknown)
			case i.digest == "" && w.byTag(i):
				w.say(c, gate, Unknown, "", "image %q: its digest is not known, so nothing can be verified", i.source.Name)
			case i.digest == "":
			case w.Verifier == nil:
				w.say(c, gate, Unknown, "", notAsked, i.source.Name, req.Policy).Advice = advise(DoAskRegistry)
			default:
				questions = append(questions, question{c, i, i.promotedRef()})
				req.Images, req.Services = append(req.Images, i.promotedRef()), append(req.Services, c.plan.Service)
			}
		}
	}
	if len(req.Images) == 0 {
		return nil
	}
	results, err := w.Verifier.Verify(ctx, req, w.progress("verifying", len(req.Images)))
	if err != nil {
		return err
	}
	for n, r := range results {
		q := questions[n]
		q.i.plan.Evidence = append(q.i.plan.Evidence, r.Evidence...)
		v := w.say(q.c, gate, r.Answer, "", "image %q: %s", q.i.source.Name, r.Reason)
		v.Rule, v.Override = r.Rule, r.Override
		if r.Override == "" {
			for _, warning := range r.Warnings {
				q.c.plan.Warnings = append(q.c.plan.Warnings, fmt.Sprintf("image %q: %s", q.i.source.Name, warning))
			}
		} else {
			q.c.plan.Warnings = append(q.c.plan.Warnings, fmt.Sprintf("NOT verified: %s; %s", v.Text(), r.Override))
		}
	}
	return nil
}
