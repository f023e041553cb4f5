package promote

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// attested answers as the verifier of a registry does in which one environment's
// promotions are attested.
type attested struct {
	environment string
	asked       []VerifyRequest
}

func (a *attested) Verify(_ context.Context, req VerifyRequest, done func()) ([]Verification, error) {
	a.asked = append(a.asked, req)
	var out []Verification
	for _, image := range req.Images {
		v := Verification{Image: image, Answer: Pass, Reason: "signed", Evidence: []Evidence{{Authority: req.Policy}}}
		switch {
		case strings.Contains(image, "unreachable"):
			v = Verification{Image: image, Answer: Unknown, Reason: "registry down"}
		case req.Promoted != "" && req.Promoted != a.environment:
			v = Verification{Image: image, Answer: Fail, Reason: "no record"}
		}
		out = append(out, v)
		done()
	}
	return out, nil
}

func TestPromotedGate(t *testing.T) {
	const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	for _, tc := range []struct {
		name, image string
		attested    string
		want        Answer
		verdicts    []string
	}{
		{"there", "cart", "staging", Pass, []string{"verify=pass", "promoted=pass"}},
		{"not there", "cart", "dev", Fail, []string{"verify=pass", "promoted=fail"}},
		{"unknown", "unreachable/cart", "staging", Unknown, []string{"verify=unknown", "promoted=unknown"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := shop(t, "- {name: cart, newName: "+tc.image+", digest: "+digest+"}\n", "- {name: cart, newName: "+tc.image+", newTag: v1}\n")
			to := &p.Pipeline.Spec.Environments[1]
			to.Verify = &pipeline.VerifyRule{Policy: "images.yaml"}
			to.Gates = []pipeline.Gate{{Promoted: &pipeline.PromotedGate{Environment: "staging", Policy: "promotions.yaml"}}}
			verifier := &attested{environment: tc.attested}
			p.Verifier = verifier
			plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
			if err != nil {
				t.Fatal(err)
			}
			var verdicts []string
			for _, v := range plan.Services[0].Verdicts {
				verdicts = append(verdicts, v.Gate+"="+string(v.Answer))
			}
			if d := cmp.Diff(tc.verdicts, verdicts); d != "" || plan.Answer != tc.want {
				t.Errorf("%s\n%s", plan.Answer, d)
			}
			images := []string{tc.image + "@" + digest}
			services := []string{"cart"}
			want := []VerifyRequest{{Policy: "images.yaml", Images: images, Services: services, Environment: "production"},
				{Policy: "promotions.yaml", Images: images, Services: services, Environment: "production", Promoted: "staging"}}
			if d := cmp.Diff(want, verifier.asked); d != "" {
				t.Error(d)
			}
			if got := plan.Services[0].Images[0].Evidence; tc.want == Pass && len(got) != 2 {
				t.Errorf("evidence: %v", got)
			}
		})
	}
}

// Where no registry may be asked, a gate that needs one is unknown.
func TestPromotedGateOffline(t *testing.T) {
	p := shop(t, "- {name: cart, digest: sha256:1111111111111111111111111111111111111111111111111111111111111111}\n", "- {name: cart, newTag: v1}\n")
	p.Pipeline.Spec.Environments[1].Gates = []pipeline.Gate{{Promoted: &pipeline.PromotedGate{Environment: "staging", Policy: "promotions.yaml"}}}
	plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
	if err != nil || plan.Answer != Unknown {
		t.Errorf("%v, %v", plan, err)
	}
}
