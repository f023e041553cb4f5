package lint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// checkLayout tells what a status warns of: locations that fit nothing, and pins that two
// of them claim.
func checkLayout(w *work) {
	if w.overlays == nil {
		return // why nobody can tell, the error says
	}
	for _, text := range w.Pipeline.Misfits(w.overlays, w.unknown...) {
		w.inPipeline("spec.layout", "kubectl promote init --dry-run", "%s", text)
	}
}

// checkPolicies finds policies that the pipeline names and the tree does not have.
func checkPolicies(w *work) {
	named := func(at, policy string) {
		if _, err := w.Tree.ReadFile(policy); policy != "" && errors.Is(err, fs.ErrNotExist) {
			w.inPipeline(at, "", "the policy %s is not there", policy)
		}
	}
	for i, e := range w.Pipeline.Spec.Environments {
		at := fmt.Sprintf("spec.environments[%d]", i)
		if e.Verify != nil {
			named(at+".verify.policy", e.Verify.Policy)
		}
		for _, g := range e.Gates {
			for _, policy := range g.Policies() {
				named(g.At, policy)
			}
		}
	}
}

// inPipeline notes a trap in the pipeline file, at a path as package yamlfile has it.
func (w *work) inPipeline(at, hint, format string, args ...any) {
	var p overlay.Position
	// The file is read again for its places, and only here.
	if f := yamlfile.Parse(w.Name, w.Source, yamlfile.Options{}); w.Source != nil && f.Decode(0, &pipeline.Pipeline{}) && f.Has(at) {
		f.At(at, "", "here")
		for _, fault := range f.Faults() {
			p = overlay.Position{Line: fault.Line, Col: fault.Col}
		}
	}
	w.at(w.Name, p, hint, format, args...)
}

// checkGuards finds environments that nothing is promoted from, to which everything may
// come that somebody types: no policy, no gate, nobody who looks at a pull request.
func checkGuards(w *work) {
	if w.Source == nil {
		return // nobody has said anything yet
	}
	sources := make(map[string]bool)
	for _, e := range w.Pipeline.Spec.Environments {
		for _, from := range e.From {
			sources[from] = true
		}
	}
	for i, e := range w.Pipeline.Spec.Environments {
		if sources[e.Name] || len(e.From) == 0 || e.Verify != nil || len(e.Gates) > 0 || e.Deliver.Mode == pipeline.DeliverPullRequest {
			continue
		}
		w.inPipeline(fmt.Sprintf("spec.environments[%d].name", i), "verify: {policy: policies/images.yaml}, gates, or deliver: {mode: pullRequest}",
			"%q is where the way ends, and nothing guards it: no policy, no gate, no pull request", e.Name)
	}
}

// checkRecorded finds environments whose promotions may be moves of a branch: no commit is
// made, so that nobody can read afterwards who promoted what and what the gates said.
func checkRecorded(w *work) {
	if w.Source == nil {
		return
	}
	for i, e := range w.Pipeline.Spec.Environments {
		if m := e.Merging(); m != nil && m.FastForward != "" && m.FastForward != pipeline.FastForwardNever {
			w.inPipeline(fmt.Sprintf("spec.environments[%d].strategy.merge.fastForward", i), "fastForward: never", "promotions to %q may leave no record, as a branch that is only moved has none", e.Name)
		}
	}
}

// checkVersions finds tags that stand for something else tomorrow by their very names.
func checkVersions(w *work) {
	for _, f := range w.files {
		for _, p := range f.pins {
			if p.Type != overlay.TypeImage || p.Digest != "" {
				continue
			}
			switch {
			case p.Tag == "" && p.Format == overlay.Kustomization:
				continue // it renames, and the manifests below have the tag
			case p.Tag == "":
				w.in(f, p.Position, pinHint(f, p), "image %q has neither tag nor digest: what runs is whatever is latest then", p.Name)
			case p.Tag == "latest":
				w.in(f, p.Position, pinHint(f, p), "image %q has the tag latest, which names no version", p.Name)
			case w.isEnvironment(p.Tag):
				w.in(f, p.Position, pinHint(f, p), "image %q has the tag %s, the name of an environment and of no version", p.Name, p.Tag)
			}
		}
	}
}

