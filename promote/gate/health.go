package gate

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// health passes where what is promoted is healthy in the environment that it comes from,
// and what runs there is just that.
type health struct {
	cfg  *pipeline.Health
	deps Deps
}

func (h *health) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	r, v := h.ask(ctx, q)
	if v != nil {
		return *v
	}
	return promote.Verdict{Answer: r.Answer, Reason: r.Reason, Hint: r.Hint}
}

// ask asks the clusters; the verdict, if any, says why they are not asked.
func (h *health) ask(ctx context.Context, q promote.GateRequest) (cluster.Report, *promote.Verdict) {
	none := func(v promote.Verdict) (cluster.Report, *promote.Verdict) { return cluster.Report{}, &v }
	if h.deps.Clusters == nil {
		v := unknown("no cluster may be asked")
		v.Advice = promote.Advice{Do: promote.DoAskRegistry}
		return none(v)
	}
	environment, seen, as := cmp.Or(h.cfg.Environment, q.From), h.cfg, q
	if !seen.Says() {
		if seen = h.own(environment); seen == nil {
			return none(unknown("environment %q does not say where its health is seen", environment))
		}
		as.From, as.To = environment, environment
	}
	question := cluster.Question{Targets: targets(seen, as), Contains: h.deps.Contains}
	var tagged []string
	for _, i := range q.Images {
		switch {
		case len(seen.Images) > 0 && !slices.Contains(seen.Images, i.Name):
		case i.New.Digest == "":
			tagged = append(tagged, i.Name)
		default:
			question.Images = append(question.Images, cluster.Image{Name: i.Name, Repository: i.Repository, Digest: i.New.Digest})
		}
	}
	if seen.ArgoCD != nil || seen.Flux != nil && seen.Flux.Kustomization != "" {
		commits, v := h.commits(ctx, q, environment)
		if v != nil {
			return cluster.Report{}, v
		}
		question.Commits = commits
	}
	r := h.deps.Clusters.Health(ctx, question)
	if r.Answer == promote.Pass {
		compared(&r, question, q, tagged)
	}
	return r, nil
}

// compared makes unknown what is healthy and may be something else than what is promoted.
func compared(r *cluster.Report, asked cluster.Question, q promote.GateRequest, tagged []string) {
	switch {
	case len(tagged) > 0:
		r.Reason += fmt.Sprintf("; the digest of image %q is not known, so nobody can tell whether it runs", fault.Shorten(tagged[0]))
	case len(asked.Images)+len(asked.Commits) > 0:
		return
	case len(q.Images) > 0:
		r.Reason += "; none of the images that it names is promoted"
		return
	default:
		r.Reason += "; no image is promoted, and nobody can tell whether it is what else is promoted that runs"
		r.Hint = "when: size(images) > 0"
	}
	r.Answer, r.Since = promote.Unknown, time.Time{}
}

// own is what an environment says itself.
func (h *health) own(environment string) *pipeline.Health {
	if h.deps.Pipeline == nil {
		return nil
	}
	e, err := h.deps.Pipeline.Environment(environment)
	if err != nil {
		return nil
	}
	return e.Health
}

// targets are what is looked at for one service.
func targets(h *pipeline.Health, q promote.GateRequest) []cluster.Target {
	contexts := h.Contexts
	if len(contexts) == 0 {
		contexts = []string{h.Context}
	}
	var all []cluster.Target
	for _, name := range contexts {
		name = fill(name, q)
		if h.Objects() {
			t := cluster.Target{Context: name, Namespace: fill(h.Namespace, q), Kind: cmp.Or(h.Kind, kinds.Deployment), APIVersion: h.APIVersion,
				Name: fill(h.Name, q), Selector: fill(h.Selector, q)}
			if t.Selector == "" {
				t.Name = cmp.Or(t.Name, path.Base(q.Service))
			}
			all = append(all, t)
		}
		if a := h.ArgoCD; a != nil {
			all = append(all, cluster.Target{Context: cmp.Or(fill(a.Context, q), name), Namespace: cmp.Or(fill(a.Namespace, q), "argocd"),
				Kind: kinds.Application, Name: fill(a.Application, q)})
		}
		if f := h.Flux; f != nil {
			t := cluster.Target{Context: cmp.Or(fill(f.Context, q), name), Namespace: cmp.Or(fill(f.Namespace, q), "flux-system"),
				Kind: kinds.Kustomization, Name: fill(f.Kustomization, q)}
			if f.HelmRelease != "" {
				t.Kind, t.Name = kinds.HelmRelease, fill(f.HelmRelease, q)
			}
			all = append(all, t)
		}
	}
	return all
}

// commits are those that have brought the images to an environment: what is live there must
// have them.
func (h *health) commits(ctx context.Context, q promote.GateRequest, environment string) ([]string, *promote.Verdict) {
	if h.deps.History == nil || h.deps.Contains == nil {
		v := unknown("there is no history to read, and so nobody can tell which commit must be live")
		return nil, &v
	}
	var all []string
	for _, i := range q.Images {
		if i.New.Digest == "" {
			continue
		}
		at, err := h.deps.History.since(ctx, q, environment, i.New, false)
		switch {
		case err != nil:
			v := historyFault(err, environment)
			return nil, &v
		case !at.found:
			v := unknown("image %q: %s does not have %s by its digest, and so nobody can tell which commit must be live", fault.Shorten(i.Name), environment, short(i.New.Digest))
			v.Hint = "pin " + environment + " by digest"
			return nil, &v
		case !slices.Contains(all, at.commit):
			all = append(all, at.commit)
		}
	}
	if delivered := q.From == q.To; delivered && len(all) == 0 && q.Head != "" {
		all = []string{q.Head} // what it has brought is not known, but where
	}
	return all, nil
}
