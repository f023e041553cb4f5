package statuscmd

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/status"
)

// addCheck asks the registries whether tags stand for the digests that are pinned beside
// them. Each is asked once, however many environments have it.
func (o *options) addCheck(ctx context.Context, statuses []status.Service) error {
	resolver, err := o.session.NewResolver()
	if err != nil {
		return err
	}
	images := make(map[string][]*status.Image)
	var refs []string
	for n := range statuses {
		for m := range statuses[n].Environments {
			e := &statuses[n].Environments[m]
			for k := range e.Images {
				i := &e.Images[k]
				if i.Tag == "" || i.Digest == "" || i.Unknown != "" || i.Misread.Hides(i.Digest) {
					continue
				}
				ref := i.Ref(i.Repository)
				if images[ref] == nil {
					refs = append(refs, ref)
				}
				images[ref] = append(images[ref], i)
			}
		}
	}
	bar, done := o.session.NewProgress(), 0
	results := resolver.ResolveAll(ctx, refs, func(digest.Result) {
		done++
		bar.Show("asking", done, len(refs))
	})
	bar.Clear()
	// What a tag stands for now is asked of those that have moved, together.
	var moved []string
	for _, r := range results {
		if hasMoved(r) {
			moved = append(moved, r.Repository+":"+r.Tag)
		}
	}
	now := resolver.ResolveAll(ctx, moved, nil)
	for n, r := range results {
		check := tagCheck(r)
		if hasMoved(r) {
			check, now = movedCheck(r, now[0]), now[1:]
		}
		for _, i := range images[refs[n]] {
			i.TagCheck = check
		}
	}
	return ctx.Err()
}

func hasMoved(r digest.Result) bool {
	return r.Err == nil && r.TagDigest != "" && r.TagDigest != r.Digest
}

// tagCheck is what an answer means, where the tag has not moved.
func tagCheck(r digest.Result) *status.TagCheck {
	switch {
	case r.Err != nil:
		return &status.TagCheck{Answer: string(promote.Unknown), Reason: r.Err.Error()}
	case r.TagDigest == "":
		return &status.TagCheck{Answer: string(promote.Unknown), Reason: "there is no such tag any more, or it could not be asked for"}
	}
	return &status.TagCheck{Answer: string(promote.Pass), Digest: r.TagDigest}
}

// movedCheck is what it means that a tag stands for something else now. An image of one
// platform is pinned beside the tag of an index at times, which then has it or not: nobody
// looks.
func movedCheck(was, now digest.Result) *status.TagCheck {
	check := &status.TagCheck{Answer: string(promote.Fail), Digest: was.TagDigest}
	switch {
	case now.Err != nil:
		check.Answer, check.Reason = string(promote.Unknown), now.Err.Error()
	case isIndex(now) != isIndex(was):
		check.Answer, check.Reason = string(promote.Unknown), "one is an index and the other the image of one platform"
	}
	return check
}

func isIndex(r digest.Result) bool { return types.MediaType(r.MediaType).IsIndex() }

// tagMark is what stands beside a tag.
func tagMark(c *status.TagCheck) string {
	switch {
	case c == nil || c.Answer == string(promote.Pass):
		return ""
	case c.Answer == string(promote.Fail):
		return " moved"
	}
	return " tag unknown"
}

// tagsMark is the worst of an environment's.
func tagsMark(e status.Environment) string {
	worst := ""
	for _, i := range e.Images {
		if mark := tagMark(i.TagCheck); mark == " moved" || worst == "" {
			worst = mark
		}
	}
	return worst
}

// explainCheck says below the board what tags stand for that have moved.
func (o *options) explainCheck(shown []status.Service) {
	var facts []cli.Fact
	for _, st := range shown {
		for _, e := range st.Environments {
			for _, i := range e.Images {
				ask := "kubectl promote resolve " + i.Repository + ":" + i.Tag
				switch c := i.TagCheck; {
				case c == nil || c.Answer == string(promote.Pass):
				case c.Answer == string(promote.Fail):
					facts = append(facts, cli.Fact{Text: fmt.Sprintf("%s in %s: the tag %s of %s stands for %s now, and %s is pinned", st.Service, e.Environment, i.Tag, i.Repository, cli.ShortDigest(c.Digest), cli.ShortDigest(i.Digest)), Hint: ask})
				default:
					facts = append(facts, cli.Fact{Text: fmt.Sprintf("%s in %s: whether the tag %s of %s has moved cannot be told: %s", st.Service, e.Environment, i.Tag, i.Repository, c.Reason), Hint: ask})
				}
			}
		}
	}
	o.session.PrintFacts(facts)
}

// answer is the exit status that what was asked has: a tag that has moved is a difference,
// which is known whatever else is not.
func answer(statuses []status.Service) error {
	unknown := unseen(statuses)
	for _, st := range statuses {
		for _, e := range st.Environments {
			switch tagsMark(e) {
			case " moved":
				return cli.Silent(cli.ExitFailed)
			case " tag unknown":
				unknown = true
			}
		}
	}
	if unknown {
		return cli.Silent(cli.ExitUnknown)
	}
	return nil
}
