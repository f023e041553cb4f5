package judge_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/judge"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// tree is a tree of files that needs no Git.
type tree struct{ fstest.MapFS }

func (t tree) ReadAny(dir string, names []string) (found promote.Found, err error) {
	for _, name := range names {
		if data, err := t.ReadFile(path.Join(dir, name)); err == nil {
			found.Have, found.Name, found.Data = append(found.Have, name), name, data
			return found, nil
		}
	}
	return found, fs.ErrNotExist
}

func staging(image string) promote.Tree {
	return tree{fstest.MapFS{"staging/cart.yaml": {Data: []byte(image)}}}
}

// tags is a registry whose tags never move.
type tags map[string]string

func (r tags) Resolve(_ context.Context, refs []string, _ func()) (out []promote.Resolution) {
	for _, ref := range refs {
		if d, ok := r[ref]; ok {
			out = append(out, promote.Resolution{Answer: promote.Pass, Digest: d})
		} else {
			out = append(out, promote.Resolution{Answer: promote.Unknown, Reason: "no answer"})
		}
	}
	return out
}

// policies answers by the name of the policy's file, and says what it was asked.
type policies struct{}

func (policies) Verify(_ context.Context, req promote.VerifyRequest, _ func()) ([]promote.Verification, error) {
	a := promote.Answer(strings.TrimSuffix(path.Base(req.Policy), ".yaml"))
	return []promote.Verification{{Image: req.Images[0], Answer: a, Rule: req.Policy, Reason: fmt.Sprintf("asked for %s in %s%s", req.Services[0], req.Environment, req.Promoted)}}, nil
}

func digest(n string) string { return "sha256:" + strings.Repeat(n, 64) }

