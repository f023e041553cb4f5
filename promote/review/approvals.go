package review

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/codeowners"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// approvals is the gate.
type approvals struct {
	g    *Gates
	cfg  *pipeline.ApprovalsGate
	asks asks
}

// Counter lists the approvals that a gate asks for: one count for a pull request, or one for
// each image. What it asks is asked once, for however many services it counts.
func (g *Gates) Counter(cfg *pipeline.ApprovalsGate) func(context.Context, promote.GateRequest) []Count {
	return (&approvals{g: g, cfg: cfg, asks: asks{g: g}}).count
}

func (a *approvals) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	all := a.count(ctx, q)
	worst := all[0]
	for _, c := range all[1:] {
		if promote.Worst(c.Verdict.Answer, worst.Verdict.Answer) != worst.Verdict.Answer {
			worst = c
		}
	}
	v := worst.Verdict
	if len(all) > 1 && v.Answer != promote.Pass {
		v.Reason = worst.Image + ": " + v.Reason
	}
	return v
}

func (a *approvals) count(ctx context.Context, q promote.GateRequest) []Count {
	apart, v := a.apart(ctx, q)
	if v != nil {
		return []Count{{Type: a.kind(), Least: a.cfg.Least(), Verdict: *v}}
	}
	if a.cfg.Signed() {
		return a.signed(ctx, q, apart)
	}
	return []Count{*a.reviews(ctx, q, apart)}
}

func (a *approvals) kind() string {
	if a.cfg.Signed() {
		return pipeline.FromAttestation
	}
	return pipeline.FromPullRequest
}

// reviews counts those of the pull request.
func (a *approvals) reviews(ctx context.Context, q promote.GateRequest, apart *apart) *Count {
	none := func(v promote.Verdict) *Count {
		return &Count{Type: a.kind(), Least: a.cfg.Least(), Verdict: v}
	}
	f, err := a.asks.forge(ctx, q.To)
	if err != nil {
		return none(untold("", err))
	}
	may, v := a.may(ctx, f, q)
	if v != nil {
		return none(*v)
	}
	pr, v := a.asks.pull(ctx, f, q)
	if v != nil {
		c := none(*v)
		if c.May = may.list(); v.Answer == promote.Wait && len(c.May) > 0 {
			c.Verdict.Reason += "; may approve: " + names(c.May)
		}
		return c
	}
	all, err := once(&a.asks, fmt.Sprintf("reviews %d", pr.Number), func() ([]forge.Review, error) { return f.Reviews(ctx, pr.Number) })
	if err != nil {
		return none(untold(number(pr)+": ", err))
	}
	c := of(pr, a.cfg.Least())
	for _, r := range all {
		g := Given{Who: fault.Shorten(fault.OneLine(r.User)), At: r.At, Commit: r.Commit, person: strings.ToLower(r.User + " " + r.ID)}
		g.State, g.Reason = a.state(r, pr, may, apart)
		c.Given = append(c.Given, g)
	}
	for _, name := range may.list() {
		if !strings.EqualFold(name, pr.Author) && !slices.ContainsFunc(c.Given, func(g Given) bool { return strings.EqualFold(g.Who, name) && g.State == Counts }) {
			c.May = append(c.May, name)
		}
	}
	c.settle(promote.Advice{})
	return c
}

func (a *approvals) state(r forge.Review, pr *forge.PullRequest, may *approvers, apart *apart) (State, string) {
	switch {
	case !may.has(r):
		return Foreign, ""
	case r.State == forge.ReviewChangesRequested:
		return Objects, ""
	case strings.EqualFold(r.User, pr.Author):
		return Author, ""
	case r.Stale || r.Commit != "" && !strings.HasPrefix(r.Commit, pr.HeadCommit):
		return Stale, ""
	}
	return apart.person(a.known(r.User), fmt.Sprintf("people does not say by what %s is known elsewhere", r.User))
}

// known are the names of a user elsewhere.
func (a *approvals) known(user string) []string {
	for name, all := range a.cfg.People {
		if strings.EqualFold(strings.TrimPrefix(name, "@"), user) {
			return all
		}
	}
	return nil
}

