package proposal

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/sources"
)

func plan(reason string) *promote.Plan {
	return &promote.Plan{From: "staging", To: "production", Mode: pipeline.DeliverPullRequest, Branch: "main", Answer: promote.Pass, Services: []*promote.ServicePlan{{
		Service:  "cart",
		Images:   []promote.ImagePlan{{Name: "cart", Repository: "r.example.com/cart", Old: promote.Pin{Tag: "v1"}, New: promote.Pin{Tag: "v2", Digest: "sha256:22"}}},
		Verdicts: []promote.Verdict{{Gate: "soak", Answer: promote.Wait, Reason: reason, Until: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		Files:    []promote.FilePlan{{Diff: "-tag: v1\n+tag: v2 " + reason + "\n"}},
		Warnings: []string{reason},
	}}}
}

// rendered is what changes in objects with a text in all that can be one.
func rendered(text string) []Rendered {
	of := func(v string) []objects.Object {
		return []objects.Object{objects.Of(map[string]any{"kind": "ConfigMap", "metadata": map[string]any{"name": text}, "data": map[string]any{text: v}})}
	}
	return []Rendered{{Service: text, Differences: objects.Compare(of("1"), of(text), objects.ByName)}, {Service: "web", Err: errors.New(text)}, {Service: "x"}}
}

// The commits that come with an image are in the body, with a link where there is one.
func TestBodySources(t *testing.T) {
	p := plan("")
	p.Services[0].Images[0].Source = &sources.Change{Repository: "https://github.com/shop/cart", Old: "abc1234abc1", New: "def5678def5", Compare: "https://github.com/shop/cart/compare/a...b"}
	body, _ := Body(p, nil)
	want := "### Sources\n\n- `cart`: `https://github.com/shop/cart abc1234..def5678`, [compare](<https://github.com/shop/cart/compare/a...b>)\n"
	if !strings.Contains(body, want) {
		t.Errorf("%s\nhas not got\n%s", body, want)
	}
	p.Services[0].Images[0].Source = nil
	if body, _ = Body(p, nil); strings.Contains(body, "Sources") {
		t.Error(body)
	}
}

// What changes in the objects is in the body, within its bounds, and what could not be
// rendered is said.
func TestBodyRendered(t *testing.T) {
	all := rendered("shop")
	body, _ := Body(plan(""), all)
	for _, want := range []string{"### What is applied\n\n`cart`", "`shop`:\n\n- `~ ConfigMap shop: 1 field differs`", "  ConfigMap shop data.shop\n- 1\n+ shop\n", "`web` could not be rendered: `shop`", "`x`: nothing changes"} {
		if want = strings.Replace(want, "`cart`", "`shop`:", 1); !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	for range 200 {
		all = append(all, all[0])
	}
	if body, _ := Body(plan(""), all); !strings.Contains(body, "more services\n") || len(body) > 30_000 {
		t.Errorf("%d bytes", len(body))
	}
}

// What comes from outside is shown as it stands, and writes no Markdown of its own.
func TestBodyIsNobodyElses(t *testing.T) {
	for _, hostile := range []string{
		"@everyone look", "a | b | c", "x\n\n# Approved\n\n@team", "``` \n</details> <img src=x onerror=alert(1)>", "` `` ```` `", "\u202e\x1b[31m", "<!-- -->",
	} {
		body, footer := Body(plan(hostile), rendered(hostile))
		outside := withoutCode(body)
		for _, bad := range []string{"@", "# Approved", "<img", "<!--", "\x1b", "\u202e"} {
			if strings.Contains(outside, bad) {
				t.Errorf("%q gets out of its code:\n%s", hostile, outside)
			}
		}
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != strings.Count("| a | b | c | d | e |", "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 5 {
				t.Errorf("%q breaks a table: %q", hostile, line)
			}
		}
		if strings.Count(footer, "```") != 2 {
			t.Errorf("%q ends the footer:\n%s", hostile, footer)
		}
	}
}

// withoutCode drops blocks and spans of code, as CommonMark has them.
func withoutCode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '`' {
			b.WriteByte(s[i])
			i++
			continue
		}
		n := 0
		for i+n < len(s) && s[i+n] == '`' {
			n++
		}
		fence := s[i : i+n]
		rest := s[i+n:]
		end := -1
		for at := 0; ; {
			j := strings.Index(rest[at:], fence)
			if j < 0 {
				break
			}
			j += at
			k := j
			for k < len(rest) && rest[k] == '`' {
				k++
			}
			if k-j == n {
				end = j
				break
			}
			at = k
		}
		if end < 0 {
			b.WriteString(fence)
			i += n
			continue
		}
		i += n + end + n
	}
	return b.String()
}

// fakeForge has one pull request at most; what real ones do is tested in e2e.
type fakeForge struct {
	forge.Forge
	open   []forge.PullRequest
	did    []string
	merge  error
	exists bool
}

