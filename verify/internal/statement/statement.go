// Package statement reads in-toto statements, strictly, and names the predicate
// types that are made and judged here.
package statement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	Type = "https://in-toto.io/Statement/v1"
	// MediaType is the payload type of a DSSE envelope that holds an
	// in-toto statement.
	MediaType = "application/vnd.in-toto+json"

	MaxSize           = 8 << 20
	MaxStatementDepth = 100
	MaxValues         = 1_000_000
	maxSubjects       = 1024
	maxPredicateType  = 1024 // bytes
)

// Statement is an in-toto statement (https://in-toto.io/Statement/v1, or v0.1
// when it is read): somebody says something of the kind PredicateType about
// the artifacts with the digests of its subjects. It comes from NewVSA,
// NewApproval or ParseStatement and is not changed afterwards. Who says it,
// and whether, is not part of it: that is the signature.
type Statement struct {
	payload       []byte
	predicateType string
	subjects      []Subject
	fields        map[string]any
}

// Subject is an artifact that a statement is about.
type Subject struct {
	Name    string
	Digests map[string]string // by algorithm, hex
}

// Payload is the JSON form, as it is signed.
func (s Statement) Payload() []byte { return slices.Clone(s.payload) }

// PredicateType is the URI that says how the predicate is to be read.
func (s Statement) PredicateType() string { return s.predicateType }

// Subjects are what the statement is about. The caller must not change them.
func (s Statement) Subjects() []Subject { return s.subjects }

// About reports whether a digest (sha256:<hex>) is among the subjects.
func (s Statement) About(digest string) bool {
	h, err := v1.NewHash(digest)
	return err == nil && h.Algorithm == "sha256" &&
		slices.ContainsFunc(s.subjects, func(x Subject) bool { return x.Digests["sha256"] == h.Hex })
}

// Predicate is the predicate, or nil if there is none.
func (s Statement) Predicate() map[string]any {
	p, _ := s.fields["predicate"].(map[string]any)
	return p
}

// Parse reads the payload of a DSSE envelope. It is strict where a
// second reader could understand something else: no field may come twice, no
// known field may be written in other letters, and there is exactly one value.
// Fields it does not know are kept and mean nothing, as the specification
// demands. Size, depth and number of values are limited. The error is one line
// for people.
func Parse(payload []byte) (Statement, error) {
	fields, err := ParseObject(payload)
	if err != nil {
		return Statement{}, fmt.Errorf("statement: %w", err)
	}
	s := Statement{payload: slices.Clone(payload), fields: fields}
	if err := s.read(); err != nil {
		return Statement{}, fmt.Errorf("statement: %w", err)
	}
	return s, nil
}

// FromFields reads the fields of a statement that has been parsed.
func FromFields(fields map[string]any) (Statement, error) {
	s := Statement{fields: fields}
	err := s.read()
	return s, err
}

// Fields are those of the JSON form: map[string]any, []any, string, bool, int64,
// float64 and nil.
func (s Statement) Fields() map[string]any { return s.fields }

func (s *Statement) read() error {
	known := []string{"_type", "subject", "predicateType", "predicate"}
	for name := range s.fields {
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				return fmt.Errorf("field %s is no field %q", untrusted.Quoted(name), k)
			}
		}
	}
	kind, _ := s.fields["_type"].(string)
	if !slices.Contains(Types(), kind) {
		return fmt.Errorf("type %s is not known", untrusted.Quoted(kind))
	}
	var ok bool
	if s.predicateType, ok = s.fields["predicateType"].(string); !ok || s.predicateType == "" {
		return errors.New("predicateType is missing")
	}
	if len(s.predicateType) > maxPredicateType {
		return fmt.Errorf("predicateType has more than %d bytes", maxPredicateType)
	}
	switch p := s.fields["predicate"].(type) {
	case nil, map[string]any:
	default:
		return fmt.Errorf("predicate is %s and no object", jsonKind(p))
	}
	list, ok := s.fields["subject"].([]any)
	if !ok || len(list) == 0 {
		return errors.New("subject is missing")
	}
	if len(list) > maxSubjects {
		return fmt.Errorf("subject has more than %d entries", maxSubjects)
	}
	for i, v := range list {
		x, err := readSubject(v)
		if err != nil {
			return fmt.Errorf("subject %d: %w", i, err)
		}
		s.subjects = append(s.subjects, x)
	}
	return nil
}

