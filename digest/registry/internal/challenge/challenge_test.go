package challenge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		header string
		want   []Challenge
	}{
		{"", nil},
		{"Basic", []Challenge{{Scheme: "basic"}}},
		{`Basic realm="a b"`, []Challenge{{Scheme: "basic", Realm: "a b"}}},
		{`Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"`,
			[]Challenge{{Scheme: "bearer", Realm: "https://auth.example.com/token", Service: "registry", Scope: "repository:a/b:pull,push"}}},
		{`bearer Realm = "r" , error="insufficient_scope"`, []Challenge{{Scheme: "bearer", Realm: "r", Error: "insufficient_scope"}}},
		{`Negotiate, Basic realm="x", Bearer realm=https://auth.example.com/token`,
			[]Challenge{{Scheme: "negotiate"}, {Scheme: "basic", Realm: "x"}, {Scheme: "bearer", Realm: "https://auth.example.com/token"}}},
		{`Bearer realm="q\"uo\\te"`, []Challenge{{Scheme: "bearer", Realm: `q"uo\te`}}},
		{`Bearer realm="first",realm="second"`, []Challenge{{Scheme: "bearer", Realm: "first"}}},
		{`Bearer realm="no end`, []Challenge{{Scheme: "bearer"}}},
		{`Bearer realm=`, []Challenge{{Scheme: "bearer"}}},
		{`"Bearer"`, nil},
		{"Bearer realm=\"" + strings.Repeat("a", maxHeader) + "\"", nil},
	} {
		if diff := cmp.Diff(tt.want, Parse(tt.header)); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", tt.header, diff)
		}
	}
}

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		headers []string
		want    string
	}{
		{nil, ""},
		{[]string{"Negotiate"}, ""},
		{[]string{"Negotiate", `Basic realm="x"`}, "basic"},
		{[]string{`Basic realm="x"`, `Bearer realm="y"`}, "bearer"},
	} {
		got, ok := Pick(http.Header{"Www-Authenticate": tt.headers})
		if got.Scheme != tt.want || ok != (tt.want != "") {
			t.Errorf("Pick(%q) = %+v, %v", tt.headers, got, ok)
		}
	}
}

// What is read back from what was read is the same, and no larger than the header.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"Basic", `Bearer realm="https://r/t",service="s",scope="a b"`, `A b="\\\""`, `Basic a=b, Bearer c=d`} {
		f.Add(s)
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, header string) {
		for _, c := range Parse(header) {
			if n := len(c.Scheme + c.Realm + c.Service + c.Scope + c.Error); n > len(header) {
				t.Fatalf("%d bytes from a header of %d", n, len(header))
			}
			text := c.Scheme + ` realm="` + quote.Replace(c.Realm) + `",service="` + quote.Replace(c.Service) +
				`",scope="` + quote.Replace(c.Scope) + `",error="` + quote.Replace(c.Error) + `"`
			if len(text) > maxHeader {
				continue
			}
			if again := Parse(text); len(again) != 1 || again[0] != c {
				t.Fatalf("%q is read as %+v, %q as %+v", header, c, text, again)
			}
		}
	})
}
