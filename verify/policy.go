package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

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
	name     string
	allow    bool // images that no rule matches are allowed
	rules    []*rule
	warnings []*PolicyError
}

// rule holds for the repositories that one of its patterns matches. It is met
// when enough of its authorities have signed.
type rule struct {
	images      []pattern
	warn        bool // a rule that is not met is told, and not enforced
	manifest    manifestMode
	require     int           // distinct signers; requireAll: every authority
	maxAge      time.Duration // of each signature; 0: any
	checkName   bool          // the signed name has to be the repository
	names       []renaming
	authorities []*authority
}

// requireAll is the value of rule.require that asks for every authority.
const requireAll = 0

// manifestMode says what has to be signed where the image is an index.
type manifestMode string

const (
	manifestIndex     manifestMode = "index"     // the index
	manifestPlatforms manifestMode = "platforms" // every image in it
	manifestEither    manifestMode = "either"    // one or the other
)

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

// Warnings lists what the policy says that is allowed and hardly meant, such as
// a regular expression that matches everything. They are for the person who
// writes the policy.
func (p *Policy) Warnings() []*PolicyError { return p.warnings }

// matching lists the rules that hold for a repository, by its canonical name.
func (p *Policy) matching(repository string) []*rule {
	var found []*rule
	for _, r := range p.rules {
		if slices.ContainsFunc(r.images, func(p pattern) bool { return p.match(repository) }) {
			found = append(found, r)
		}
	}
	return found
}

// JoinPolicies makes one policy of several: an image has to meet all of them, and
// one that no rule matches is allowed if each of them allows it. What an image
// has is read once for all of them.
func JoinPolicies(policies ...*Policy) *Policy {
	joined := &Policy{allow: len(policies) > 0}
	for _, p := range policies {
		joined.allow = joined.allow && p.allow
		joined.rules = append(joined.rules, p.rules...)
		joined.warnings = append(joined.warnings, p.warnings...)
		if joined.name == "" {
			joined.name = p.name
		}
	}
	return joined
}

// ParsePolicy reads a policy file strictly: whatever it does not understand
// completely is an error. The file holds one VerificationPolicy, or what the
// policy-controller of Sigstore has in a cluster: ClusterImagePolicies, and the
// TrustRoots they name. name is the file's name for messages. readFile reads
// a key file that the policy names; it gets the path as it is written there,
// and the caller decides relative to what, and whether, it may be read. With a
// nil readFile a policy that names key files is an error.
//
// The error joins a *PolicyError for each problem of the file, in the order of
// the file (errors.Join).
func ParsePolicy(name string, data []byte, readFile func(path string) ([]byte, error)) (*Policy, error) {
	d := &decoder{file: name, readFile: readFile, now: time.Now()}
	p := &Policy{}
	switch documents := d.documents(data); {
	case len(documents) == 0:
	case isCluster(documents[0]):
		d.clusterPolicy(p, documents)
	case len(documents) > 1:
		d.fail(documents[1], "put every policy into a file of its own", "file has more than one document")
		fallthrough
	default:
		d.policy(p, documents[0])
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	p.warnings = sorted(d.warnings)
	return p, nil
}

// maxDocuments bounds the documents in a file.
const maxDocuments = 64

// documents finds the documents of the file. It returns none if there was a
// problem, which it reports.
func (d *decoder) documents(data []byte) []*yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxPolicySize {
		d.fail(start, "", "file is over %d MiB", maxPolicySize>>20)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var all []*yaml.Node
	for {
		doc := &yaml.Node{}
		err := dec.Decode(doc)
		switch {
		case errors.Is(err, io.EOF):
			if len(all) == 0 {
				d.fail(start, "", "file is empty, and no policy")
			}
			return all
		case err != nil:
			d.syntax(err)
			return nil
		case len(doc.Content) == 0:
			continue
		}
		if n := countAliases(doc); n > maxAliases {
			d.fail(doc, "", "file has %d aliases, and %d are the most", n, maxAliases)
			return nil
		}
		if all = append(all, doc.Content[0]); len(all) > maxDocuments {
			d.fail(doc, "", "file has more than %d documents", maxDocuments)
			return nil
		}
	}
}

// isCluster says whether a document is a resource of the policy-controller.
func isCluster(n *yaml.Node) bool {
	if n = resolve(n); n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if resolve(n.Content[i]).Value == "apiVersion" {
			return strings.HasPrefix(resolve(n.Content[i+1]).Value, "policy.sigstore.dev/")
		}
	}
	return false
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
