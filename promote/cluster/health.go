package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
)

// Target is what is looked at: one object by its name, or all that a selector chooses.
type Target struct {
	// Context is one of the kubeconfig; empty for the current one.
	Context string
	// Namespace is by default that of the context.
	Namespace string
	// Kind is that of the objects. APIVersion is needed where the kind is none of those
	// that are known by their name.
	Kind, APIVersion string
	Name, Selector   string
}

// Question is what is asked.
type Question struct {
	Targets []Target
	// Images, if not empty, are those that the pods of the targets must run, and no others
	// of their repositories: of a CronJob those that it makes. Whoever asks for pods must be
	// let list them. Where there are images or commits and neither pods nor a live commit
	// to compare them with, the answer is unknown.
	Images []Image
	// Commits are those that must be live: Contains tells whether one of them is in the
	// history of a revision that Argo CD or Flux have made live, or is it. Its error is
	// why that cannot be told.
	Commits  []string
	Contains func(ctx context.Context, commit, revision string) (bool, error)
}

// Report is how the targets are.
type Report struct {
	// Answer is pass where all are healthy, wait where that may come, fail where one has
	// failed and somebody has to mend it, unknown where it cannot be told.
	Answer promote.Answer
	Reason string
	// Hint, if any, can be typed or done.
	Hint string
	// Since is from when on all have been healthy; zero where they are not, or do not say.
	Since   time.Time
	Objects []Object
}

// Object is one of them.
type Object struct {
	Context   string         `json:"context,omitempty"`
	Kind      string         `json:"kind"`
	Namespace string         `json:"namespace,omitempty"`
	Name      string         `json:"name"`
	Answer    promote.Answer `json:"answer"`
	Reason    string         `json:"reason"`
	// Since is from when on it has been healthy; zero where it does not say.
	Since time.Time `json:"since,omitzero"`
}

// String names the object and says how it is.
func (o Object) String() string {
	where := cmp.Or(o.Namespace, "") + "/"
	if o.Namespace == "" {
		where = ""
	}
	text := fmt.Sprintf("%s %s%s: %s", o.Kind, where, o.Name, o.Reason)
	if o.Context != "" {
		text = o.Context + ": " + text
	}
	return text
}

// The bounds of one question.
const (
	mostObjects = 500
	sideBySide  = 8
)

// Health tells how targets are. What cannot be read makes the answer unknown, with a hint;
// an object that is not there may come.
func (c *Clusters) Health(ctx context.Context, q Question) Report {
	answers := make([]part, len(q.Targets))
	var wait sync.WaitGroup
	places := make(chan struct{}, sideBySide)
	for i, t := range q.Targets {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			answers[i] = c.target(ctx, t, q)
		})
	}
	wait.Wait()
	return summary(answers, q)
}

// part is what was found out about one target.
type part struct {
	objects []Object
	// pods tells that there were pods to look at, commit that the live commit was.
	pods, commit bool
	err          error
}

// Object reads the one object that a target names, of a kind that is known by its name.
func (c *Clusters) Object(ctx context.Context, t Target) (map[string]any, error) {
	con, err := c.connect(t.Context)
	if err != nil {
		return nil, err
	}
	r, err := con.resourceOf(ctx, t.APIVersion, t.Kind)
	if err != nil {
		return nil, err
	}
	return con.object(ctx, r, cmp.Or(t.Namespace, con.namespace), t.Name)
}

func (c *Clusters) target(ctx context.Context, t Target, q Question) part {
	con, err := c.connect(t.Context)
	if err != nil {
		return part{err: err}
	}
	r, err := con.resourceOf(ctx, t.APIVersion, t.Kind)
	if err != nil {
		return part{err: err}
	}
	namespace := cmp.Or(t.Namespace, con.namespace)
	var found []object
	if t.Selector == "" {
		one, err := con.object(ctx, r, namespace, t.Name)
		if e, ok := errors.AsType[*Error](err); ok && e.absent {
			return part{objects: []Object{{con.context, t.Kind, namespace, t.Name, promote.Wait, "it is not there", time.Time{}}}}
		}
		if err != nil {
			return part{err: err}
		}
		found = []object{one}
	} else if found, err = list[object](ctx, con, r, namespace, t.Selector); err != nil {
		return part{err: err}
	}
	switch {
	case len(found) == 0:
		return part{objects: []Object{{con.context, t.Kind, namespace, "with " + t.Selector, promote.Wait, "there is none", time.Time{}}}}
	case len(found) > mostObjects:
		return part{err: &Error{Msg: fmt.Sprintf("%s: %q chooses %d objects, and at most %d are looked at", con.where(), t.Selector, len(found), mostObjects)}}
	}
	return con.look(ctx, r, found, q)
}

// look judges objects of one kind, and their pods together: an image may be in those of one
// of them alone.
func (c *connection) look(ctx context.Context, r resource, found []object, q Question) part {
	var out part
	var pods []pod
	var owners []int // of the pods, by their place in found
	for n, o := range found {
		s := judge(r.kind, o)
		mine, has, err := c.needPods(ctx, r, o, s, q)
		if err != nil {
			return part{err: err}
		}
		out.pods = out.pods || has
		pods, owners = append(pods, mine...), append(owners, slices.Repeat([]int{n}, len(mine))...)
		if s = withPods(s, mine, has); s.answer == promote.Pass {
			var seen bool
			if s, seen, err = live(ctx, r.kind, o, s, q); err != nil {
				return part{err: err}
			}
			out.commit = out.commit || seen
		}
		out.objects = append(out.objects, Object{c.context, r.kind, o.namespace(), o.name(), s.answer, s.reason, s.since})
	}
	if healthy := !slices.ContainsFunc(out.objects, func(o Object) bool { return o.Answer != promote.Pass }); healthy && out.pods && len(q.Images) > 0 {
		last := &out.objects[len(out.objects)-1]
		s, at := running(q.Images, pods)
		if at >= 0 {
			last = &out.objects[owners[at]]
		}
		if s.answer != promote.Pass {
			last.Answer, last.Reason, last.Since = s.answer, s.reason, time.Time{}
		} else {
			last.Reason += ", and run " + digestsOf(q.Images)
		}
	}
	return out
}

