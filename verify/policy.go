package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"
)

// The apiVersion and kind of a policy file.
const (
	PolicyAPIVersion = "kubepromote.dev/v1alpha1"
	PolicyKind       = "VerificationPolicy"
)

const (
	maxPolicySize = 1 << 20
	maxAliases    = 32
)

// Policy says which images need which signatures. It comes from ParsePolicy
// and is not changed afterwards, so it may be used concurrently. The zero
// value has no rules and rejects every image.
type Policy struct {
	name  string
	allow bool // images that no rule matches are allowed
	rules []*rule
}

// rule holds for the repositories that one of its patterns matches. It is met
// when one of its authorities has signed.
type rule struct {
	images      []pattern
	authorities []authority
}

// authority is somebody whose signature counts.
type authority struct {
	name  string
	check checker
}

// PolicyError is one problem of a policy file.
type PolicyError struct {
	File string // as given to ParsePolicy
	Line int    // from 1
	Col  int    // from 1, in characters
	Msg  string // lower case, no full stop
	Hint string // what to do or type; may be empty
}

// Error has the form file:line:col: message, without the hint.
func (e *PolicyError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// HintText gives the hint, or "".
func (e *PolicyError) HintText() string { return e.Hint }

// Name is the name in the metadata of the policy; it may be empty.
func (p *Policy) Name() string { return p.name }

// matching lists the rules that hold for a repository.
func (p *Policy) matching(repo name.Repository) []*rule {
	full := canonicalName(repo)
	var found []*rule
	for _, r := range p.rules {
		if slices.ContainsFunc(r.images, func(p pattern) bool { return p.match(full) }) {
			found = append(found, r)
		}
	}
	return found
}

// ParsePolicy reads a policy file strictly: whatever it does not understand
// completely is an error. name is the file's name for messages. readFile reads
// a key file that the policy names; it gets the path as it is written there,
// and the caller decides relative to what, and whether, it may be read. With a
// nil readFile a policy that names key files is an error.
//
// The error joins a *PolicyError for each problem of the file, in the order of
// the file (errors.Join).
func ParsePolicy(name string, data []byte, readFile func(path string) ([]byte, error)) (*Policy, error) {
	d := &decoder{file: name, readFile: readFile}
	p := &Policy{}
	if root := d.document(data); root != nil {
		d.policy(p, root)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// document finds the one document of the file.
func (d *decoder) document(data []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxPolicySize {
		d.fail(start, "", "file is over %d MiB", maxPolicySize>>20)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		d.fail(start, "", "file is empty, and no policy")
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := dec.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
		return nil
	default:
		d.fail(&more, "put every policy into a file of its own", "file has more than one document")
	}
	if n := countAliases(&doc); n > maxAliases {
		d.fail(&doc, "", "file has %d aliases, and %d are the most", n, maxAliases)
		return nil
	}
	return doc.Content[0]
}

// syntax reports an error of the YAML parser, which gives at most the line.
func (d *decoder) syntax(err error) {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	at := &yaml.Node{Line: 1, Column: 1}
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if no, text, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(no); err == nil {
				at.Line, msg = n, text
			}
		}
	}
	d.fail(at, "", "no valid YAML: %s", oneLine(msg))
}

func countAliases(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		return 1
	}
	sum := 0
	for _, c := range n.Content {
		sum += countAliases(c)
	}
	return sum
}

func (d *decoder) policy(p *Policy, n *yaml.Node) {
	f := d.fields(n, "the policy", "apiVersion", "kind", "metadata", "spec")
	if f == nil {
		return
	}
	d.constant(f, "apiVersion", PolicyAPIVersion)
	d.constant(f, "kind", PolicyKind)
	if m := f.get("metadata"); m != nil {
		if mf := d.fields(m, "metadata", "name"); mf != nil {
			if v := mf.get("name"); v != nil {
				p.name, _ = d.text(v, "name")
			}
		}
	}
	if s := d.need(f, "spec", ""); s != nil {
		d.spec(p, s)
	}
}

