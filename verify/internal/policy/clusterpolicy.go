package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// The apiVersions and kinds of the policies that Sigstore's policy-controller
// has in a cluster.
const (
	clusterImagePolicyKind = "ClusterImagePolicy"

	clusterTrustRootKind = "TrustRoot"
	publicFulcio         = "https://fulcio.sigstore.dev"
	publicRekor          = "https://rekor.sigstore.dev"
)

func clusterVersions() []string {
	return []string{"policy.sigstore.dev/v1beta1", "policy.sigstore.dev/v1alpha1"}
}

// clusterPolicy reads ClusterImagePolicies as they are, each of them a rule that
// has to be met, with the TrustRoots they name in the same file. What only a
// cluster can know is refused: a field that is passed over in silence is an
// open door.
func (d *decoder) clusterPolicy(p *Policy, documents []*yaml.Node) {
	roots := map[string]*Trust{}
	var policies []*fieldSet
	for _, n := range documents {
		f := d.fields(n, "the resource", "apiVersion", "kind", "metadata", "spec", "status")
		if f == nil {
			continue
		}
		if v := d.need(f, "apiVersion", ""); v != nil {
			d.choice(v, "apiVersion", clusterVersions()...)
		}
		v := d.need(f, "kind", "")
		if v == nil {
			continue
		}
		switch d.choice(v, "kind", clusterImagePolicyKind, clusterTrustRootKind) {
		case clusterImagePolicyKind:
			policies = append(policies, f)
		case clusterTrustRootKind:
			if t, name := d.clusterTrustRoot(f), d.resourceName(f); t != nil {
				if roots[name] != nil {
					d.fail(f.node, "", "TrustRoot %q is in the file already", untrusted.OneLine(name))
				}
				roots[name] = t
			}
		}
	}
	for _, f := range policies {
		if p.Name == "" {
			p.Name = d.resourceName(f)
		}
		if s := d.need(f, "spec", ""); s != nil {
			if r := d.clusterRule(s, roots); r != nil {
				p.Rules = append(p.Rules, r)
			}
		}
	}
	if len(policies) == 0 && d.failed == 0 {
		d.fail(documents[0], "", "file has no %s", clusterImagePolicyKind)
	}
}

// resourceName reads metadata.name. Everything else there belongs to Kubernetes.
func (d *decoder) resourceName(f *fieldSet) string {
	m := f.get("metadata")
	if m == nil {
		return ""
	}
	m = yamlfile.Resolve(m)
	for i := 0; i+1 < len(m.Content) && m.Kind == yaml.MappingNode; i += 2 {
		if yamlfile.Resolve(m.Content[i]).Value == "name" {
			s, _ := d.text(m.Content[i+1], "name")
			return s
		}
	}
	return ""
}

// refuse reports fields that mean nothing outside a cluster.
func (d *decoder) refuse(f *fieldSet, hint string, names ...string) {
	for _, s := range names {
		if v := f.get(s); v != nil && !isEmpty(v) {
			d.fail(v, hint, "%s in %s cannot be honoured outside a cluster", s, f.what)
		}
	}
}

func isEmpty(n *yaml.Node) bool {
	v := yamlfile.Resolve(n)
	return v.ShortTag() == "!!null" || v.Kind == yaml.SequenceNode && len(v.Content) == 0
}

// clusterList reads a list that need not be there and, in a cluster, may be empty.
func (d *decoder) clusterList(f *fieldSet, name string) []*yaml.Node {
	if v := f.get(name); v != nil && isEmpty(v) {
		return nil
	}
	return d.mayList(f, name)
}

func (d *decoder) clusterRule(n *yaml.Node, roots map[string]*Trust) *Rule {
	f := d.fields(n, "spec", "images", "authorities", "policy", "mode", "match")
	if f == nil {
		return nil
	}
	d.refuse(f, "leave it out, and write the rule for the images it is meant for", "match")
	d.refuse(f, "put conditions into the policy of an attestation", "policy")
	r := &Rule{Place: fmt.Sprintf("%s:%d:%d", d.name, max(n.Line, 1), max(n.Column, 1)), Manifest: ManifestIndex, Require: 1}
	if v := f.get("mode"); v != nil {
		r.Warn = d.mode(v)
	}
	for _, e := range d.needList(f, "images") {
		if i := d.fields(e, "an image", "glob"); i != nil {
			if g := d.need(i, "glob", ""); g != nil {
				r.images = append(r.images, d.clusterGlob(g))
			}
		}
	}
	if v := d.need(f, "authorities", ""); v != nil {
		list := d.list(v, "authorities")
		if len(list) > maxAuthorities {
			d.fail(v, "", "policy has %d authorities, and %d are the most", len(list), maxAuthorities)
			return r
		}
		for i, e := range list {
			if a := d.clusterAuthority(e, roots); a != nil {
				a.Name = cmp.Or(a.Name, fmt.Sprintf("authority-%d", i))
				r.Authorities = append(r.Authorities, a)
			}
		}
	}
	return r
}

