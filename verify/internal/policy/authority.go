package policy

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Authority is somebody whose signature counts, and what it takes to count.
type Authority struct {
	Name         string
	Signers      []Signer // any of them
	Trust        *Trust   // of logs, timestamps and identities; may be nil
	Logs         int      // distinct logs demanded; 0: none
	Timestamps   int      // distinct timestamp authorities demanded; 0: none
	Annotations  map[string]string
	Attestations []*Attestation // demanded in place of a signature
	repositories []Repository   // where its signatures are; none: beside the image
	Always       bool           // met by every image, as a ClusterImagePolicy can say
	Never        string         // why it is met by none
}

// Repository is where signatures are kept: a repository, or that of the image if it
// is empty, and what stands before the tags there.
type Repository struct{ Name, TagPrefix string }

// String names the place where it is not that of cosign, beside the image.
func (r Repository) String() string {
	switch {
	case r.TagPrefix == "":
		return r.Name
	case r.Name == "":
		return "tags that begin with " + r.TagPrefix
	}
	return r.Name + ", tags that begin with " + r.TagPrefix
}

// Repositories are where the signatures of the authority may be.
func (a *Authority) Repositories() []Repository {
	if len(a.repositories) == 0 {
		return []Repository{{}}
	}
	return a.repositories
}

// Attestation demands an attestation of one type.
type Attestation struct {
	PredicateType string
	Conditions    []condition.Condition // all of them
	MaxAge        time.Duration         // 0: any
	// Environment is the one that an approval has to be for, or whose gates have
	// to be passed; empty: none is given, and what is asked cannot be known.
	Environment string
	// Passed asks for a verification summary that says that the gates of
	// Environment were passed.
	Passed bool
}

// LacksEnvironment is true if what is asked depends on an environment, and none is
// given.
func (r *Attestation) LacksEnvironment() bool {
	return r.Environment == "" && (r.Passed || r.PredicateType == statement.ApprovalType)
}

const authorityHint = "key: {file: cosign.pub}"

// authority also returns where the name stands.
func (d *decoder) authority(n *yaml.Node) (a *Authority, at *yaml.Node) {
	a = &Authority{}
	f := d.fields(n, "an authority", "name", "key", "keys", "keyless", "certificate",
		"transparencyLog", "timestamp", "trustedRoot", "annotations", "attestations", "source")
	if f == nil {
		return a, n
	}
	if at = d.need(f, "name", ""); at != nil {
		a.Name, _ = d.text(at, "name")
	}
	a.Trust = d.trust
	if v := f.get("trustedRoot"); v != nil {
		a.Trust = d.trustedRoot(v)
	}
	d.signers(a, f)
	if v := f.get("transparencyLog"); v != nil {
		a.Logs = d.demand(v, "transparencyLog")
	}
	if v := f.get("timestamp"); v != nil {
		a.Timestamps = d.demand(v, "timestamp")
	}
	d.checkTrust(a, f)
	for _, e := range d.mayList(f, "source") {
		a.repositories = append(a.repositories, d.source(d.fields(e, "a source", "oci", "tagPrefix")))
	}
	if v := f.get("annotations"); v != nil {
		a.Annotations = d.annotations(v)
	}
	if v := f.get("attestations"); v != nil && f.get("annotations") != nil {
		d.fail(v, "use cel over the predicate", "attestations have no annotations")
	}
	for _, e := range d.mayList(f, "attestations") {
		a.Attestations = append(a.Attestations, d.attestation(e, a))
	}
	return a, at
}

// Signers reads the one field that says who the authority is.
func (d *decoder) signers(a *Authority, f *fieldSet) {
	var kinds []string
	for _, k := range []string{"key", "keys", "keyless", "certificate"} {
		if f.get(k) != nil {
			kinds = append(kinds, k)
		}
	}
	switch len(kinds) {
	case 0:
		d.fail(f.node, authorityHint, "an authority has no field \"key\", \"keys\", \"keyless\" or \"certificate\"")
		return
	case 1:
	default:
		d.fail(f.get(kinds[1]), "make two authorities of it", "an authority has both %q and %q", kinds[0], kinds[1])
		return
	}
	v := f.get(kinds[0])
	add := func(s Signer) { a.Signers = append(a.Signers, s) }
	switch kinds[0] {
	case "key":
		if k := d.key(v); k != nil {
			add(&KeySigner{k})
		}
	case "keys":
		for _, e := range d.list(v, "keys") {
			if k := d.key(e); k != nil {
				add(&KeySigner{k})
			}
		}
	case "keyless":
		a.Logs = 1
		if s := d.keyless(v); s != nil {
			add(s)
		}
	case "certificate":
		if s := d.certificate(v); s != nil {
			add(s)
		}
	}
}

