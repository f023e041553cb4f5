package review

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify"
)

// signed counts the signed approvals of each image that would change.
func (a *approvals) signed(ctx context.Context, q promote.GateRequest, apart *apart) []Count {
	var all []Count
	for _, i := range q.Images {
		c := Count{Type: a.kind(), Image: i.Repository + "@" + i.New.Digest, Least: a.cfg.Least()}
		switch {
		case i.Unknown != "":
			c.Verdict = say(promote.Unknown, "image %q: %s, so nobody can say what is approved", i.Name, i.Unknown)
		case i.New.Digest == "":
			c.Verdict = say(promote.Unknown, "image %q: its digest is not known, so nobody can say what is approved", i.Name)
		case a.g.Signed == nil:
			c.Verdict = untold("", errNobody)
		default:
			a.image(ctx, q, apart, &c)
		}
		if !slices.ContainsFunc(all, func(other Count) bool { return other.Image == c.Image }) { // which several files may have
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		v := say(promote.Unknown, "no image would change, and of nothing else there are signed approvals")
		all = []Count{{Type: a.kind(), Least: a.cfg.Least(), Verdict: v}}
	}
	return all
}

func (a *approvals) image(ctx context.Context, q promote.GateRequest, apart *apart, c *Count) {
	found, err := a.g.Signed(ctx, a.cfg.Policy, verify.Subject{Image: c.Image, Service: q.Service}, q.To)
	for _, one := range found {
		c.Given = append(c.Given, a.given(one, apart))
	}
	// Registries list them in any order; those of one second have that of their names.
	slices.SortStableFunc(c.Given, func(a, b Given) int { return strings.Compare(a.Who, b.Who) })
	c.settle(promote.Advice{Do: promote.DoApprove, With: map[string]string{"service": q.Service, "to": q.To}})
	if err != nil && c.Verdict.Answer != promote.Pass { // what was not read might have been enough
		c.Verdict = untold("", err)
	}
}

// given is an approval as it is listed.
func (a *approvals) given(v verify.Approval, apart *apart) Given {
	g := Given{Who: who(v), Reason: v.Reason, At: v.Time, Until: v.Expires, Commit: v.Commit, Note: v.Note, person: v.Signer}
	switch v.State {
	case verify.ApprovalExpired:
		g.State = Expired
	case verify.ApprovalOther:
		g.State = Other
	case verify.ApprovalForeign:
		g.State = Foreign
	default:
		g.State, g.Reason = apart.person(a.identities(v, apart), "a key does not say whose it is")
	}
	return g
}

// identities are what an approver is known by. A key says nothing of an author, whose
// address is all that is known.
func (a *approvals) identities(v verify.Approval, apart *apart) []string {
	known := nonEmpty(v.Evidence.Subject, v.Evidence.KeyID)
	if v.Evidence.Subject == "" && common(apart.builders, known) == "" && slices.Contains(a.cfg.Separate, pipeline.SeparateAuthor) {
		return nil
	}
	return known
}

// who names a signer. What an approval says of itself is told as such.
func who(v verify.Approval) string {
	switch {
	case v.Evidence.Subject != "":
		return v.Evidence.Subject
	case v.State == verify.ApprovalForeign:
		return strings.TrimSpace("a stranger " + called(v.Approver))
	case v.Evidence.KeyID != "":
		key := strings.TrimPrefix(v.Evidence.KeyID, "sha256:")
		return fmt.Sprintf("%s (key %.12s)", cmp.Or(v.Approver, v.Evidence.Authority), key)
	}
	return cmp.Or(v.Approver, v.Evidence.Authority)
}

func called(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf("who says to be %q", name)
}