// approvers are those whose reviews count.
type approvers struct {
	names []string
	kind  forge.Kind
}

func (m *approvers) list() []string { return m.names }

// has tells whether somebody is among them. On Bitbucket Cloud anybody may take any name,
// so that nobody is known by it.
func (m *approvers) has(r forge.Review) bool {
	who := r.User
	if m.kind == forge.Bitbucket {
		who = r.ID
	}
	return who != "" && slices.ContainsFunc(m.names, func(name string) bool { return strings.EqualFold(name, who) })
}

func (m *approvers) add(all ...string) {
	for _, name := range all {
		if name = strings.TrimPrefix(name, "@"); name != "" && !slices.Contains(m.names, name) {
			m.names = append(m.names, name)
		}
	}
}

// may finds those whose reviews count for the files of a request.
func (a *approvals) may(ctx context.Context, f *Forge, q promote.GateRequest) (*approvers, *promote.Verdict) {
	m := &approvers{kind: f.Kind}
	for _, name := range a.cfg.Approvers() {
		var v *promote.Verdict
		switch {
		case name == pipeline.CodeOwners:
			v = a.owners(ctx, f, q, m)
		case strings.Contains(name, "/"):
			v = a.team(ctx, f, name, m)
		default:
			m.add(name)
		}
		if v != nil {
			return nil, v
		}
	}
	return m, nil
}

func (a *approvals) members(ctx context.Context, f *Forge, team string) ([]string, error) {
	return once(&a.asks, "team "+team, func() ([]string, error) { return f.Members(ctx, team) })
}

func (a *approvals) team(ctx context.Context, f *Forge, team string, m *approvers) *promote.Verdict {
	all, err := a.members(ctx, f, team)
	if err != nil {
		v := untold("team "+team+": ", err)
		return &v
	}
	m.add(all...)
	return nil
}

// owners adds those whom the base's CODEOWNERS names.
func (a *approvals) owners(ctx context.Context, f *Forge, q promote.GateRequest, m *approvers) *promote.Verdict {
	owners, err := Owners(a.g.Tree, f.Kind, q.Files)
	if err == nil && len(owners) == 0 {
		err = &promote.Error{Msg: "CODEOWNERS names nobody for " + strings.Join(q.Files, ", "), Hint: "a line for it, or by: [NAME] in the gate"}
	}
	if err != nil {
		v := untold("", err)
		return &v
	}
	for _, o := range owners {
		switch {
		case o.Kind == codeowners.Team:
			if v := a.team(ctx, f, o.Name, m); v != nil {
				return v
			}
		case o.Kind == codeowners.User && f.Kind == forge.GitLab: // where a group may be called so
			all, err := a.members(ctx, f, o.Name)
			if err != nil && !errors.Is(err, forge.ErrNotFound) {
				v := untold("", err)
				return &v
			}
			m.add(append(all, o.Name)...)
		case o.Kind == codeowners.User:
			m.add(o.Name)
		case o.Kind == codeowners.Email:
			for user, all := range a.cfg.People {
				if slices.ContainsFunc(all, func(s string) bool { return strings.EqualFold(s, o.Name) }) {
					m.add(user)
				}
			}
		}
	}
	return nil
}

// Owners gives the owners of files by a tree's file CODEOWNERS.
func Owners(tree promote.Tree, kind forge.Kind, files []string) ([]codeowners.Owner, error) {
	dialect := codeowners.Dialect(kind)
	if len(dialect.Paths()) == 0 {
		return nil, &promote.Error{Msg: "codeowners is asked for, and " + kind.String() + " has no such file", Hint: "name them: [NAME]"}
	}
	if tree == nil {
		return nil, errNobody
	}
	for _, name := range dialect.Paths() {
		data, err := tree.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := codeowners.Parse(dialect, name, data)
		if err != nil {
			return nil, err
		}
		return f.Owners(files...), nil
	}
	return nil, &promote.Error{Msg: "codeowners is asked for, and there is no file CODEOWNERS", Hint: "kubectl promote init --owner NAME, or name them: [NAME]"}
}
