package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// schema is the part of JSON Schema that the schema of the policy uses. A word it
// does not know fails the test, as it would check nothing.
type schema struct {
	Ref                  string             `json:"$ref"`
	Defs                 map[string]*schema `json:"$defs"`
	Type                 string
	Enum                 []any
	Properties           map[string]*schema
	AdditionalProperties json.RawMessage
	Required             []string
	Items                *schema
	OneOf, AllOf         []*schema
	Pattern              string
	Minimum, Maximum     *int
	MinItems, MaxItems   *int
	MinProperties        *int
	MaxProperties        *int
	ID                   string `json:"$id"`
	Dialect              string `json:"$schema"`
	Title, Description   string
}

func readSchema(t testing.TB) *schema {
	t.Helper()
	data, err := os.ReadFile("../../schema.json")
	sigtest.Must(t, err)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	s := &schema{}
	sigtest.Must(t, dec.Decode(s))
	return s
}

// check says why a value does not follow the schema.
func (s *schema) check(root *schema, v any) error {
	if s.Ref != "" {
		if err := root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")].check(root, v); err != nil {
			return err
		}
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		return fmt.Errorf("%v is not in %v", v, s.Enum)
	}
	for _, a := range s.AllOf {
		if err := a.check(root, v); err != nil {
			return err
		}
	}
	if len(s.OneOf) > 0 {
		n := 0
		for _, o := range s.OneOf {
			if o.check(root, v) == nil {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("%v follows %d of %d", v, n, len(s.OneOf))
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return s.checkObject(root, v)
	case []any:
		if s.Type != "" && s.Type != "array" || s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			return fmt.Errorf("%v", v)
		}
		for _, e := range v {
			if err := s.Items.check(root, e); err != nil {
				return err
			}
		}
	case string:
		if s.Type != "" && s.Type != "string" || s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			return fmt.Errorf("%q", v)
		}
	case int:
		if s.Type != "" && s.Type != "integer" || s.Minimum != nil && v < *s.Minimum || s.Maximum != nil && v > *s.Maximum {
			return fmt.Errorf("%d", v)
		}
	case bool:
		if s.Type != "" && s.Type != "boolean" {
			return fmt.Errorf("%v", v)
		}
	default:
		if s.Type != "" {
			return fmt.Errorf("%v", v)
		}
	}
	return nil
}

func (s *schema) checkObject(root *schema, v map[string]any) error {
	if s.Type != "" && s.Type != "object" || s.MinProperties != nil && len(v) < *s.MinProperties || s.MaxProperties != nil && len(v) > *s.MaxProperties {
		return fmt.Errorf("%v", v)
	}
	for _, r := range s.Required {
		if _, ok := v[r]; !ok {
			return fmt.Errorf("no %s", r)
		}
	}
	for k, e := range v {
		p := s.Properties[k]
		if p == nil {
			switch string(s.AdditionalProperties) {
			case "false":
				return fmt.Errorf("unknown %s", k)
			case "":
				continue
			}
			p = &schema{}
			if err := json.Unmarshal(s.AdditionalProperties, p); err != nil {
				return err
			}
		}
		if err := p.check(root, e); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	return nil
}

// everything and everySigner have every field of a policy, and one that is unknown
// everywhere. They are two because of a file no more than some faults are told.
const everything = sigtest.Head + `
zzzzzzzzzzzz: 1
metadata: {zzzzzzzzzzzz: 1}
spec:
  zzzzzzzzzzzz: 1
  trustedRoot: {zzzzzzzzzzzz: 1}
  rules:
  - zzzzzzzzzzzz: 1
    names: [{zzzzzzzzzzzz: 1}]
    authorities:
    - {zzzzzzzzzzzz: 1, key: {zzzzzzzzzzzz: 1}}
`

const everySigner = sigtest.Head + `
spec:
  unmatched: reject
  rules:
  - images: ['**']
    authorities:
    - {keyless: {zzzzzzzzzzzz: 1}}
    - {certificate: {chain: {zzzzzzzzzzzz: 1}}}
    - {certificate: {zzzzzzzzzzzz: 1}}
    - {key: {}, attestations: [{zzzzzzzzzzzz: 1, rego: {zzzzzzzzzzzz: 1}}]}
`

const everyPlace = sigtest.Head + `
spec:
  unmatched: reject
  rules:
  - images: ['**']
    authorities:
    - {key: {}, source: [{zzzzzzzzzzzz: 1}]}
`

// The decoder lists the fields it knows where it is given one that it does not.
func TestSchemaHasTheFieldsOfTheDecoder(t *testing.T) {
	var all []error
	for _, text := range []string{everything, everySigner, everyPlace} {
		_, err := parse("p.yaml", []byte(text), nil)
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			t.Fatal(err)
		}
		all = append(all, joined.Unwrap()...)
	}
	s := readSchema(t)
	object := map[string]string{"the policy": "policy", "metadata": "metadata", "spec": "spec", "trustedRoot": "trustedRoot",
		"a rule": "rule", "names": "renaming", "an authority": "authority", "key": "key", "keyless": "keyless",
		"certificate": "certificate", "chain": "source", "a source": "place", "an attestation": "attestation", "rego": "source"}
	for _, e := range all {
		p, ok := errors.AsType[*problemError](e)
		what, is := strings.CutPrefix(p.Msg, `unknown field "zzzzzzzzzzzz" in `)
		if !ok || !is {
			continue
		}
		def := s.Defs[object[what]]
		if def == nil {
			t.Fatalf("no definition for %s", what)
		}
		known := strings.Split(strings.TrimPrefix(p.Hint, "known here: "), ", ")
		slices.Sort(known)
		if got := slices.Sorted(maps.Keys(def.Properties)); !slices.Equal(got, known) {
			t.Errorf("%s: the schema has %v, the decoder %v", what, got, known)
		}
		if string(def.AdditionalProperties) != "false" {
			t.Errorf("%s: the schema allows other fields", what)
		}
		delete(object, what)
	}
	if len(object) > 0 {
		t.Errorf("not seen: %v", object)
	}
}