func readSubject(v any) (Subject, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return Subject{}, fmt.Errorf("it is %s and no object", jsonKind(v))
	}
	x := Subject{Digests: map[string]string{}}
	if n := fields["name"]; n != nil {
		if x.Name, ok = n.(string); !ok {
			return Subject{}, fmt.Errorf("name is %s and no string", jsonKind(n))
		}
	}
	set, ok := fields["digest"].(map[string]any)
	if !ok || len(set) == 0 {
		return Subject{}, errors.New("digest is missing")
	}
	for algorithm, d := range set {
		if x.Digests[algorithm], ok = d.(string); !ok {
			return Subject{}, fmt.Errorf("digest %s is %s and no string", untrusted.Quoted(algorithm), jsonKind(d))
		}
	}
	return x, nil
}

// ParseObject reads one JSON object. Integers become int64 where they fit, and
// all other numbers float64: text with an exponent of a thousand digits must
// not reach a library that computes exactly.
func ParseObject(data []byte) (map[string]any, error) {
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("it has more than %d MiB", MaxSize>>20)
	case !utf8.Valid(data):
		return nil, errors.New("it is no valid UTF-8")
	}
	r := &jsonReader{dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows after the JSON value")
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is %s and no JSON object", jsonKind(v))
	}
	return object, nil
}

// jsonReader builds a value from tokens, because the decoder of the standard
// library takes the last of two fields with one name without a word.
type jsonReader struct {
	dec   *json.Decoder
	count int
}

func (r *jsonReader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if err == nil {
		return t, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the JSON ends too early")
	}
	return nil, fmt.Errorf("no valid JSON at byte %d: %s", r.dec.InputOffset(), untrusted.OneLine(err.Error()))
}

func (r *jsonReader) value(depth int) (any, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	if r.count++; r.count > MaxValues {
		return nil, fmt.Errorf("it has more than %d values", MaxValues)
	}
	switch t := t.(type) {
	case json.Number:
		return number(t)
	case json.Delim:
		if depth == MaxStatementDepth {
			return nil, fmt.Errorf("it is nested more than %d deep", MaxStatementDepth)
		}
		if t == '{' {
			return r.object(depth + 1)
		}
		return r.array(depth + 1)
	}
	return t, nil
}

func (r *jsonReader) object(depth int) (any, error) {
	fields := map[string]any{}
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // the decoder lets nothing else pass here
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("field %s is there twice", untrusted.Quoted(name))
		}
		if fields[name], err = r.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := r.token()
	return fields, err
}

func (r *jsonReader) array(depth int) (any, error) {
	list := []any{}
	for r.dec.More() {
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := r.token()
	return list, err
}

func number(n json.Number) (any, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return nil, fmt.Errorf("number %s is out of range", untrusted.Quoted(n.String()))
	}
	return f, nil
}

func jsonKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// PredicateTypeURI resolves the short names that cosign has for predicate
// types (slsaprovenance, slsaprovenance02, slsaprovenance1, spdx, spdxjson,
// cyclonedx, link, vuln, openvex, custom), and vsa and approval. A URI stands
// for itself. It returns "" for anything else.
func PredicateTypeURI(name string) string {
	switch name {
	case "slsaprovenance", "slsaprovenance02":
		return "https://slsa.dev/provenance/v0.2"
	case "slsaprovenance1":
		return "https://slsa.dev/provenance/v1"
	case "spdx", "spdxjson":
		return "https://spdx.dev/Document"
	case "cyclonedx":
		return "https://cyclonedx.org/bom"
	case "link":
		return "https://in-toto.io/Link/v1"
	case "vuln":
		return "https://cosign.sigstore.dev/attestation/vuln/v1"
	case "openvex":
		return "https://openvex.dev/ns"
	case "custom":
		return "https://cosign.sigstore.dev/attestation/v1"
	case "vsa":
		return VSAType
	case "approval":
		return ApprovalType
	}
	if scheme, rest, ok := strings.Cut(name, ":"); ok && scheme != "" && rest != "" && !strings.ContainsAny(name, " \t\r\n") {
		return name
	}
	return ""
}

// Types are the versions of in-toto statements that are understood.
func Types() []string {
	return []string{"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"}
}

// SignType marks the statement that an image is signed.
const SignType = "https://sigstore.dev/cosign/sign/v1"