// clusterGlob reads a glob, which in a cluster is compared with the name and the
// tag or digest behind it. Here there is always a digest, so nothing but any tag
// can be meant.
func (d *decoder) clusterGlob(n *yaml.Node) pattern {
	s, ok := d.text(n, "a glob")
	if !ok {
		return pattern{}
	}
	switch s {
	case "*":
		s = name.DefaultRegistry + "/library/*"
	case "*/*":
		s = name.DefaultRegistry + "/*/*"
	}
	for _, anyTag := range []string{":**", ":*"} {
		s = strings.TrimSuffix(s, anyTag)
	}
	p, err := parsePattern(s)
	d.refused(n, err)
	return p
}

func (d *decoder) clusterAuthority(n *yaml.Node, roots map[string]*Trust) *Authority {
	f := d.fields(n, "an authority", "name", "key", "keyless", "static", "source", "ctlog",
		"attestations", "rfc3161timestamp", "signatureFormat")
	if f == nil {
		return nil
	}
	a := &Authority{}
	if v := f.get("name"); v != nil {
		a.Name, _ = d.text(v, "name")
	}
	if v := f.get("signatureFormat"); v != nil {
		d.choice(v, "signatureFormat", "legacy", "bundle") // both are looked for anyway
	}
	if n := countFields(f, "key", "keyless", "static"); n != 1 {
		d.fail(f.node, "", "an authority needs one of key, keyless and static")
		return nil
	}
	if v := f.get("static"); v != nil {
		d.clusterStatic(a, v, f)
		return a
	}
	if v := f.get("key"); v != nil {
		if k := d.clusterKey(v); k != nil {
			a.Signers = append(a.Signers, &KeySigner{k})
		}
	}
	if v := f.get("keyless"); v != nil {
		d.clusterKeyless(a, v, roots)
	}
	d.clusterLogAndTimestamp(a, f, roots)
	for _, e := range d.mayList(f, "source") {
		a.repositories = append(a.repositories, d.clusterSource(e))
	}
	for _, e := range d.clusterList(f, "attestations") {
		a.Attestations = append(a.Attestations, d.clusterAttestation(e))
	}
	return a
}

func countFields(f *fieldSet, names ...string) int {
	n := 0
	for _, s := range names {
		if f.get(s) != nil {
			n++
		}
	}
	return n
}

func (d *decoder) clusterStatic(a *Authority, n *yaml.Node, all *fieldSet) {
	f := d.fields(n, "static", "action", "message")
	if f == nil {
		return
	}
	for _, s := range []string{"source", "ctlog", "attestations", "rfc3161timestamp"} {
		if v := all.get(s); v != nil {
			d.fail(v, "", "static and %s stand side by side", s)
		}
	}
	v := d.need(f, "action", "action: fail")
	if v == nil {
		return
	}
	if a.Always = d.choice(v, "action", "pass", "fail") == "pass"; a.Always {
		d.warn(v, "", "static with action pass lets every image pass, signed or not")
		return
	}
	a.Never = "the policy says that it fails"
	if m := f.get("message"); m != nil {
		if s, ok := d.text(m, "message"); ok {
			a.Never += ": " + untrusted.OneLine(s)
		}
	}
}

func (d *decoder) clusterKey(n *yaml.Node) *keys.Public {
	f := d.fields(n, "key", "secretRef", "data", "kms", "hashAlgorithm")
	if f == nil {
		return nil
	}
	d.refuse(f, "key: {data: ...}, with the public key itself", "secretRef")
	if v := f.get("hashAlgorithm"); v != nil {
		d.choice(v, "hashAlgorithm", "sha256")
	}
	if f.get("secretRef") != nil {
		return nil
	}
	if countFields(f, "data", "kms") != 1 {
		d.fail(n, "key: {data: ...}", "key needs one of data and kms")
		return nil
	}
	return d.keyIn(f)
}