// demand reads required, optional, or the number of logs or authorities that
// have to be distinct.
func (d *decoder) demand(n *yaml.Node, what string) int {
	if i, ok := d.number(n, what, maxThreshold); ok {
		return i
	}
	if v := yamlfile.Resolve(n); v.Kind == yaml.ScalarNode {
		switch v.Value {
		case "required":
			return 1
		case "optional":
			return 0
		}
	}
	d.fail(n, what+": required", "%s must be required, optional or a number", what)
	return 1
}

// checkTrust says what the demands of an authority lack. A demand that nothing
// can meet would reject everything for a reason that no message can explain.
func (d *decoder) checkTrust(a *Authority, f *fieldSet) {
	if len(a.Signers) == 0 {
		return
	}
	_, keyless := a.Signers[0].(*IdentitySigner)
	if keyless && a.Logs == 0 && a.Timestamps == 0 {
		d.fail(f.place("transparencyLog"), "timestamp: required",
			"a keyless signature needs a time, from a log or a timestamp authority")
	}
	const hint = "trustedRoot: {file: trusted_root.json}, or {publicGood: true}"
	if a.Trust == nil {
		if f.get("trustedRoot") != nil || !keyless && a.Logs == 0 && a.Timestamps == 0 {
			return
		}
		at := f.node
		for _, k := range []string{"keyless", "timestamp", "transparencyLog"} {
			if f.get(k) != nil {
				at = f.get(k)
			}
		}
		d.fail(at, hint, "there is no trustedRoot, so nothing can be checked against a log or a timestamp")
		return
	}
	switch t := a.Trust; {
	case keyless && len(t.FulcioCertificateAuthorities()) == 0:
		d.fail(f.place("keyless"), hint, "the trusted root has no certificate authority")
	case a.Logs > len(t.RekorLogs()):
		d.fail(f.place("transparencyLog"), hint, "%s demanded, and the trusted root has %d", untrusted.Number(a.Logs, "log"), len(t.RekorLogs()))
	case a.Timestamps > len(t.TimestampingAuthorities()):
		d.fail(f.place("timestamp"), hint, "%s demanded, and the trusted root has %d",
			untrusted.Number(a.Timestamps, "timestamp"), len(t.TimestampingAuthorities()))
	}
}

func (d *decoder) annotations(n *yaml.Node) map[string]string {
	v := yamlfile.Resolve(n)
	if v.Kind != yaml.MappingNode {
		d.fail(n, "", "annotations must be a mapping, not %s", kindOf(v))
		return nil
	}
	all := map[string]string{}
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, ok := d.text(v.Content[i], "an annotation's name")
		value, good := d.text(v.Content[i+1], "an annotation")
		if _, there := all[key]; there {
			d.fail(v.Content[i], "", "annotation %q is there already", untrusted.OneLine(key))
		}
		if ok && good {
			all[key] = value
		}
	}
	return all
}

func (d *decoder) key(n *yaml.Node) *keys.Public {
	f := d.fields(n, "key", "file", "data", "kms")
	if f == nil {
		return nil
	}
	if len(f.values) != 1 {
		d.fail(n, authorityHint, "key needs one of file, data and kms")
		return nil
	}
	return d.keyIn(f)
}

// keyIn reads the one source of a key that a mapping has.
func (d *decoder) keyIn(f *fieldSet) *keys.Public {
	if v := f.get("kms"); v != nil {
		return d.kmsKey(v)
	}
	at, pem := d.content(f, "key")
	if pem == nil {
		return nil
	}
	k, err := keys.Parse(pem)
	d.refused(at, err)
	return k
}

func (d *decoder) kmsKey(n *yaml.Node) *keys.Public {
	uri, ok := d.text(n, "kms")
	if !ok {
		return nil
	}
	k, err := keys.LoadKMS(uri)
	d.refused(n, err)
	return k
}

// readNamed reads a file that the policy names. It returns nil if there was a
// problem, which it reports.
func (d *decoder) readNamed(n *yaml.Node, what string) []byte {
	path, ok := d.text(n, "file")
	switch {
	case !ok:
		return nil
	case what == "key" && keys.IsReference(path):
		d.fail(n, keys.ReferenceHint(path), "key %q is not a file", untrusted.OneLine(path))
		return nil
	case d.readFile == nil:
		d.fail(n, what+": {data: ...}", "%s files cannot be read here", what)
		return nil
	}
	data, err := d.readFile(path)
	if err != nil {
		d.fail(n, "", "%s file cannot be read: %s", what, untrusted.OneLine(err.Error()))
		return nil
	}
	return append([]byte{}, data...)
}
