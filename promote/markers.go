package promote

import (
	"context"
	"errors"
	"fmt"
)

// writtenOver warns of pins that Flux writes as well: what is promoted stays until it
// looks again.
func (w *planner) writtenOver(context.Context) error {
	for _, c := range w.drafts {
		for _, i := range c.all() {
			if i.target.Policy == "" || i.plan.New == i.plan.Old {
				continue
			}
			set, err := w.policies()
			if err != nil {
				w.plan.Warnings = append(w.plan.Warnings, "whether Flux writes over what is promoted could not be told: "+err.Error())
				return nil // it stops no promotion
			}
			if by := set.WrittenBy(i.target.Policy, i.plan.File); by != "" {
				w.warn(c, "%s has a marker, and Flux sets it back: %s", imageAt(i.plan.File, i.target), by)
			}
		}
	}
	return nil
}

// newestRule is how the newest tag of an image is chosen, and where that stands; file is
// the ImagePolicy's, if it is one.
type newestRule struct{ text, at, file string }

// ruleFor gives the environment's rule, or that of the ImagePolicy which the pin's
// marker names.
func (w *planner) ruleFor(i *draftImage) (newestRule, error) {
	if w.to.Admit != nil {
		return newestRule{text: w.to.Admit.Newest, at: fmt.Sprintf("admit.newest of environment %q", w.to.Name)}, nil
	}
	none := usage(`write admit: {newest: "semver:>=1.0"} into the pipeline`, "the pipeline does not say which tags %q admits", w.to.Name)
	if i.target.Policy == "" {
		return newestRule{}, none
	}
	set, err := w.policies()
	if err != nil {
		return newestRule{}, err
	}
	p, ok := set.Policy(i.target.Policy)
	switch {
	case !ok:
		none.Msg += fmt.Sprintf(", and ImagePolicy %s is not in the repository", i.target.Policy)
		return newestRule{}, none
	case p.Rule == "":
		none.Msg = fmt.Sprintf("%s: the rule of ImagePolicy %s is not one that tags are chosen by here", p.File, i.target.Policy)
		return newestRule{}, none
	}
	return newestRule{p.Rule, fmt.Sprintf("%s: ImagePolicy %s", p.File, i.target.Policy), p.File}, nil
}

// committedRules makes sure that the files of policies are as they are committed: like
// all rules they count as such.
func (w *planner) committedRules(ctx context.Context, files []string) error {
	if len(files) == 0 {
		return nil
	}
	state, err := w.target.State(ctx, files)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		if how := state.Dirty[file]; how != "" {
			errs = append(errs, uncommitted(file, how))
		}
	}
	return errors.Join(errs...)
}
