package promote

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
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
	want := []Trailers{{
		Service: "cart", From: "staging", To: "production", Images: []string{"r.example.com/cart:v2"}, SourceCommit: "abc",
		Gates: []string{strings.TrimSpace("verify=pass; " + strings.TrimRight(reason, "\x00"))},
	}}
	got := ParseTrailers(message)
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
		_ = ParseTrailers(reason) // whatever the message: no panic
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

// What is a record, and what is not: only trailers of the last paragraph, in sets
// that begin with a service.
func TestParseTrailers(t *testing.T) {
	for _, tc := range []struct {
		name, message string
		want          []Trailers
	}{
		{"nothing", "", nil},
		{"a subject alone", "Promotion-Service: cart", nil},
		{"one", "s\n\nPromotion-Service: cart\nPromotion-To: p\n", []Trailers{{Service: "cart", To: "p"}}},
		{"two", "s\n\nPromotion-Service: a\nPromotion-To: p\nPromotion-Service: b\nPromotion-To: q\n", []Trailers{{Service: "a", To: "p"}, {Service: "b", To: "q"}}},
		{"from Windows", "s\r\n\r\nPromotion-Service: a\r\nPromotion-To: p\r\n", []Trailers{{Service: "a", To: "p"}}},
		{"beside others", "s\n\nSigned-off-by: Ada <ada@example.com>\nPromotion-Service: a\nChange-Id: I1\nPromotion-To: p\n", []Trailers{{Service: "a", To: "p"}}},
		{"in the body, not at the end", "s\n\nPromotion-Service: evil\nPromotion-To: p\n\nSigned-off-by: Ada <ada@example.com>\n", nil},
		{"before co-authors, as a squash has it", "s\n\nPromotion-Service: a\nPromotion-To: p\n\nCo-authored-by: Ada <ada@example.com>\nCo-Authored-By: Bob <bob@example.com>\n", []Trailers{{Service: "a", To: "p"}}},
		{"before co-authors and more", "s\n\nPromotion-Service: evil\n\nCo-authored-by: Ada <ada@example.com>\nRefs: 1\n", nil},
		{"rules", "s\n\nPromotion-Service: a\nPromotion-Rules: policy sha256:ab p.yaml\n", []Trailers{{Service: "a", Rules: []string{"policy sha256:ab p.yaml"}}}},
		{"in the subject", "Promotion-Service: evil\n\nbody\n", nil},
		{"before a service", "s\n\nPromotion-To: p\nPromotion-Service: a\n", []Trailers{{Service: "a"}}},
		{"a key in small letters", "s\n\npromotion-service: a\n", nil},
		{"indented", "s\n\n Promotion-Service: a\n", nil},
		{"several images and gates", "s\n\nPromotion-Service: a\nPromotion-Image: r/a:v1\nPromotion-Image: r/b:v1\nPromotion-Gate: verify=pass; x\nPromotion-Source-Commit: abc\n",
			[]Trailers{{Service: "a", Images: []string{"r/a:v1", "r/b:v1"}, Gates: []string{"verify=pass; x"}, SourceCommit: "abc"}}},
		{"an escape", "s\n\nPromotion-Service: a%0Ab%25%zz%\n", []Trailers{{Service: "a\nb%%zz%"}}},
	} {
		if d := cmp.Diff(tc.want, ParseTrailers(tc.message)); d != "" {
			t.Errorf("%s:\n%s", tc.name, d)
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
		got := ParseTrailers(p.message())
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
	there := Pin{"v7", sha("7")}
	p.Services[0].Images = append(p.Services[0].Images, ImagePlan{Name: "web", Repository: "web", Old: there, New: there})
	if got := ParseTrailers(p.message()); len(got) != 1 || len(got[0].Images) != 1 || got[0].Images[0] != "r.example.com/cart:v2" {
		t.Errorf("%+v", got)
	}
}

// FuzzParseTrailers: no panic, and what is read can be written and is then read
// again as the same.
func FuzzParseTrailers(f *testing.F) {
	for _, forged := range forgeries {
		f.Add("s\n\nPromotion-Service: a\nPromotion-Gate: " + forged)
	}
	f.Add("\n\n\n")
	f.Add("s\r\n\r\nPromotion-Service:\r\nPromotion-To: %")
	f.Fuzz(func(t *testing.T, message string) {
		for _, set := range ParseTrailers(message) {
			again := ParseTrailers("s\n\nPromotion-Service: " + escapeTrailer(set.Service) + "\nPromotion-To: " + escapeTrailer(set.To))
			if len(again) != 1 || again[0].Service != strings.TrimSpace(set.Service) || again[0].To != strings.TrimSpace(set.To) {
				t.Fatalf("%+v is read again as %+v", set, again)
			}
		}
	})
}
