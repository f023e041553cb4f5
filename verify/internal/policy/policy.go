// Package policy is the model of a verification policy, and reads it from
// VerificationPolicies and from the ClusterImagePolicies of Sigstore's
// policy-controller. It judges nothing: package verify does.
package policy

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// The apiVersion and kind of a policy file.
const (
	apiVersion = "kubepromote.dev/v1alpha1"
	kind       = "VerificationPolicy"
)

// The bounds of a file.
const (
	maxDocuments = 64
	maxAliases   = 32
)

// Policy says which images need which signatures. It comes from Parse
// and is not changed afterwards, so it may be used concurrently. The zero
// value has no rules and rejects every image.
type Policy struct {
	Name  string // in the metadata; may be empty
	Allow bool   // images that no rule matches are allowed
	Rules []*Rule
	// Warnings lists what the policy says that is allowed and hardly meant, such
	// as a regular expression that matches everything.
	Warnings []yamlfile.Fault
}

// Rule holds for the repositories that one of its patterns matches. It is met
// when enough of its authorities have signed.
type Rule struct {
	Place       string // file:line:col
	images      []pattern
	Warn        bool // a rule that is not met is told, and not enforced
	Manifest    manifestMode
	Require     int           // distinct signers; requireAll: every authority
	MaxAge      time.Duration // of each signature; 0: any
	CheckName   bool          // the signed name has to be the repository
	Names       []renaming
	Authorities []*Authority
}

// RequireAll is the value of rule.require that asks for every authority.
const RequireAll = 0

// manifestMode says what has to be signed where the image is an index.
type manifestMode string

const (
	ManifestIndex     manifestMode = "index"     // the index
	ManifestPlatforms manifestMode = "platforms" // every image in it
	ManifestItself    manifestMode = "itself"    // the index, and no policy can ask otherwise
	ManifestEither    manifestMode = "either"    // one or the other
)

// Matching lists the rules that hold for a repository, by its canonical name.
func (p *Policy) Matching(repository string) []*Rule {
	var found []*Rule
	for _, r := range p.Rules {
		if slices.ContainsFunc(r.images, func(p pattern) bool { return p.Match(repository) }) {
			found = append(found, r)
		}
	}
	return found
}

// Parse reads a policy file, as verify.ParsePolicy says. The faults are in the order
// of the file. If there are any, there is no policy.
func Parse(name string, data []byte, readFile func(path string) ([]byte, error)) (*Policy, []yamlfile.Fault) {
	d := &decoder{
		file: yamlfile.Parse(name, data, yamlfile.Options{Documents: maxDocuments, Aliases: maxAliases}),
		name: name, readFile: readFile, now: time.Now(),
	}
	p := &Policy{}
	switch documents := d.file.Documents(); {
	case len(documents) == 0:
	case isCluster(documents[0]):
		d.clusterPolicy(p, documents)
	case len(documents) > 1:
		d.fail(documents[1], "put every policy into a file of its own", "file has more than one document")
		fallthrough
	default:
		d.policy(p, documents[0])
	}
	if faults := d.file.Faults(); len(faults) > 0 {
		return nil, faults
	}
	p.Warnings = d.warned.Faults()
	for i := range p.Warnings {
		p.Warnings[i].File = name
	}
	return p, nil
}

// isCluster says whether a document is a resource of the policy-controller.
func isCluster(n *yaml.Node) bool {
	if n = yamlfile.Resolve(n); n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if yamlfile.Resolve(n.Content[i]).Value == "apiVersion" {
			return strings.HasPrefix(yamlfile.Resolve(n.Content[i+1]).Value, "policy.sigstore.dev/")
		}
	}
	return false
}

func (d *decoder) policy(p *Policy, n *yaml.Node) {
	f := d.fields(n, "the policy", "apiVersion", "kind", "metadata", "spec")
	if f == nil {
		return
	}
	d.constant(f, "apiVersion", apiVersion)
	d.constant(f, "kind", kind)
	if m := f.get("metadata"); m != nil {
		if mf := d.fields(m, "metadata", "name"); mf != nil {
			if v := mf.get("name"); v != nil {
				p.Name, _ = d.text(v, "name")
			}
		}
	}
	if s := d.need(f, "spec", ""); s != nil {
		d.spec(p, s)
	}
}
