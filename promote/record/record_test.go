package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is a record, and what is not: only trailers of the last paragraph, in sets
// that begin with a service.
func TestParse(t *testing.T) {
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
		if d := cmp.Diff(tc.want, Parse(tc.message)); d != "" {
			t.Errorf("%s:\n%s", tc.name, d)
		}
	}
}

// FuzzParse: no panic, and what is read can be written and is then read
// again as the same.
func FuzzParse(f *testing.F) {
	for _, forged := range []string{"", "x\nPromotion-Service: payments", "x\r\n\r\nPromotion-Service: payments", "x\u2028y\u0085z", "100%0A sure, or 50 %", "no text: \x9b\xff %"} {
		f.Add("s\n\nPromotion-Service: a\nPromotion-Gate: " + forged)
	}
	f.Add("\n\n\n")
	f.Add("s\r\n\r\nPromotion-Service:\r\nPromotion-To: %")
	f.Fuzz(func(t *testing.T, message string) {
		for _, set := range Parse(message) {
			again := Parse("s\n\nPromotion-Service: " + Escape(set.Service) + "\nPromotion-To: " + Escape(set.To))
			if len(again) != 1 || again[0].Service != strings.TrimSpace(set.Service) || again[0].To != strings.TrimSpace(set.To) {
				t.Fatalf("%+v is read again as %+v", set, again)
			}
		}
	})
}