func (d *decoder) clusterKeyless(a *Authority, n *yaml.Node, roots map[string]*Trust) {
	f := d.fields(n, "keyless", "url", "identities", "ca-cert", "trustRootRef", "insecureIgnoreSCT")
	if f == nil {
		return
	}
	a.Logs = 1
	a.Trust = d.publicTrust(n)
	d.refuse(f, "put the certificates into a TrustRoot in the same file, and name it in trustRootRef", "ca-cert")
	if v := f.get("trustRootRef"); v != nil {
		a.Trust = d.clusterRoot(v, roots)
	} else if v := f.get("url"); v != nil {
		d.onlyPublic(v, "url", publicFulcio)
	}
	if v := f.get("insecureIgnoreSCT"); v != nil && d.boolean(v, "insecureIgnoreSCT") && a.Trust != nil {
		a.Trust = a.Trust.withoutCertificateLogs()
	}
	v := d.need(f, "identities", "identities: [{issuer: ..., subject: ...}]")
	if v == nil {
		return
	}
	for _, e := range d.list(v, "identities") {
		i := d.fields(e, "an identity", "issuer", "subject", "issuerRegExp", "subjectRegExp")
		if i != nil && len(i.values) == 0 {
			d.fail(e, "identities: [{issuer: ..., subject: ...}]", "an identity without issuer and subject is everybody")
		} else if i != nil {
			a.Signers = append(a.Signers, &IdentitySigner{
				Issuer:  d.clusterMatcher(i, "issuer"),
				Subject: d.clusterMatcher(i, "subject"),
			})
		}
	}
}

// clusterMatcher reads one half of an identity. Both have to be there, as the
// controller demands at admission: without one of them, everybody is meant.
func (d *decoder) clusterMatcher(f *fieldSet, field string) Matcher {
	exact, re := f.get(field), f.get(field+"RegExp")
	switch {
	case exact == nil && re == nil:
		d.fail(f.node, "identities: [{issuer: ..., subject: ...}]", "an identity has neither %s nor %sRegExp", field, field)
		return Matcher{}
	case exact != nil && re != nil:
		d.fail(re, "", "%s and %sRegExp stand side by side", field, field)
		return Matcher{}
	case exact != nil:
		s, _ := d.text(exact, field)
		return Matcher{Exact: s}
	}
	m, ok := d.regexp(re, field+"RegExp")
	if s := yamlfile.Resolve(re).Value; ok && !m.matchesEverything() && (!strings.HasPrefix(s, "^") || !strings.HasSuffix(s, "$")) {
		d.warn(re, "^"+untrusted.OneLine(s)+"$", "%sRegExp has to match the whole %s here", field, field)
	}
	return m
}

// clusterLogAndTimestamp reads ctlog and rfc3161timestamp. A key needs no log unless one
// is named; with a timestamp no log is needed.
func (d *decoder) clusterLogAndTimestamp(a *Authority, f *fieldSet, roots map[string]*Trust) {
	if v := f.get("ctlog"); v != nil {
		if c := d.fields(v, "ctlog", "url", "trustRootRef"); c != nil {
			d.clusterLog(a, c, roots)
		}
	}
	if v := f.get("rfc3161timestamp"); v != nil {
		c := d.fields(v, "rfc3161timestamp", "trustRootRef")
		if c == nil {
			return
		}
		if r := d.need(c, "trustRootRef", ""); r != nil {
			a.Logs, a.Timestamps = 0, 1
			if t := d.clusterRoot(r, roots); t != nil {
				if len(t.TimestampingAuthorities()) == 0 {
					d.fail(r, "timestampAuthorities in the TrustRoot", "the TrustRoot has no timestamp authority")
				}
				a.Trust = t.orAuthoritiesOf(a.Trust)
			}
		}
	}
	if f.get("keyless") != nil && len(a.Signers) > 0 && a.Logs == 0 && a.Timestamps == 0 {
		d.fail(f.place("ctlog"), "", "a keyless signature needs a time, from a log or a timestamp authority")
	}
}