func shop(t testing.TB, production string) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: ["{environment}/{service}.yaml"]
  environments:
  - {name: dev}
  - {name: staging, from: [dev]}
  - {name: production, from: [staging]`+production+`}
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whether the source had a digest is told from its files alone; a tag is taken for it
// only where it still stands for it, and what nobody can tell is unknown, not no.
func TestImageSource(t *testing.T) {
	const pinned = "image: {repository: shop/cart, tag: v2, digest: %s}\n"
	tagged := "image: {repository: shop/cart, tag: v2}\n"
	for name, tc := range map[string]struct {
		from     string
		file     string
		resolver promote.Resolver
		want     string
	}{
		"it had it":                  {"staging", fmt.Sprintf(pinned, digest("2")), nil, `pass: image "cart": staging had it (staging/cart.yaml)`},
		"as another image":           {"staging", fmt.Sprintf("image: {repository: shop/web, tag: v2, digest: %s}\n", digest("2")), nil, `fail: image "cart": staging had this digest as shop/web:v2@` + digest("2") + `, and not as this image`},
		"in a registry of its own":   {"staging", fmt.Sprintf("image: {repository: staging.example.com/mirror/cart, tag: v2, digest: %s}\n", digest("2")), nil, `pass: image "cart": staging had it (staging/cart.yaml)`},
		"at its place":               {"staging", fmt.Sprintf("other: {image: {repository: shop/web, tag: v2, digest: %s}}\nmain: {image: {repository: stg/cart-dev, tag: v2, digest: %s}}\n", digest("1"), digest("2")), nil, `pass: image "cart": staging had it (staging/cart.yaml)`},
		"the tag of another image":   {"staging", "image: {repository: shop/web, tag: v2}\n", tags{"shop/web:v2": digest("2")}, `fail: image "cart": staging did not have this digest when it was promoted`},
		"it had another":             {"staging", fmt.Sprintf(pinned, digest("1")), nil, `fail: image "cart": staging did not have this digest when it was promoted`},
		"the tag stands for it":      {"staging", tagged, tags{"shop/cart:v2": digest("2")}, `pass: image "cart": staging had the tag v2, which stands for it`},
		"the tag has moved":          {"staging", tagged, tags{"shop/cart:v2": digest("3")}, `unknown: image "cart": staging had the tag v2 alone, and the registry does not say that it stood for this digest`},
		"no registry may be asked":   {"staging", tagged, nil, `unknown: image "cart": staging had the tag v2 alone, and no registry may be asked what that stands for`},
		"it cannot be read":          {"staging", "image: [\n", nil, `unknown: image "cart": what staging had cannot be read: staging/cart.yaml:`},
		"an environment that is not": {"dev", "", nil, `fail: the pipeline does not promote from "dev" to "production"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := &promote.Promoter{Pipeline: shop(t, ""), Resolver: tc.resolver}
			got, err := judge.Image(t.Context(), p, judge.Request{Service: "cart", From: tc.from, To: "production", Sources: []promote.Tree{staging(tc.file)}, Path: "main.image",
				Image: status.Image{Name: "cart", Repository: "shop/cart", Pin: promote.Pin{Tag: "v2", Digest: digest("2")}}})
			if err != nil || len(got) != 1 || got[0].Gate != judge.GateSource {
				t.Fatalf("%v, %v", got, err)
			}
			if text := string(got[0].Answer) + ": " + got[0].Reason; !strings.HasPrefix(text, tc.want) {
				t.Errorf("got  %s\nwant %s", text, tc.want)
			}
		})
	}
}

// The policy and the promoted gates of the environment are asked, for the service and the
// environment; a policy that is named replaces the pipeline's. Where nothing comes from
// another environment nothing is asked of one.
func TestImagePolicies(t *testing.T) {
	image := status.Image{Name: "cart", Repository: "shop/cart", Pin: promote.Pin{Digest: digest("2")}}
	rules := ", verify: {policy: pass.yaml}, gates: [{soak: {for: 1h}}, {promoted: {environment: staging, policy: fail.yaml}}]"
	for name, tc := range map[string]struct {
		rules, policy string
		verifier      promote.Verifier
		want          []string
	}{
		"none":     {"", "", policies{}, nil},
		"both":     {rules, "", policies{}, []string{"verify=pass pass.yaml: image \"cart\": asked for cart in production", "promoted=fail fail.yaml: image \"cart\": asked for cart in productionstaging"}},
		"replaced": {rules, "unknown.yaml", policies{}, []string{"verify=unknown unknown.yaml: image \"cart\": asked for cart in production", "promoted=fail fail.yaml: image \"cart\": asked for cart in productionstaging"}},
		"nobody to ask": {", verify: {policy: pass.yaml}", "", nil,
			[]string{"verify=unknown image \"cart\": pass.yaml asks for signatures, and no registry may be asked for them"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &promote.Promoter{Pipeline: shop(t, tc.rules), Verifier: tc.verifier}
			verdicts, err := judge.Image(t.Context(), p, judge.Request{Service: "cart", To: "production", Image: image, Policy: tc.policy})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range verdicts {
				got = append(got, v.Gate+"="+string(v.Answer)+" "+v.Text())
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	if _, err := judge.Image(t.Context(), &promote.Promoter{Pipeline: shop(t, "")}, judge.Request{To: "prod", Image: image}); err == nil {
		t.Error("an environment that does not exist is judged")
	}
}

// What production has is judged by what staging had.
func Example() {
	p, _ := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: ["{environment}/{service}.yaml"]
  environments:
  - {name: staging}
  - {name: production, from: [staging]}
`))
	verdicts, err := judge.Image(context.Background(), &promote.Promoter{Pipeline: p}, judge.Request{
		Service: "cart", From: "staging", To: "production",
		Image:   status.Image{Name: "cart", Repository: "shop/cart", Pin: promote.Pin{Digest: digest("2")}},
		Sources: []promote.Tree{staging("image: {repository: shop/cart, digest: " + digest("2") + "}\n")},
	})
	fmt.Println(verdicts[0].Answer, verdicts[0].Reason, err)
	// Output: pass image "cart": staging had it (staging/cart.yaml) <nil>
}