// needPods reads the pods of an object where they matter: which images they run, what
// keeps them from being ready, since when they are. Where only the reason would be better
// with them, it does without those that may not be read.
func (c *connection) needPods(ctx context.Context, r resource, o object, s state, q Question) ([]pod, bool, error) {
	if s.answer == promote.Fail || s.answer == promote.Unknown || s.answer == promote.Pass && len(q.Images) == 0 && !s.since.IsZero() {
		return nil, false, nil
	}
	pods, has, err := c.podsOf(ctx, r.kind, o)
	if err != nil && (len(q.Images) == 0 || s.answer != promote.Pass) {
		return nil, false, nil
	}
	return pods, has, err
}

// withPods adds to an object's state what its pods say.
func withPods(s state, pods []pod, has bool) state {
	if s.answer != promote.Pass {
		for _, p := range pods {
			if text := p.trouble(); text != "" {
				s.reason += "; " + text
				break
			}
		}
		return s
	}
	if has && s.since.IsZero() {
		for _, p := range pods {
			s.since = latest(s.since, p.ready())
		}
	}
	return s
}

// live tells whether what has brought a service has the commits that must be live; seen is
// false where nobody asks, or the kind knows of no commits.
func live(ctx context.Context, kind string, o object, s state, q Question) (_ state, seen bool, err error) {
	if len(q.Commits) == 0 || kind != kinds.Application && kind != kinds.Kustomization {
		return s, false, nil
	}
	all := revisions(kind, o)
	if len(all) == 0 {
		return untold("it does not tell which commit is live"), true, nil
	}
	at := ""
	for _, commit := range q.Commits {
		has := false
		if at, has, err = q.contains(ctx, all, commit); err != nil {
			return s, true, err
		}
		if !has {
			return progressing("%s is live, which does not have %s", brief(at), brief(commit)), true, nil
		}
	}
	s.reason += " at " + brief(at)
	return s, true, nil
}

// contains tells whether one of the sources has a commit, and which revision says so. A source
// that it cannot be told of is one of another repository, which does not matter, where
// another source is known here that has another address.
func (q Question) contains(ctx context.Context, all []source, commit string) (at string, has bool, err error) {
	ours := make(map[string]bool)
	faults := make([]error, len(all))
	for i, s := range all {
		if has, faults[i] = q.Contains(ctx, commit, s.revision); faults[i] != nil {
			continue
		}
		if ours[s.repository] = true; has || at == "" {
			at = s.revision
		}
		if has {
			return at, true, nil
		}
	}
	for i, fault := range faults {
		if fault != nil && (len(ours) == 0 || ours[all[i].repository]) {
			return "", false, fault
		}
	}
	return at, false, nil
}

// brief is a commit as messages have it.
func brief(commit string) string { return commit[:min(len(commit), 12)] }

func digestsOf(images []Image) string {
	var all []string
	for _, i := range images {
		all = append(all, i.Digest)
	}
	return shorts(all)
}

// summary is what targets say together.
func summary(answers []part, q Question) Report {
	var out Report
	var all []promote.Answer
	pods, commit, told := false, false, true
	for _, a := range answers {
		pods, commit = pods || a.pods && len(q.Images) > 0, commit || a.commit
		out.Objects = append(out.Objects, a.objects...)
		if a.err != nil {
			all = append(all, promote.Unknown)
		}
		for _, o := range a.objects {
			all = append(all, o.Answer)
			told = told && !o.Since.IsZero()
			out.Since = latest(out.Since, o.Since)
		}
	}
	out.Answer = promote.Worst(all...)
	if !told || out.Answer != promote.Pass {
		out.Since = time.Time{}
	}
	var reasons []string
	for _, a := range answers {
		if a.err != nil && out.Answer == promote.Unknown {
			reasons = append(reasons, fault.OneLine(a.err.Error()))
			out.Hint = cmp.Or(out.Hint, fault.HintOf(a.err))
		}
	}
	for _, o := range out.Objects {
		if o.Answer == out.Answer {
			reasons = append(reasons, o.String())
		}
	}
	out.Reason = someOf(reasons)
	switch {
	case out.Answer != promote.Pass || pods || len(q.Images)+len(q.Commits) == 0:
	case !commit: // what is healthy may be anything
		out.Answer, out.Since, out.Hint = promote.Unknown, time.Time{}, "kind: Deployment"
		out.Reason += "; neither which images run nor which commit is live was looked at"
	case len(q.Images) > 0:
		out.Reason += "; which images run was not looked at"
	}
	return out
}

// someOf are the first reasons.
func someOf(reasons []string) string {
	const most = 3
	text := ""
	for i, r := range reasons {
		if i == most {
			return fmt.Sprintf("%s; and %d more", text, len(reasons)-most)
		}
		if i > 0 {
			text += "; "
		}
		text += r
	}
	return text
}