func (d *decoder) clusterLog(a *Authority, c *fieldSet, roots map[string]*Trust) {
	a.Logs = 0
	switch {
	case c.get("trustRootRef") != nil:
		a.Logs = 1
		if t := d.clusterRoot(c.get("trustRootRef"), roots); t != nil {
			// Otherwise those of another trusted root would do.
			if len(t.RekorLogs()) == 0 {
				d.fail(c.get("trustRootRef"), "tLogs in the TrustRoot", "the TrustRoot has no log")
			}
			a.Trust = t.orAuthoritiesOf(a.Trust)
		}
	case c.get("url") != nil:
		a.Logs = 1
		d.onlyPublic(c.get("url"), "url", publicRekor)
		if a.Trust == nil {
			a.Trust = d.publicTrust(c.node)
		}
	}
}

// onlyPublic refuses instances whose keys would have to be fetched.
func (d *decoder) onlyPublic(n *yaml.Node, what, url string) {
	if s, ok := d.text(n, what); ok && strings.TrimSuffix(s, "/") != url {
		d.fail(n, "put the keys into a TrustRoot in the same file, and name it in trustRootRef",
			"the keys of %s are not known", untrusted.Quoted(s))
	}
}

func (d *decoder) publicTrust(n *yaml.Node) *Trust {
	t, err := ParseTrust(PublicGood)
	if d.refused(n, err) {
		return nil
	}
	return t
}

func (d *decoder) clusterRoot(n *yaml.Node, roots map[string]*Trust) *Trust {
	s, ok := d.text(n, "trustRootRef")
	if ok && roots[s] == nil && !slices.ContainsFunc(d.file.Faults(), func(f yamlfile.Fault) bool { return strings.HasPrefix(f.Msg, "TrustRoot") }) {
		d.fail(n, "put the TrustRoot into the same file, with sigstoreKeys", "there is no TrustRoot %q", untrusted.OneLine(s))
	}
	return roots[s]
}

func (d *decoder) clusterSource(n *yaml.Node) Repository {
	f := d.fields(n, "a source", "oci", "signaturePullSecrets", "tagPrefix")
	if f == nil {
		return Repository{}
	}
	d.refuse(f, "log in to the registry", "signaturePullSecrets")
	return d.source(f)
}

// source reads where signatures are: in another repository, under a prefix of the
// tags, or both.
func (d *decoder) source(f *fieldSet) Repository {
	p := Repository{}
	if f == nil {
		return p
	}
	if f.get("oci") == nil && f.get("tagPrefix") == nil {
		d.fail(f.node, "source: [{oci: registry.example.com/signatures}]", "a source has neither field \"oci\" nor \"tagPrefix\"")
	}
	if v := f.get("oci"); v != nil {
		if s, ok := d.text(v, "oci"); ok {
			repo, err := name.NewRepository(s)
			if err != nil || !statement.IsPlain(repo.RepositoryStr()) {
				d.fail(v, "", "oci %q is no repository", untrusted.OneLine(s))
			}
			p.Name = s
		}
	}
	if v := f.get("tagPrefix"); v != nil {
		s, ok := d.text(v, "tagPrefix")
		if ok && (len(s) > 32 || strings.Trim(strings.ToLower(s), lowerTag) != "") {
			d.fail(v, "", "tagPrefix %q cannot begin a tag", untrusted.OneLine(s))
		}
		p.TagPrefix = s
	}
	return p
}

const lowerTag = "abcdefghijklmnopqrstuvwxyz0123456789_.-"

func (d *decoder) clusterAttestation(n *yaml.Node) *Attestation {
	r := &Attestation{}
	f := d.fields(n, "an attestation", "name", "predicateType", "policy")
	if f == nil {
		return r
	}
	if v := d.need(f, "name", ""); v != nil {
		d.text(v, "name")
	}
	if v := d.need(f, "predicateType", ""); v != nil {
		r.PredicateType = d.predicateType(v)
	}
	v := f.get("policy")
	if v == nil {
		return r
	}
	c := d.fields(v, "policy", "type", "data", "remote", "configMapRef",
		"fetchConfigFile", "includeSpec", "includeObjectMeta", "includeTypeMeta")
	if c == nil {
		return r
	}
	d.refuse(c, "data: ..., with the policy itself", "remote", "configMapRef",
		"fetchConfigFile", "includeSpec", "includeObjectMeta", "includeTypeMeta")
	kind, data := d.need(c, "type", "type: rego"), d.need(c, "data", "")
	if kind == nil || data == nil {
		return r
	}
	k, ok := d.text(kind, "type")
	if text, good := d.text(data, "data"); ok && good {
		d.condition(data, r, func() (condition.Condition, error) { return condition.ForCluster(k, text) })
	}
	return r
}
