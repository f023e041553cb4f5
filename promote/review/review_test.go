package review_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/review"
	"github.com/kubepromote/kubepromote/verify"
)

const text = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: staging
  - name: production
    from: [staging]
    gates: [GATE]
`

// The pull request ends with head; base is what the promotion is made on.
var (
	head, base = strings.Repeat("ab", 20), strings.Repeat("cd", 20)
	when       = time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	digest     = "sha256:" + strings.Repeat("2", 64)
	signed     = "registry.example.com/cart@" + digest
)

// tree is a commit in memory.
type tree struct{ fstest.MapFS }

func (t tree) ReadAny(dir string, names []string) (found pipeline.Found, err error) {
	for _, name := range names {
		if data, err := t.ReadFile(path.Join(dir, name)); err == nil {
			return pipeline.Found{Have: []string{name}, Name: name, Data: data}, nil
		}
	}
	return found, fs.ErrNotExist
}

const overlay = "apps/cart/overlays/production/kustomization.yaml"

func files(pairs ...string) tree {
	t := tree{fstest.MapFS{}}
	for i := 0; i < len(pairs); i += 2 {
		t.MapFS[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return t
}

// proposed is what the pull request ends with.
func proposed(digit string) tree {
	return files(overlay, fmt.Sprintf("images:\n- {name: cart, newName: registry.example.com/cart, newTag: v%s, digest: \"sha256:%s\"}\n", digit, strings.Repeat(digit, 64)))
}

// gitea answers on the wire, by path; all else is not found.
type gitea map[string]string

func (g gitea) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, ok := g[strings.TrimPrefix(r.URL.Path, "/repos/shop/infra")]
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case answer == "down":
		w.WriteHeader(http.StatusForbidden)
	}
	fmt.Fprint(w, answer)
}

func pull(number int, branch, at, author, body string) string {
	return fmt.Sprintf(`{"number": %d, "html_url": "https://git.example.com/shop/infra/pulls/%d", "title": "T", "body": %q, "state": "open", "user": {"login": %q},
		"head": {"ref": %q, "sha": %q, "repo": {"full_name": "shop/infra"}}, "base": {"ref": "main", "sha": "00", "repo": {"full_name": "shop/infra"}}}`, number, number, body, author, branch, at)
}

func says(user, state, at string) string {
	return fmt.Sprintf(`{"user": {"login": %q}, "state": %q, "commit_id": %q, "submitted_at": "2026-01-02T15:00:00Z"}`, user, state, at)
}

func listed(all ...string) string { return "[" + strings.Join(all, ",") + "]" }

func request() promote.GateRequest {
	return promote.GateRequest{Service: "cart", From: "staging", To: "production", Head: base, Now: when, Services: []string{"cart"}, Files: []string{overlay},
		Images: []promote.ImagePlan{{Name: "cart", File: overlay, Repository: "registry.example.com/cart", New: promote.Pin{Tag: "v2", Digest: digest}}}}
}

// ask makes the gate of a pipeline file and asks it.
func ask(t *testing.T, cfg string, g *review.Gates, q promote.GateRequest) promote.Verdict {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte(strings.Replace(text, "GATE", cfg, 1)))
	if err != nil {
		t.Fatal(err)
	}
	g.Pipeline = p
	gates, err := gate.Of(gate.Deps{Elsewhere: g.Ask})(&p.Spec.Environments[1])
	if err != nil {
		t.Fatal(err)
	}
	return gates[0].Check(t.Context(), q)
}

// on gives gates that ask a forge.
func on(t *testing.T, answers gitea) *review.Gates {
	t.Helper()
	server := httptest.NewServer(answers)
	t.Cleanup(server.Close)
	c, err := forge.New(forge.Repository{Kind: forge.Gitea, Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"},
		forge.Options{Patience: -1, Token: forge.Token{Secret: "s3cr3t", From: "the test"}})
	if err != nil {
		t.Fatal(err)
	}
	return &review.Gates{
		Tree: files("CODEOWNERS", ".*production.* @ann @bob @shop/ops\n"),
		Forge: func(context.Context, string) (*review.Forge, error) {
			return &review.Forge{Client: c, Kind: forge.Gitea, Base: "main"}, nil
		},
		Proposed: func(context.Context, string, *forge.PullRequest) (promote.Tree, error) { return proposed("2"), nil },
		At: func(_ context.Context, revision string) (promote.Tree, error) {
			if revision == base || strings.HasSuffix(revision, "^1") {
				return proposed("1"), nil
			}
			return proposed("2"), nil
		},
		MergeBase: func(context.Context, string, string) (string, error) { return base, nil },
	}
}

const (
	team    = "/orgs/shop/teams"
	members = "/teams/4/members"
	reviews = "/pulls/7/reviews"
)

// has gives the files of revisions of which these have what is promoted.
func has(these ...string) func(context.Context, string) (promote.Tree, error) {
	return func(_ context.Context, revision string) (promote.Tree, error) {
		if slices.Contains(these, revision) {
			return proposed("2"), nil
		}
		return proposed("1"), nil
	}
}

func line(commits ...string) func(context.Context, promote.GateRequest) ([]string, error) {
	return func(context.Context, promote.GateRequest) ([]string, error) { return commits, nil }
}

// carried is where the forge says which pull request a commit came from.
var carried = "/commits/" + strings.Repeat("01", 20) + "/pull"

func merged(number int) string {
	return strings.Replace(pull(number, "my/branch", head, "bob", ""), `"open"`, `"closed", "merged": true`, 1)
}

// the usual forge: the pull request of cart, and a team.
func usual(all ...string) gitea {
	return gitea{"": "{}", "/pulls": listed(pull(7, "promote/production/cart", head, "robot", "")), reviews: listed(all...),
		team: `[{"id": 4, "name": "ops"}]`, members: `[{"login": "eve"}]`}
}

func (g gitea) with(pairs ...string) gitea {
	for i := 0; i < len(pairs); i += 2 {
		g[pairs[i]] = pairs[i+1]
	}
	return g
}

func TestReviews(t *testing.T) {
	old := strings.Repeat("ef", 20)
	const two, url = "approvals: {min: 2}", "review https://git.example.com/shop/infra/pulls/7"
	checked := func(q *promote.GateRequest) { q.Heads = []string{strings.Repeat("01", 20), head} }
	record := "the plan\n\nPromotion-Service: cart\nPromotion-To: production\n"
	for _, c := range []struct {
		name, gate string
		forge      gitea
		change     func(*review.Gates, *promote.GateRequest)
		want, hint string
	}{
		{"enough", two, usual(says("ann", "APPROVED", head), says("Eve", "APPROVED", head)), nil, "pass: pull request 7 is approved by ann and Eve; 2 are asked for", ""},
		{"one is", "approvals: {}", usual(says("ann", "APPROVED", head)), nil, "pass: pull request 7 is approved by ann; 1 is asked for", ""},
		{"nobody", two, usual(), nil, "wait: pull request 7 is approved by nobody, 0 of 2; may approve: ann, bob and eve", url},
		{"one twice", two, usual(says("ann", "APPROVED", head), says("ANN", "APPROVED", head)), nil, "wait: pull request 7 is approved by ann, 1 of 2; may approve: bob and eve", url},
		{"of an older commit", two, usual(says("ann", "APPROVED", head), says("bob", "APPROVED", old)), nil, "wait: pull request 7 is approved by ann, 1 of 2; bob has approved an older commit; may approve: bob and eve", url},
		{"by a stranger", two, usual(says("ann", "APPROVED", head), says("mallory", "APPROVED", head)), nil, "wait: pull request 7 is approved by ann, 1 of 2; that of mallory does not count, who is not among those who may approve; may approve: bob and eve", url},
		{"by the author", two, usual(says("ann", "APPROVED", head), says("bob", "APPROVED", head)).with("/pulls", listed(pull(7, "promote/production/cart", head, "Bob", ""))), nil,
			"wait: pull request 7 is approved by ann, 1 of 2; that of bob does not count, who has made the change; may approve: eve", url},
		{"changes are asked for", "approvals: {min: 1}", usual(says("ann", "APPROVED", head), says("bob", "REQUEST_CHANGES", old)), nil, "wait: pull request 7 is approved by ann, 1 of 1; bob asks for changes", url},
		{"a comment", "approvals: {by: [ann]}", usual(says("ann", "COMMENT", head)), nil, "wait: pull request 7 is approved by nobody, 0 of 1; may approve: ann", url},
		{"named", `approvals: {by: ["@mallory"]}`, usual(says("mallory", "APPROVED", head)), nil, "pass: pull request 7 is approved by mallory; 1 is asked for", ""},
		{"a team", "approvals: {by: [shop/ops]}", usual(says("eve", "APPROVED", head), says("ann", "APPROVED", head)), nil, "pass: pull request 7 is approved by eve; 1 is asked for", ""},
		{"no such team", "approvals: {by: [shop/none]}", usual(), nil, "unknown: team shop/none: 127.0.0.1: reading the members of a team: there is no team \"shop/none\"", ""},
		{"nothing is proposed yet", two, usual().with("/pulls", "[]"), nil, "wait: there is no open pull request for it yet; may approve: ann, bob and eve", "propose"},
		{"something else is proposed", two, usual(says("ann", "APPROVED", head)), func(g *review.Gates, _ *promote.GateRequest) {
			g.Proposed = func(context.Context, string, *forge.PullRequest) (promote.Tree, error) { return proposed("1"), nil }
		}, "wait: pull request 7 brings something else than is to be promoted now; may approve: ann, bob and eve", "propose"},
		{"among others", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", listed(pull(6, "promote/production/2-services", old, "robot", ""), pull(7, "promote/production/3-services", head, "robot", record))), nil,
			"pass: pull request 7 is approved by ann; 1 is asked for", ""},
		{"by hand", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", listed(pull(7, "my/branch", head, "bob", ""))), func(g *review.Gates, q *promote.GateRequest) { checked(q) },
			"pass: pull request 7 is approved by ann; 1 is asked for", ""},
		{"by hand, pushed on", "approvals: {by: [ann]}", usual().with("/pulls", listed(pull(7, "my/branch", old, "bob", ""))), func(g *review.Gates, q *promote.GateRequest) { checked(q) },
			"wait: no pull request into main ends with commit 010101010, or has brought it; may approve: ann", "open one"},
		{"by hand, squashed", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", carried, merged(7)), func(g *review.Gates, q *promote.GateRequest) { checked(q) },
			"pass: pull request 7 is approved by ann; 1 is asked for", ""},
		{"by hand, squashed with something else", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", carried, merged(7)), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Proposed = func(context.Context, string, *forge.PullRequest) (promote.Tree, error) { return proposed("1"), nil }
		}, "wait: no pull request into main ends with commit 010101010, or has brought it; may approve: ann", "open one"},
		{"by hand, several in a push", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", strings.ReplaceAll(carried, "01", "45"), merged(7)), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Line = func(context.Context, promote.GateRequest) ([]string, error) {
				return []string{q.Heads[0], strings.Repeat("45", 20)}, nil
			}
		}, "pass: pull request 7 is approved by ann; 1 is asked for", ""},
		// A later pull request ends with the same images, and its approvals counted for a change
		// that nobody had looked at.
		{"by hand, by an earlier one of a push", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", carried, merged(7), strings.ReplaceAll(carried, "01", "45"), merged(6), "/pulls/6/reviews", "[]"), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Line = line(q.Heads[0], strings.Repeat("45", 20))
			g.At = has(strings.Repeat("01", 20), strings.Repeat("01", 20)+"^1", strings.Repeat("45", 20))
		}, "wait: pull request 6 is approved by nobody, 0 of 1; may approve: ann", "review https://git.example.com/shop/infra/pulls/6"},
		{"by hand, in two commits of one", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", carried, merged(7), strings.ReplaceAll(carried, "01", "45"), merged(7)), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Line = line(q.Heads[0], strings.Repeat("45", 20))
			g.At = has(strings.Repeat("01", 20), strings.Repeat("01", 20)+"^1", strings.Repeat("45", 20))
		}, "pass: pull request 7 is approved by ann; 1 is asked for", ""},
		// Of a long push the forge is not asked about every commit, and who brought it is not known
		// then: it was said that nobody had.
		{"by hand, one of many in a push", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]"), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			q.Base = strings.Repeat("9", 40)
			g.Line = line(slices.Repeat([]string{q.Heads[0]}, 101)...)
		}, "unknown: of the commits since 999999999 that change it the newest 100 were asked about: what brought it may be commit 010101010, or an older one", "kubectl promote check --base " + strings.Repeat("9", 40) + " --head " + strings.Repeat("01", 20)},
		{"by hand, what it was merged to lacks it", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", carried, merged(7)), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.At = has()
		}, "wait: no pull request into main ends with commit 010101010, or has brought it; may approve: ann", "open one"},
		{"by hand, nobody knows what was before", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", carried, merged(7)), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.At = func(_ context.Context, revision string) (promote.Tree, error) {
				if strings.HasSuffix(revision, "^1") {
					return nil, errors.New("the clone is shallow")
				}
				return proposed("2"), nil
			}
		}, "unknown: the clone is shallow", ""},
		{"in a queue, began with it", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", "/pulls/7", pull(7, "my/branch", head, "bob", "")), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Number, g.At = 7, has(base)
		}, "wait: no pull request into main ends with commit 010101010, or has brought it; may approve: ann", "open one"},
		{"in a queue, nobody knows where it began", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", "/pulls/7", pull(7, "my/branch", head, "bob", "")), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Number = 7
			g.MergeBase = func(context.Context, string, string) (string, error) { return "", errors.New("the clone is shallow") }
		}, "unknown: the clone is shallow", ""},
		{"in a queue", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", "/pulls/7", pull(7, "my/branch", head, "bob", "")), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Number = 7
		}, "pass: pull request 7 is approved by ann; 1 is asked for", ""},
		{"in a queue, of another's number", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", "/pulls/7", pull(7, "my/branch", head, "bob", "")), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Number = 7
			g.Proposed = func(context.Context, string, *forge.PullRequest) (promote.Tree, error) { return proposed("1"), nil }
		}, "wait: no pull request into main ends with commit 010101010, or has brought it; may approve: ann", "open one"},
		{"in a queue, of one long merged", "approvals: {by: [ann]}", usual(says("ann", "APPROVED", head)).with("/pulls", "[]", "/pulls/7", merged(7)), func(g *review.Gates, q *promote.GateRequest) {
			checked(q)
			g.Number = 7
		}, "wait: no pull request into main ends with commit 010101010, or has brought it; may approve: ann", "open one"},
		{"nobody says what a commit came from", "approvals: {by: [ann]}", usual().with("/pulls", "[]", carried, "down"), func(g *review.Gates, q *promote.GateRequest) { checked(q) }, "unknown: ", ""},
		{"no code owners", two, usual(), func(g *review.Gates, _ *promote.GateRequest) { g.Tree = files() }, "unknown: codeowners is asked for, and there is no file CODEOWNERS", "kubectl promote init --owner NAME, or name them: [NAME]"},
		{"nobody owns it", two, usual(), func(g *review.Gates, _ *promote.GateRequest) { g.Tree = files("CODEOWNERS", "docs/.* @ann\n") }, "unknown: CODEOWNERS names nobody for " + overlay, "a line for it, or by: [NAME] in the gate"},
		{"no rights", two, usual().with(reviews, "down"), nil, "unknown: pull request 7: ", ""},
		{"not asked", two, nil, func(g *review.Gates, _ *promote.GateRequest) { g.Forge = nil }, "unknown: no server may be asked", "ask-registry"},
		{"no remote", two, nil, func(g *review.Gates, _ *promote.GateRequest) {
			g.Forge = func(context.Context, string) (*review.Forge, error) {
				return nil, &promote.Error{Msg: "the remote names no host", Hint: "git remote -v"}
			}
		}, "unknown: the remote names no host", "git remote -v"},
		{"the branch is gone", two, usual(), func(g *review.Gates, _ *promote.GateRequest) {
			g.Proposed = func(context.Context, string, *forge.PullRequest) (promote.Tree, error) {
				return nil, errors.New("no such branch\nat all")
			}
		}, "unknown: pull request 7: no such branch", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, q := on(t, c.forge), request()
			if c.change != nil {
				c.change(g, &q)
			}
			check(t, ask(t, c.gate, g, q), c.want, c.hint)
		})
	}
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func check(t *testing.T, v promote.Verdict, want, hint string) {
	t.Helper()
	got := port.ReplaceAllString(string(v.Answer)+": "+v.Reason, "127.0.0.1")
	if got != want && (!strings.HasSuffix(want, ": ") || !strings.HasPrefix(got, want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if h := v.Hint + string(v.Advice.Do); h != hint && !strings.HasSuffix(want, ": ") {
		t.Errorf("hint %q, want %q", h, hint)
	}
}

// Whoever has made the change or built the image is not one of those who approve it.
func TestSeparate(t *testing.T) {
	const both = "approvals: {by: [ann, bob], separate: [author, builder], people: {Ann: [ann@example.com], bob: [bob@example.com, \"sha256:b0b\"]}}"
	ann := usual(says("ann", "APPROVED", head))
	for _, c := range []struct {
		name, gate        string
		forge             gitea
		authors, builders []string
		want              string
	}{
		{"neither", both, ann, []string{"Robot <robot@example.com>"}, []string{"https://ci.example.com/build"}, "pass: pull request 7 is approved by ann; 1 is asked for"},
		{"the author", both, ann, []string{"Ann <Ann@example.com>"}, []string{"x"}, "wait: pull request 7 is approved by nobody, 0 of 1; that of ann does not count, who has made the change; may approve: ann and bob"},
		{"the builder", both, usual(says("bob", "APPROVED", head)), []string{"robot@example.com"}, []string{"sha256:b0b"}, "wait: pull request 7 is approved by nobody, 0 of 1; that of bob does not count, who has built the image; may approve: ann and bob"},
		// A name may have what no address has. One with a comma was of nobody, and ann approved her own change.
		{"the author, whose name is none of mail", both, ann, []string{"Lovelace, Ann (\"A\nB\") <ann@example.com>"}, []string{"x"}, "wait: pull request 7 is approved by nobody, 0 of 1; that of ann does not count, who has made the change; may approve: ann and bob"},
		{"a co-author", both, ann, []string{"robot@example.com", "Lovelace, Ann <ann@example.com>"}, []string{"x"}, "wait: pull request 7 is approved by nobody, 0 of 1; that of ann does not count, who has made the change; may approve: ann and bob"},
		{"who bears another's address as a name", both, ann, []string{"ann@example.com <robot@example.com>"}, []string{"x"}, "pass: pull request 7 is approved by ann; 1 is asked for"},
		{"an author without an address", both, ann, []string{"Ann <>"}, []string{"x"}, "unknown: nobody can say who has made the change: it has no author, or one without an address"},
		{"both are one", both, ann, []string{"Eve <eve@example.com>"}, []string{"eve@example.com"}, "fail: eve@example.com has made the change, and has built the image"},
		{"of whom nothing is known", "approvals: {by: [ann], separate: [author]}", ann, []string{"robot@example.com"}, nil, "unknown: nobody can say whether ann is kept apart: people does not say by what ann is known elsewhere"},
		{"nothing is signed", "approvals: {by: [ann], separate: [builder]}", ann, nil, []string{}, "unknown: nobody can say who has built it: no signature of the images is asked for"},
		{"nobody knows", "approvals: {by: [ann], separate: [builder]}", ann, nil, nil, "unknown: no server may be asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := on(t, c.forge)
			g.Authors = func(context.Context, promote.GateRequest) ([]string, error) { return c.authors, nil }
			if c.builders != nil {
				g.Builders = func(context.Context, promote.GateRequest) (all []promote.Evidence, err error) {
					for _, b := range c.builders {
						all = append(all, promote.Evidence{Subject: b})
					}
					return all, nil
				}
			}
			v := ask(t, c.gate, g, request())
			if got := string(v.Answer) + ": " + v.Reason; got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestSigned(t *testing.T) {
	const two = "approvals: {from: attestation, min: 2, policy: policies/approvals.yaml}"
	key := func(who, key string) verify.Approval {
		return verify.Approval{State: verify.ApprovalCounts, Signer: key, Approver: who, Time: when, Evidence: verify.Evidence{KeyID: "sha256:" + strings.Repeat(key, 40)}}
	}
	ann, bob := key("Ann", "aa"), key("Bob", "bb")
	over := bob
	over.State, over.Expires, over.Reason = verify.ApprovalExpired, when.Add(-time.Hour), "it has expired"
	stranger := verify.Approval{State: verify.ApprovalForeign, Approver: "Bob", Reason: "made with another key"}
	keyless := verify.Approval{State: verify.ApprovalCounts, Signer: "ann", Evidence: verify.Evidence{Subject: "ann@example.com", Issuer: "https://id.example.com"}}
	elsewhere := bob
	elsewhere.State, elsewhere.Reason = verify.ApprovalOther, `the environment is "staging", not "production"`
	for _, c := range []struct {
		name, gate string
		all        []verify.Approval
		err        error
		authors    []string
		want, hint string
	}{
		{"enough", two, []verify.Approval{ann, bob}, nil, nil, "pass: approved by Ann (key aaaaaaaaaaaa) and Bob (key bbbbbbbbbbbb); 2 are asked for", ""},
		{"the second has expired", two, []verify.Approval{ann, over}, nil, nil, "wait: approved by Ann (key aaaaaaaaaaaa), 1 of 2; the approval of Bob (key bbbbbbbbbbbb) expired at 2026-01-02 14:00 UTC", "approve"},
		{"renewed", two, []verify.Approval{ann, over, bob}, nil, nil, "pass: approved by Ann (key aaaaaaaaaaaa) and Bob (key bbbbbbbbbbbb); 2 are asked for", ""},
		{"by a stranger", two, []verify.Approval{ann, stranger}, nil, nil, `wait: approved by Ann (key aaaaaaaaaaaa), 1 of 2; that of a stranger who says to be "Bob" does not count, who is not among those who may approve`, "approve"},
		{"for another environment", two, []verify.Approval{ann, elsewhere}, nil, nil, `wait: approved by Ann (key aaaaaaaaaaaa), 1 of 2; that of Bob (key bbbbbbbbbbbb) is for something else: the environment is "staging", not "production"`, "approve"},
		{"twice", two, []verify.Approval{ann, key("Anna", "aa")}, nil, nil, "wait: approved by Ann (key aaaaaaaaaaaa), 1 of 2", "approve"},
		{"nobody", two, nil, nil, nil, "wait: approved by nobody, 0 of 2", "approve"},
		{"not all was read", two, []verify.Approval{ann}, errors.New("429 too many requests"), nil, "unknown: 429 too many requests", ""},
		{"enough was read", two, []verify.Approval{ann, bob}, errors.New("429 too many requests"), nil, "pass: approved by Ann (key aaaaaaaaaaaa) and Bob (key bbbbbbbbbbbb); 2 are asked for", ""},
		{"the author", "approvals: {from: attestation, policy: p.yaml, separate: [author]}", []verify.Approval{keyless}, nil, []string{"Ann <ann@example.com>"}, "wait: approved by nobody, 0 of 1; that of ann@example.com does not count, who has made the change", "approve"},
		{"not the author", "approvals: {from: attestation, policy: p.yaml, separate: [author]}", []verify.Approval{keyless}, nil, []string{"Bob <bob@example.com>"}, "pass: approved by ann@example.com; 1 is asked for", ""},
		{"a key", "approvals: {from: attestation, policy: p.yaml, separate: [author]}", []verify.Approval{ann}, nil, []string{"bob@example.com"}, "unknown: nobody can say whether Ann (key aaaaaaaaaaaa) is kept apart: a key does not say whose it is", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &review.Gates{Authors: func(context.Context, promote.GateRequest) ([]string, error) { return c.authors, nil }}
			g.Signed = func(_ context.Context, _ string, s verify.Subject, environment string) ([]verify.Approval, error) {
				if s.Image != signed || s.Service != "cart" || environment != "production" {
					t.Errorf("asked about %+v in %s", s, environment)
				}
				return c.all, c.err
			}
			check(t, ask(t, c.gate, g, request()), c.want, c.hint)
		})
	}
	q := request()
	q.Images[0].New.Digest = ""
	check(t, ask(t, two, &review.Gates{}, q), `unknown: image "cart": its digest is not known, so nobody can say what is approved`, "")
	check(t, ask(t, two, &review.Gates{}, request()), "unknown: no server may be asked", "ask-registry")
	q.Images = nil
	check(t, ask(t, two, &review.Gates{}, q), "unknown: no image would change, and of nothing else there are signed approvals", "")
}

func TestCommitStatus(t *testing.T) {
	brought := strings.Repeat("12", 20)
	at := func(commit string) string { return "/commits/" + commit + "/statuses" }
	is := func(context, state, description string) string {
		return fmt.Sprintf(`{"id": 1, "context": %q, "status": %q, "description": %q, "target_url": "https://ci.example.com/1"}`, context, state, description)
	}
	const url = "https://ci.example.com/1"
	proxied := strings.Repeat("34", 20)
	both := func(g *review.Gates, q *promote.GateRequest) {
		proxy := promote.ImagePlan{Name: "proxy", File: overlay, New: promote.Pin{Tag: "v3", Digest: "sha256:" + strings.Repeat("3", 64)}}
		g.History = changes(history.Change{Service: "cart", Environment: "staging", Commit: proxied, Images: []history.ImageChange{{Name: "proxy", New: proxy.New}}},
			history.Change{Service: "cart", Environment: "staging", Commit: brought, Images: []history.ImageChange{{Name: "cart", New: q.Images[0].New}}})
		q.Images = append(q.Images, proxy)
	}
	good := listed(is("ci/test", "success", ""), is("ci/build", "success", ""))
	for _, c := range []struct {
		name, gate string
		forge      gitea
		change     func(*review.Gates, *promote.GateRequest)
		want, hint string
	}{
		{"good", "commitStatus: {contexts: [ci/test]}", gitea{at(brought): good}, nil, "pass: ci/test is good on commit 121212121", ""},
		{"all of a glob", "commitStatus: {contexts: ['ci/*']}", gitea{at(brought): good}, nil, "pass: ci/test is good on commit 121212121; ci/build is good on commit 121212121", ""},
		{"failed", "commitStatus: {contexts: ['ci/*']}", gitea{at(brought): listed(is("ci/test", "success", ""), is("ci/build", "failure", "it does not compile"))}, nil, "fail: ci/build has failed on commit 121212121: it does not compile", url},
		{"running", "commitStatus: {contexts: [ci/test]}", gitea{at(brought): listed(is("ci/test", "pending", ""))}, nil, "wait: ci/test is still running on commit 121212121", url},
		{"missing", "commitStatus: {contexts: [ci/test, ci/scan]}", gitea{at(brought): good, at(base): "[]"}, nil, "wait: ci/scan is not there on commit 121212121", ""},
		{"missing, as it says", "commitStatus: {contexts: [ci/scan], missing: unknown}", gitea{at(brought): good, at(base): "[]"}, nil, "unknown: ci/scan is not there on commit 121212121", ""},
		{"on the newest", "commitStatus: {contexts: ['kustomization/{service}-{from}']}", gitea{at(brought): "[]", at(base): listed(is("kustomization/cart-staging", "success", ""))}, nil, "pass: kustomization/cart-staging is good on commit cdcdcdcdc", ""},
		{"head", "commitStatus: {contexts: [ci/test], on: head}", gitea{at(base): good}, nil, "pass: ci/test is good on commit cdcdcdcdc", ""},
		{"head of a change", "commitStatus: {contexts: [ci/test], on: head}", gitea{at(head): good}, func(_ *review.Gates, q *promote.GateRequest) { q.Heads = []string{head} }, "pass: ci/test is good on commit ababababa", ""},
		{"pull request", "commitStatus: {contexts: [ci/test], on: pullRequest}", usual().with(at(head), good), nil, "pass: ci/test is good on commit ababababa", ""},
		{"no pull request", "commitStatus: {contexts: [ci/test], on: pullRequest}", gitea{"/pulls": "[]"}, nil, "wait: there is no open pull request for it yet", "propose"},
		{"no rights", "commitStatus: {contexts: [ci/test], on: head}", gitea{at(base): "down", "": "{}"}, nil, "unknown: 127.0.0.1: reading statuses: ", ""},
		{"not asked", "commitStatus: {contexts: [ci/test], on: head}", nil, func(g *review.Gates, _ *promote.GateRequest) { g.Forge = nil }, "unknown: no server may be asked", "ask-registry"},
		// Each image's own commit counts: one that was good was enough for all.
		{"of two images one has failed", "commitStatus: {contexts: [ci/test]}", gitea{at(brought): good, at(proxied): listed(is("ci/test", "failure", "proxy")), at(base): good}, both,
			"fail: ci/test has failed on commit 343434343: proxy", url},
		{"of two images one has no check", "commitStatus: {contexts: [ci/test]}", gitea{at(brought): good, at(proxied): "[]", at(base): "[]"}, both, "wait: ci/test is not there on commit 343434343", ""},
		{"two images are good", "commitStatus: {contexts: [ci/test]}", gitea{at(brought): good, at(proxied): good}, both, "pass: ci/test is good on commit 121212121; ci/test is good on commit 343434343", ""},
		{"never there", "commitStatus: {contexts: [ci/test]}", nil, func(g *review.Gates, _ *promote.GateRequest) { g.History = changes() }, `fail: image "cart": staging does not have v2`, ""},
		{"no history", "commitStatus: {contexts: [ci/test]}", nil, func(g *review.Gates, _ *promote.GateRequest) { g.History = nil }, "unknown: there is no history to read", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, q := on(t, c.forge), request()
			g.History = changes(history.Change{Service: "cart", Environment: "staging", Commit: brought, Images: []history.ImageChange{{Name: "cart", New: q.Images[0].New}}})
			if c.change != nil {
				c.change(g, &q)
			}
			check(t, ask(t, c.gate, g, q), c.want, c.hint)
		})
	}
}

// Services are asked about at once, by one gate: what it has read for one it has for all, and
// it was read and written at once.
func TestTwoServicesAtOnce(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(strings.Replace(text, "GATE", "approvals: {by: [ann], separate: [author], people: {ann: [ann@example.com]}}, commitStatus: {contexts: [ci/test], on: head}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	g := on(t, usual(says("ann", "APPROVED", head)).with("/commits/"+base+"/statuses", `[{"id": 1, "context": "ci/test", "status": "success"}]`))
	g.Pipeline, g.Authors = p, func(context.Context, promote.GateRequest) ([]string, error) {
		return []string{"robot@example.com"}, nil
	}
	gates, err := gate.Of(gate.Deps{Elsewhere: g.Ask})(&p.Spec.Environments[1])
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for _, one := range gates {
		for range 2 {
			wait.Go(func() {
				if v := promote.AskGate(t.Context(), one, request()); v.Answer != promote.Pass {
					t.Errorf("%s: %s: %s", v.Gate, v.Answer, v.Reason)
				}
			})
		}
	}
	wait.Wait()
}

// changes is a history.
func changes(all ...history.Change) *gate.History {
	return gate.NewHistory(func(_ context.Context, _ []string, environment string, visit func(history.Change) bool) error {
		for _, c := range all {
			if c.Environment == environment && !visit(c) {
				break
			}
		}
		return nil
	})
}

// Anybody opens a pull request from a fork and writes what they like into its text. That its
// commit is not to be had keeps nobody from the one that brings the promotion.
func TestForkInTheWay(t *testing.T) {
	body := "the plan\n\nPromotion-Service: cart\nPromotion-To: production\n"
	g := on(t, gitea{
		"/pulls":   listed(pull(6, "fork", strings.Repeat("ef", 20), "eve", body), pull(7, "promote/production/all", head, "ci", body)),
		reviews:    listed(says("ann", "APPROVED", head)),
		team:       listed(),
		"/commits": listed(),
	})
	g.Proposed = func(_ context.Context, _ string, pr *forge.PullRequest) (promote.Tree, error) {
		if pr.Number == 6 {
			return nil, errors.New("the commit is not there")
		}
		return proposed("2"), nil
	}
	v := ask(t, "{approvals: {by: [ann]}}", g, request())
	if v.Answer != promote.Pass {
		t.Errorf("%s: %s", v.Answer, v.Reason)
	}
	g.Proposed = func(context.Context, string, *forge.PullRequest) (promote.Tree, error) {
		return nil, errors.New("the commit is not there")
	}
	if v = ask(t, "{approvals: {by: [ann]}}", g, request()); v.Answer != promote.Unknown {
		t.Errorf("none can be looked at: %s: %s", v.Answer, v.Reason)
	}
}

// The approvals of many services in one pull request are asked for once.
func TestCounterAsksOnce(t *testing.T) {
	answers := gitea{"/pulls": listed(pull(7, "promote/production/cart", head, "ci", "")), reviews: listed(says("ann", "APPROVED", head))}
	g := on(t, answers)
	forges := 0
	open := g.Forge
	g.Forge = func(ctx context.Context, environment string) (*review.Forge, error) {
		forges++
		return open(ctx, environment)
	}
	count := g.Counter(&pipeline.ApprovalsGate{By: []string{"ann"}})
	for range 3 {
		count(t.Context(), request())
	}
	if forges != 1 {
		t.Errorf("asked %d times", forges)
	}
}