// What one of them refuses for its form, the other refuses too.
func TestSchemaAgreesWithTheDecoder(t *testing.T) {
	s := readSchema(t)
	keys := sigtest.TestKeys(t)
	trusted := string(sigtest.NewInstance(t).TrustedRoot(t))
	rule := func(lines string) string {
		return sigtest.Head + "spec:\n  unmatched: reject\n  trustedRoot: {file: root}\n  rules:\n  - images: ['a.io/**']\n" + lines
	}
	authority := func(lines string) string { return rule("    authorities:\n    - name: a\n" + lines) }
	const id = "      keyless: {issuer: a, subject: b}\n"
	for i, tt := range []struct {
		good bool
		text string
	}{
		{true, authority("      key: {file: good.pub}\n")},
		{true, authority("      keys: [{file: good.pub}, {file: good.pub}]\n")},
		{true, authority(id)},
		{true, authority(id + "      transparencyLog: required\n      timestamp: 1\n")},
		{true, authority(id + "      transparencyLog: 1\n      timestamp: optional\n      annotations: {a: b}\n")},
		{true, authority("      keyless: {issuerRegexp: a, subjectRegexp: b}\n      trustedRoot: {publicGood: true}\n")},
		{true, authority(id + "      attestations: [{predicateType: vsa, cel: 'true', maxAge: 24h}]\n")},
		{true, authority(id + "      attestations: [{predicateType: 'https://x/y', rego: {data: \"package main\\ndeny := set()\"}}]\n")},
		{true, rule("    mode: warn\n    manifest: either\n    require: all\n    checkName: true\n    names: [{from: 'a.io/**', to: 'b.io/**'}]\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{true, rule("    require: 1\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, authority("")},
		{false, authority("      key: {file: good.pub}\n" + id)},
		{false, authority("      key: {}\n")},
		{false, authority("      key: {file: good.pub, data: x}\n")},
		{false, authority("      keys: []\n")},
		{false, authority("      keyless: {issuer: a}\n")},
		{true, authority("      keyless: {issuer: a, subject: b, githubWorkflowRepository: acme/cart, sourceRepositoryRefRegexp: 'refs/tags/.*'}\n")},
		{false, authority("      keyless: {issuer: a, githubWorkflowRepository: acme/cart}\n")},
		{true, authority("      key: {file: good.pub}\n      source: [{oci: a.io/signatures}, {tagPrefix: x}]\n")},
		{false, authority("      key: {file: good.pub}\n      source: [{}]\n")},
		{false, authority("      key: {file: good.pub}\n      source: []\n")},
		{false, authority("      keyless: {issuer: a, issuerRegexp: a, subject: b}\n")},
		{false, authority("      certificate: {subject: a}\n")},
		{false, authority(id + "      transparencyLog: yes\n")},
		{false, authority(id + "      transparencyLog: 9\n")},
		{false, authority(id + "      trustedRoot: {publicGood: false}\n")},
		{false, authority(id + "      trustedRoot: {}\n")},
		{false, authority(id + "      annotations: {a: 1}\n")},
		{false, authority(id + "      annotations: []\n")},
		{false, authority(id + "      attestations: [{cel: 'true'}]\n")},
		{false, authority(id + "      attestations: [{predicateType: vsa, rego: {}}]\n")},
		{false, authority(id + "      attestations: [{predicateType: vsa, maxAge: soon}]\n")},
		{false, rule("    require: 0\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, rule("    require: some\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, rule("    manifest: some\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, rule("    checkName: maybe\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, rule("    names: [{from: 'a.io/x'}]\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, rule("    mode: quiet\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, rule("    maxAge: 7\n    authorities: [{name: a, key: {file: good.pub}}]\n")},
		{false, sigtest.Head + "spec: {rules: []}\n"},
		{false, "kind: VerificationPolicy\n"},
		{false, sigtest.Head + "spec: {unmatched: maybe, rules: [{images: [x], authorities: [{name: a, key: {file: good.pub}}]}]}\n"},
	} {
		_, err := parse("p.yaml", []byte(tt.text), func(path string) ([]byte, error) {
			if path == "root" {
				return []byte(trusted), nil
			}
			return []byte(keys[path]), nil
		})
		var v any
		sigtest.Must(t, yaml.Unmarshal([]byte(tt.text), &v))
		bySchema := s.check(s, v)
		if (err == nil) != tt.good || (bySchema == nil) != tt.good {
			t.Errorf("%d: decoder: %v; schema: %v\n%s", i, err, bySchema, tt.text)
		}
	}
}