func (d *decoder) spec(p *Policy, n *yaml.Node) {
	f := d.fields(n, "spec", "unmatched", "rules")
	if f == nil {
		return
	}
	if v := d.need(f, "unmatched", "unmatched: reject"); v != nil {
		if s, ok := d.text(v, "unmatched"); ok {
			p.allow = s == "allow"
			if s != "allow" && s != "reject" {
				d.fail(v, "", "unmatched is %q, and must be reject or allow", oneLine(s))
			}
		}
	}
	if v := d.need(f, "rules", ""); v != nil {
		for _, e := range d.list(v, "rules") {
			p.rules = append(p.rules, d.rule(e))
		}
	}
}

func (d *decoder) rule(n *yaml.Node) *rule {
	r := &rule{}
	f := d.fields(n, "a rule", "images", "authorities")
	if f == nil {
		return r
	}
	if v := d.need(f, "images", ""); v != nil {
		for _, e := range d.list(v, "images") {
			s, ok := d.text(e, "a pattern")
			if !ok {
				continue
			}
			p, err := parsePattern(s)
			if bad, ok := errors.AsType[*patternError](err); ok {
				d.fail(e, bad.hint, "%s", bad.msg)
			}
			r.images = append(r.images, p)
		}
	}
	if v := d.need(f, "authorities", ""); v != nil {
		seen := map[string]bool{}
		for _, e := range d.list(v, "authorities") {
			a, at := d.authority(e)
			if a.name != "" && seen[a.name] {
				d.fail(at, "", "authority %q is in this rule already", oneLine(a.name))
			}
			seen[a.name] = true
			r.authorities = append(r.authorities, a)
		}
	}
	return r
}

// authority also returns where the name stands.
func (d *decoder) authority(n *yaml.Node) (a authority, at *yaml.Node) {
	f := d.fields(n, "an authority", "name", "key")
	if f == nil {
		return a, n
	}
	if at = d.need(f, "name", ""); at != nil {
		a.name, _ = d.text(at, "name")
	}
	if v := d.need(f, "key", "key: {file: cosign.pub}"); v != nil {
		if k := d.key(v); k != nil {
			a.check = &keyChecker{authority: a.name, key: k}
		}
	}
	return a, at
}

func (d *decoder) key(n *yaml.Node) *publicKey {
	f := d.fields(n, "key", "file", "data")
	if f == nil {
		return nil
	}
	file, inline := f.get("file"), f.get("data")
	if (file == nil) == (inline == nil) {
		d.fail(n, "key: {file: cosign.pub}", "key needs one of file and data")
		return nil
	}
	var pem []byte
	at := inline
	if file != nil {
		at = file
		if pem = d.keyFile(file); pem == nil {
			return nil
		}
	} else {
		s, ok := d.text(inline, "data")
		if !ok {
			return nil
		}
		pem = []byte(s)
	}
	k, err := parseKey(pem)
	if bad, ok := errors.AsType[*keyError](err); ok {
		d.fail(at, bad.hint, "%s", bad.msg)
		return nil
	}
	return k
}

// keyFile returns nil if there was a problem, which it reports.
func (d *decoder) keyFile(n *yaml.Node) []byte {
	path, ok := d.text(n, "file")
	switch {
	case !ok:
		return nil
	case strings.Contains(path, "://"):
		d.fail(n, "write the public key to a file and name that", "key %q is not a file", oneLine(path))
		return nil
	case d.readFile == nil:
		d.fail(n, "key: {data: ...}", "key files cannot be read here")
		return nil
	}
	pem, err := d.readFile(path)
	if err != nil {
		d.fail(n, "", "key file cannot be read: %s", oneLine(err.Error()))
		return nil
	}
	return append([]byte{}, pem...)
}
