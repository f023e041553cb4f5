package statement

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

func TestParseStatement(t *testing.T) {
	s, err := Parse([]byte(sigtest.Provenance))
	sigtest.Must(t, err)
	if s.PredicateType() != "https://slsa.dev/provenance/v1" || string(s.Payload()) != sigtest.Provenance {
		t.Errorf("%+v", s)
	}
	if p := s.Predicate(); p["level"] != int64(3) || p["score"] != 7.5 || p["big"] != int64(9007199254740993) || p["exp"] != 1000.0 {
		t.Errorf("%#v", p)
	}
	for digest, want := range map[string]bool{
		"sha256:" + sigtest.SomeHex: true, "sha256:" + strings.Repeat("b", 64): false, "sha512:" + sigtest.SomeHex + sigtest.SomeHex: false,
		sigtest.SomeHex: false, "": false, "sha256:": false, "SHA256:" + sigtest.SomeHex: false, "sha256:" + strings.ToUpper(sigtest.SomeHex): false,
	} {
		if got := s.About(digest); got != want {
			t.Errorf("About(%q) = %v", digest, got)
		}
	}
	for _, ok := range []string{
		sigtest.Minimal + `}`,
		sigtest.Minimal + `,"predicate":null}`,
		sigtest.Minimal + `,"predicate":{},"more":[1,2]}`,
		strings.Replace(sigtest.Minimal, "Statement/v1", "Statement/v0.1", 1) + `,"predicate":{}}`,
		"\n " + sigtest.Minimal + "} \n",
	} {
		if s, err := Parse([]byte(ok)); err != nil || !s.About("sha256:"+sigtest.SomeHex) {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

func TestParseStatementErrors(t *testing.T) {
	subjects := func(list string) string {
		return `{"_type":"https://in-toto.io/Statement/v1","predicateType":"a:b","subject":` + list + `}`
	}
	for _, c := range []struct{ payload, want string }{
		{"", "ends too early"},
		{"null", "null and no JSON object"},
		{"[]", "an array and no JSON object"},
		{`"x"`, "a string and no JSON object"},
		{"{", "ends too early"},
		{`{"a":`, "ends too early"},
		{`{"a" 1}`, "no valid JSON"},
		{`{"a":1,}`, "no valid JSON"},
		{`{"a":tru}`, "no valid JSON"},
		{`{"a":01}`, "no valid JSON"},
		{sigtest.Minimal + "} {}", "something follows"},
		{sigtest.Minimal + "}x", "something follows"},
		{sigtest.Minimal + `,"a":"` + "\xff" + `"}`, "UTF-8"},
		{sigtest.Minimal + `,"predicateType":"a:b"}`, `field "predicateType" is there twice`},
		{sigtest.Minimal + `,"predicate":{"x":{"a":1,"\u0061":2}}}`, `field "a" is there twice`},
		{sigtest.Minimal + `,"predicate":{"\ud800":1,"\udfff":2}}`, "is there twice"},
		{sigtest.Minimal + `,"PredicateType":"c:d"}`, `field "PredicateType" is no field "predicateType"`},
		{sigtest.Minimal + `,"predicate":[]}`, "predicate is an array"},
		{sigtest.Minimal + `,"predicate":"x"}`, "predicate is a string"},
		{sigtest.Minimal + `,"predicate":{"n":1e400}}`, "out of range"},
		{sigtest.Minimal + `,"predicate":{"n":1e999999999999999999}}`, "out of range"},
		{sigtest.Minimal + `,"predicate":` + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 201), "nested more than 100 deep"},
		{sigtest.Minimal + `,"predicate":{"a":` + strings.Repeat("[", 1_000_000), "nested more than 100 deep"},
		{sigtest.Minimal + `,"predicate":{"a":[` + strings.Repeat("1,", MaxValues) + "1]}}", "more than 1000000 values"},
		{strings.Repeat(" ", MaxSize+1), "more than 8 MiB"},
		{`{}`, `type "" is not known`},
		{strings.Replace(sigtest.Minimal, "Statement/v1", "Statement/v2", 1) + "}", "Statement/v2\" is not known"},
		{strings.Replace(sigtest.Minimal, `"a:b"`, `""`, 1) + "}", "predicateType is missing"},
		{strings.Replace(sigtest.Minimal, `"a:b"`, `7`, 1) + "}", "predicateType is missing"},
		{strings.Replace(sigtest.Minimal, `"a:b"`, `"`+strings.Repeat("a", 1025)+`"`, 1) + "}", "more than 1024 bytes"},
		{subjects(`[]`), "subject is missing"},
		{subjects(`{}`), "subject is missing"},
		{subjects(`[1]`), "subject 0: it is a number"},
		{subjects(`[{"name":"x"}]`), "subject 0: digest is missing"},
		{subjects(`[{"digest":{}}]`), "digest is missing"},
		{subjects(`[{"digest":"sha256:x"}]`), "digest is missing"},
		{subjects(`[{"digest":{"sha256":1}}]`), `digest "sha256" is a number`},
		{subjects(`[{"name":true,"digest":{"sha256":"x"}}]`), "name is a boolean"},
		{subjects(`[` + strings.Repeat(`{"digest":{"a":"b"}},`, maxSubjects) + `{"digest":{"a":"b"}}]`), "more than 1024 entries"},
	} {
		_, err := Parse([]byte(c.payload))
		if err == nil || !strings.HasPrefix(err.Error(), "statement: ") || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%.80q: %v, want %q", c.payload, err, c.want)
		}
	}
}

func TestPredicateTypeURI(t *testing.T) {
	for name, want := range map[string]string{
		"slsaprovenance": "https://slsa.dev/provenance/v0.2", "slsaprovenance1": "https://slsa.dev/provenance/v1",
		"spdxjson": "https://spdx.dev/Document", "vsa": "https://slsa.dev/verification_summary/v1",
		"approval": "https://kubepromote.dev/approval/v1", "https://example.com/x": "https://example.com/x", "urn:x": "urn:x",
		"": "", "slsa": "", "VSA": "", ":x": "", "https:": "", "a: b": "",
	} {
		if got := PredicateTypeURI(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// FuzzStatement: what is accepted is what every JSON reader sees.
func FuzzStatement(f *testing.F) {
	f.Add([]byte(sigtest.Provenance))
	f.Add([]byte(sigtest.Minimal + "}"))
	f.Add([]byte(sigtest.Minimal + `,"predicate":{"a":1,"a":2}}`))
	f.Add([]byte(sigtest.Minimal + `,"predicate":{"n":[1e5,-0,1.5,123456789012345678901234567890]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("%q", err)
			}
			return
		}
		var other struct {
			Subject       []struct{ Digest map[string]string }
			PredicateType string `json:"predicateType"`
			Predicate     map[string]any
		}
		if err := json.Unmarshal(data, &other); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if other.PredicateType != s.predicateType || len(other.Subject) != len(s.subjects) || len(other.Predicate) != len(s.Predicate()) {
			t.Fatalf("%q: %+v", data, s)
		}
		for i, x := range other.Subject {
			if !reflect.DeepEqual(x.Digest, s.subjects[i].Digests) {
				t.Fatalf("%q: %+v", data, s)
			}
		}
	})
}
