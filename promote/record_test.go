package promote

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/record"
)

// planOf makes a plan that promotes one image of one service, with one verdict.
func planOf(t testing.TB, reason string) *Plan {
	t.Helper()
	f, err := overlay.Parse("kustomization.yaml", []byte("images:\n- {name: cart, newTag: v1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	edit, err := f.Set(overlay.Change{Name: "cart", Tag: overlay.To("v2")})
	if err != nil {
		t.Fatal(err)
	}
	return &Plan{From: "staging", To: "production", Head: "abc", Answer: Pass, Services: []*ServicePlan{{
		Service:  "cart",
		Images:   []ImagePlan{{Name: "cart", Repository: "r.example.com/cart", Old: Pin{Tag: "v1"}, New: Pin{Tag: "v2"}}},
		Verdicts: []Verdict{{Gate: "verify", Answer: Pass, Reason: reason}},
		Files:    []FilePlan{{file: File{Path: "kustomization.yaml", Data: edit.After.Bytes(), Old: edit.Before.Bytes()}}},
	}}}
}

// A reason comes from outside. Whatever it holds, it must not add a trailer, and
// it must be read back as it was.
var forgeries = []string{
	"",
	"signed by \"release\"",
	"x\nPromotion-Service: payments\nPromotion-To: production",
	"x\r\nPromotion-Service: payments",
	"x\n\nPromotion-Service: payments",
	"x\u2028Promotion-Service: payments\u0085y",
	"100%0A sure, or 50 %",
	"tab\tbell\a\x7f",
	"---\ndiff --git a b",
	"no text: \x9b\xff %", // was recorded as U+FFFD
}

func TestTrailersCannotBeForged(t *testing.T) {
	for _, reason := range forgeries {
		checkMessage(t, reason)
	}
}

func checkMessage(t testing.TB, reason string) {
	t.Helper()
	message := planOf(t, reason).message()
	want := []record.Trailers{{
		Service: "cart", From: "staging", To: "production", Images: []string{"r.example.com/cart:v2"}, SourceCommit: "abc",
		Gates: []string{strings.TrimSpace("verify=pass; " + strings.TrimRight(reason, "\x00"))},
	}}
	got := record.Parse(message)
	if len(got) == 1 && len(got[0].Gates) == 1 {
		// A value is trimmed: white space at its ends carries nothing.
		want[0].Gates[0] = strings.TrimSpace("verify=pass; " + reason)
		got[0].Gates[0] = strings.TrimSpace(got[0].Gates[0])
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%q:\n%s", reason, d)
	}
}

// Git must read the trailers as we do.
func TestGitReadsTrailers(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range forgeries {
		cmd := exec.Command(git, "interpret-trailers", "--parse")
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		cmd.Stdin = strings.NewReader(planOf(t, reason).message())
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(out), "\n"); n != 6 || strings.Count("\n"+string(out), "\nPromotion-Service:") != 1 {
			t.Errorf("%q: git reads %d trailers:\n%s", reason, n, out)
		}
	}
}

func FuzzTrailers(f *testing.F) {
	for _, reason := range forgeries {
		f.Add(reason)
	}
	f.Fuzz(func(t *testing.T, reason string) {
		checkMessage(t, reason)
		_ = record.Parse(reason) // whatever the message: no panic
	})
}

func TestSubject(t *testing.T) {
	p := planOf(t, "")
	for _, tc := range []struct {
		images []ImagePlan
		want   string
	}{
		{[]ImagePlan{{New: Pin{Tag: "v2"}}}, "cart → v2"},
		{[]ImagePlan{{New: Pin{Tag: "v2"}}, {New: Pin{Tag: "v2"}}}, "cart → v2"},
		{[]ImagePlan{{New: Pin{Tag: "v2"}}, {New: Pin{Tag: "v3"}}}, "cart, 2 images"},
		{[]ImagePlan{{New: Pin{Digest: "sha256:0123456789abcdef"}}}, "cart → sha256:0123456789ab"},
	} {
		p.Services[0].Images = tc.images
		subject, _, _ := strings.Cut(p.message(), "\n")
		if want := "promote(production): " + tc.want; subject != want {
			t.Errorf("got %q, want %q", subject, want)
		}
	}
}

// Names come from files that others write: none of them may write a trailer.
func TestNamesCannotForgeTrailers(t *testing.T) {
	for _, forged := range forgeries {
		p := planOf(t, "")
		s := p.Services[0]
		s.Images = append(s.Images, ImagePlan{Name: "x" + forged, Repository: "r" + forged, Old: Pin{Tag: "o" + forged}, New: Pin{Tag: "n" + forged}})
		s.Verdicts = []Verdict{{Gate: "verify", Answer: Pass, Reason: "none", Override: "by" + forged}}
		got := record.Parse(p.message())
		if len(got) != 1 || got[0].Service != "cart" || got[0].To != "production" || len(got[0].Images) != 2 || len(got[0].Gates) != 1 {
			t.Errorf("%q: %+v", forged, got)
		}
		subject, _, _ := strings.Cut(p.message(), "\n")
		if subject != "promote(production): cart, 2 images" {
			t.Errorf("%q: subject %q", forged, subject)
		}
	}
}

// An image that the target had before was not looked at, and is not recorded.
func TestRecordOfWhatMoved(t *testing.T) {
	p := planOf(t, "")
	there := Pin{Tag: "v7", Digest: sha("7")}
	p.Services[0].Images = append(p.Services[0].Images, ImagePlan{Name: "web", Repository: "web", Old: there, New: there})
	if got := record.Parse(p.message()); len(got) != 1 || len(got[0].Images) != 1 || got[0].Images[0] != "r.example.com/cart:v2" {
		t.Errorf("%+v", got)
	}
}
