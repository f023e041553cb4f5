package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/record"
)

// Superseded is a pull request that was closed as another one has all of it.
type Superseded struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
}

// Branches are those of the repository that pull requests are on.
type Branches interface {
	// Heads lists those that begin with one of the prefixes.
	Heads(ctx context.Context, prefixes ...string) ([]string, error)
	// Proposes tells whether a branch still ends with a commit, and that is a
	// promotion's and nobody else's.
	Proposes(ctx context.Context, name, commit string) (bool, error)
}

// Supersede closes what a pull request of several services replaces: the open ones into
// the same environment and branch whose services are all in it. A comment says which one
// has taken their place. One on whose branch somebody has committed stays open, and so
// does one that moves a service that the new one does not. The result is that of
// [Publish], and has what was closed; an error is about what stays open by it.
func Supersede(ctx context.Context, f forge.Forge, b Branches, plan *promote.Plan, r *Result) error {
	carried := make(map[string]bool)
	for _, t := range record.Parse("-\n\n" + plan.Record()) {
		carried[t.Service] = true
	}
	if len(carried) < 2 || plan.RollbackOf != "" || r.Merged {
		return nil
	}
	prefix := record.Branch("promote", plan.To, []string{""})
	heads, err := b.Heads(ctx, prefix)
	if err != nil {
		return err
	}
	heads = slices.DeleteFunc(heads, func(head string) bool {
		return head == plan.Proposal() || !mayBeOf(strings.TrimPrefix(head, prefix), carried)
	})
	var errs []error
	for _, head := range heads[:min(len(heads), mostPending)] {
		there, err := f.Find(ctx, forge.FindRequest{Head: head, Base: plan.Branch})
		errs = append(errs, err)
		for _, pr := range there {
			errs = append(errs, supersede(ctx, f, b, plan, r, pr, carried))
		}
	}
	return errors.Join(errs...)
}

// mayBeOf tells whether the end of a branch's name may be that of services which are
// carried: of one by its name, or of several, which only the record names.
func mayBeOf(name string, carried map[string]bool) bool {
	return carried[name] || strings.Contains(name, "-services-")
}

func supersede(ctx context.Context, f forge.Forge, b Branches, plan *promote.Plan, r *Result, pr forge.PullRequest, carried map[string]bool) error {
	sets := recordIn(pr.Body)
	for _, t := range sets {
		if t.To != plan.To || !carried[t.Service] {
			return nil
		}
	}
	if len(sets) == 0 || pr.Number == r.Number {
		return nil
	}
	ours, err := b.Proposes(ctx, pr.Head, pr.HeadCommit)
	if err != nil || !ours {
		return err
	}
	if err := f.Close(ctx, pr.Number, fmt.Sprintf("Replaced by %s, which has all of it.", r.URL)); err != nil {
		return err
	}
	r.Superseded = append(r.Superseded, Superseded{pr.Number, pr.URL})
	return nil
}