func (w *work) isEnvironment(tag string) bool {
	return slices.ContainsFunc(w.Pipeline.Spec.Environments, func(e pipeline.Environment) bool { return strings.EqualFold(e.Name, tag) })
}

// checkDigests finds tags without a digest in environments that digests are promoted to:
// what runs there was put in by other means, or before.
func checkDigests(w *work) {
	if w.Pipeline.Spec.Pin == pipeline.PinTag || w.Pipeline.Spec.Pin == pipeline.PinSource {
		return
	}
	for _, f := range w.files {
		if len(f.env.From) == 0 {
			continue
		}
		for _, p := range f.pins {
			if p.Type == overlay.TypeImage && p.Digest == "" && p.Tag != "" && p.Tag != "latest" && p.Known() && !w.isEnvironment(p.Tag) {
				w.in(f, p.Position, pinHint(f, p), "image %q has the tag %s alone, and the pipeline promotes digests to %s: what it stands for may change", p.Name, p.Tag, f.env.Name)
			}
		}
	}
}

// pinHint is how an image's digest is written where it stands.
func pinHint(f siteFile, p overlay.Pin) string {
	switch {
	case !p.Known():
		return ""
	case p.Format == overlay.Kustomization:
		return "kubectl promote resolve -k " + path.Dir(f.Name()) + " --pin"
	}
	return "kubectl promote resolve -f " + f.Name() + " --pin"
}

// checkMisread finds tags that are not text to who reads the file.
func checkMisread(w *work) {
	for _, f := range w.files {
		for _, p := range f.pins {
			if m := p.Misread; m.Found() {
				w.in(f, m.Position, m.Hint(), "%s", m.Says(f.env.Name))
			}
		}
	}
}

// checkUnread finds images that cannot be read.
func checkUnread(w *work) {
	for _, f := range w.files {
		for _, u := range status.UnreadIn(f.File) {
			w.in(f, u.Position, "", "image %q cannot be read, so nobody can say what runs there", cmp.Or(u.Text, u.Path))
		}
	}
}

// checkNames finds one repository under two names: a change of the one does not reach the
// other.
func checkNames(w *work) {
	for _, f := range w.files {
		first := make(map[string]overlay.Pin)
		for _, p := range f.pins {
			repository := p.Repository()
			if p.Type != overlay.TypeImage || p.Format != overlay.Kustomization || repository == "" || !p.Known() {
				continue
			}
			other, ok := first[repository]
			if !ok {
				first[repository] = p
			} else if other.Name != p.Name {
				w.in(f, p.Position, "", "images %q and %q are both %s: a promotion of the one leaves the other", other.Name, p.Name, repository)
			}
		}
	}
}

// checkUnlisted finds pins where the repository itself shows an environment, and no
// location of the pipeline leads there.
func checkUnlisted(w *work) {
	if w.Source == nil {
		return
	}
	found, _, err := discover.Pipeline(w.ctx, w.Tree)
	if err != nil {
		return // where nothing shows there is nothing to tell
	}
	overlays, err := found.Sites(w.Tree).All()
	if err != nil {
		return
	}
	listed := make(map[string]bool)
	for _, f := range w.files {
		listed[f.Name()] = true
	}
	sites := found.Sites(w.Tree)
	seen := make(map[string]bool)
	for _, service := range slices.Sorted(maps.Keys(overlays)) {
		for _, all := range overlays[service] {
			for _, one := range all {
				f, err := sites.Read(one, false)
				if err != nil || listed[f.Name()] || seen[f.Name()] {
					continue
				}
				seen[f.Name()] = true
				if pins, err := one.Pins(f); err == nil && len(pins) > 0 {
					w.at(f.Name(), pins[0].Position, "kubectl promote init --dry-run", "image %q stands where no location of the pipeline leads to: it is promoted by nobody", pins[0].Name)
				}
			}
		}
	}
}