func (f *fakeForge) Find(context.Context, forge.FindRequest) ([]forge.PullRequest, error) {
	if f.exists && len(f.did) == 0 {
		return nil, nil
	}
	return f.open, nil
}

func (f *fakeForge) Open(_ context.Context, o forge.OpenRequest) (*forge.PullRequest, error) {
	f.did = append(f.did, "open "+o.Head+" into "+o.Base)
	if f.exists {
		return nil, forge.ErrExists
	}
	f.open = []forge.PullRequest{{Number: 7, Title: o.Title, Body: o.Body + "\r\n"}}
	return &f.open[0], nil
}

func (f *fakeForge) Update(_ context.Context, n int, u forge.UpdateRequest) (*forge.PullRequest, error) {
	f.did = append(f.did, "update "+*u.Title)
	f.open[0].Title, f.open[0].Body = *u.Title, *u.Body
	return &f.open[0], nil
}

func (f *fakeForge) Close(_ context.Context, n int, comment string) error {
	f.did = append(f.did, "close: "+comment)
	return nil
}

func (f *fakeForge) Merge(_ context.Context, n int, m forge.MergeRequest) (forge.MergeResult, error) {
	f.did = append(f.did, "merge "+m.Head)
	return forge.MergeResult{}, f.merge
}

// One pull request is opened, found again, and changed only where it says something else.
func TestPublish(t *testing.T) {
	f := &fakeForge{}
	for n, want := range []string{Opened, Unchanged, Updated} {
		p := plan("as it is")
		if n == 2 {
			p.Services[0].Images[0].New.Tag = "v3"
		}
		got, err := Publish(t.Context(), f, p, "abc", Options{Kind: forge.Gitea})
		if err != nil || got.State != want || got.Number != 7 {
			t.Errorf("run %d: %+v, %v", n, got, err)
		}
	}
	if want := "open promote/production/cart into main, update promote(production): 0 services from staging"; strings.Join(f.did, ", ") != want {
		t.Errorf("did %q", f.did)
	}
	if got, err := Withdraw(t.Context(), f, plan("")); err != nil || got.State != Closed {
		t.Errorf("%+v, %v", got, err)
	}
}

// Somebody else has opened it between our look and our word.
func TestPublishRace(t *testing.T) {
	f := &fakeForge{exists: true, open: []forge.PullRequest{{Number: 3}}}
	if got, err := Publish(t.Context(), f, plan(""), "abc", Options{Kind: forge.Gitea}); err != nil || got.Number != 3 || got.State != Updated {
		t.Errorf("%+v, %v", got, err)
	}
}

// A forge merges only what all gates have let pass, and exactly that commit; where it
// may not, that is said and is no failure.
func TestAutoMerge(t *testing.T) {
	for _, tc := range []struct {
		answer promote.Answer
		err    error
		auto   bool
		warns  bool
		fails  bool
	}{
		{promote.Pass, nil, true, false, false},
		{promote.Wait, nil, false, false, false},
		{promote.Pass, forge.ErrNotAllowed, false, true, false},
		{promote.Pass, errors.New("broken"), false, false, true},
	} {
		f := &fakeForge{merge: tc.err}
		p := plan("")
		p.Answer = tc.answer
		got, err := Publish(t.Context(), f, p, "abc", Options{Kind: forge.GitHub, AutoMerge: true})
		if (err != nil) != tc.fails || got.AutoMerge != tc.auto || (got.Warning != "") != tc.warns {
			t.Errorf("%+v: %+v, %v", tc, got, err)
		}
		if tc.answer == promote.Pass != strings.Contains(strings.Join(f.did, ","), "merge abc") {
			t.Errorf("%+v: did %q", tc, f.did)
		}
	}
}

// The commit that stands keeps its record, whatever the base is now.
func TestWithSources(t *testing.T) {
	for _, tc := range [][3]string{
		{"a\nPromotion-Source-Commit: new\nb", "x\r\nPromotion-Source-Commit: old\r\n", "a\nPromotion-Source-Commit: old\nb"},
		{"Promotion-Source-Commit: 1\nPromotion-Source-Commit: 2", "Promotion-Source-Commit: old", "Promotion-Source-Commit: 1\nPromotion-Source-Commit: 2"},
		{"a", "b", "a"},
	} {
		if got := withSources(tc[0], tc[1]); got != tc[2] {
			t.Errorf("got %q, want %q", got, tc[2])
		}
	}
}

// The kinds of forges that a pipeline file takes are those that there are.
func TestForgesOfPipelines(t *testing.T) {
	for _, kind := range forge.Kinds() {
		_, err := pipeline.Parse("p.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec: {environments: [{name: a, deliver: {mode: pullRequest, forge: "+string(kind)+"}}]}\n"))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
