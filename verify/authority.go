package verify

import (
	"errors"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// authority is somebody whose signature counts, and what it takes to count.
type authority struct {
	name         string
	parties      []party // any of them
	trust        *trust  // of logs, timestamps and identities; may be nil
	logs         int     // distinct logs demanded; 0: none
	timestamps   int     // distinct timestamp authorities demanded; 0: none
	annotations  map[string]string
	attestations []*attestationRule // demanded in place of a signature
	sources      []place            // where its signatures are; none: beside the image
	always       bool               // met by every image, as a ClusterImagePolicy can say
	never        string             // why it is met by none
}

// place is where signatures are kept: a repository, or that of the image if it
// is empty, and what stands before the tags there.
type place struct{ repository, prefix string }

func (a *authority) places() []place {
	if len(a.sources) == 0 {
		return []place{{}}
	}
	return a.sources
}

// attestationRule demands an attestation of one type.
type attestationRule struct {
	predicateType string
	conditions    []predicateRule // all of them
	maxAge        time.Duration   // 0: any
	// environment is the one that an approval has to be for; empty: any.
	environment string
}

const authorityHint = "key: {file: cosign.pub}"

// authority also returns where the name stands.
func (d *decoder) authority(n *yaml.Node) (a *authority, at *yaml.Node) {
	a = &authority{}
	f := d.fields(n, "an authority", "name", "key", "keys", "keyless", "certificate",
		"transparencyLog", "timestamp", "trustedRoot", "annotations", "attestations")
	if f == nil {
		return a, n
	}
	if at = d.need(f, "name", ""); at != nil {
		a.name, _ = d.text(at, "name")
	}
	a.trust = d.trust
	if v := f.get("trustedRoot"); v != nil {
		a.trust = d.trustedRoot(v)
	}
	d.parties(a, f)
	if v := f.get("transparencyLog"); v != nil {
		a.logs = d.demand(v, "transparencyLog")
	}
	if v := f.get("timestamp"); v != nil {
		a.timestamps = d.demand(v, "timestamp")
	}
	d.checkTrust(a, f)
	if v := f.get("annotations"); v != nil {
		a.annotations = d.annotations(v)
	}
	if v := f.get("attestations"); v != nil {
		if f.get("annotations") != nil {
			d.fail(v, "use cel over the predicate", "attestations have no annotations")
		}
		for _, e := range d.list(v, "attestations") {
			a.attestations = append(a.attestations, d.attestation(e, a))
		}
	}
	return a, at
}

// parties reads the one field that says who the authority is.
func (d *decoder) parties(a *authority, f *fieldSet) {
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
	add := func(s party) { a.parties = append(a.parties, s) }
	switch kinds[0] {
	case "key":
		if k := d.key(v); k != nil {
			add(&keyParty{k})
		}
	case "keys":
		for _, e := range d.list(v, "keys") {
			if k := d.key(e); k != nil {
				add(&keyParty{k})
			}
		}
	case "keyless":
		a.logs = 1
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
	if v := resolve(n); v.Kind == yaml.ScalarNode {
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
func (d *decoder) checkTrust(a *authority, f *fieldSet) {
	if len(a.parties) == 0 {
		return
	}
	_, keyless := a.parties[0].(*identityParty)
	if keyless && a.logs == 0 && a.timestamps == 0 {
		d.fail(f.place("transparencyLog"), "timestamp: required",
			"a keyless signature needs a time, from a log or a timestamp authority")
	}
	const hint = "trustedRoot: {file: trusted_root.json}, or {publicGood: true}"
	if a.trust == nil {
		if f.get("trustedRoot") != nil || !keyless && a.logs == 0 && a.timestamps == 0 {
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
	switch t := a.trust; {
	case keyless && len(t.FulcioCertificateAuthorities()) == 0:
		d.fail(f.place("keyless"), hint, "the trusted root has no certificate authority")
	case a.logs > len(t.RekorLogs()):
		d.fail(f.place("transparencyLog"), hint, "%s demanded, and the trusted root has %d", count(a.logs, "log"), len(t.RekorLogs()))
	case a.timestamps > len(t.TimestampingAuthorities()):
		d.fail(f.place("timestamp"), hint, "%s demanded, and the trusted root has %d",
			count(a.timestamps, "timestamp"), len(t.TimestampingAuthorities()))
	}
}

func (d *decoder) annotations(n *yaml.Node) map[string]string {
	v := resolve(n)
	if v.Kind != yaml.MappingNode {
		d.fail(n, "", "annotations must be a mapping, not %s", kindOf(v))
		return nil
	}
	all := map[string]string{}
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, ok := d.text(v.Content[i], "an annotation's name")
		value, good := d.text(v.Content[i+1], "an annotation")
		if _, there := all[key]; there {
			d.fail(v.Content[i], "", "annotation %q is there already", oneLine(key))
		}
		if ok && good {
			all[key] = value
		}
	}
	return all
}

func (d *decoder) key(n *yaml.Node) *publicKey {
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
func (d *decoder) keyIn(f *fieldSet) *publicKey {
	if v := f.get("kms"); v != nil {
		return d.kmsKey(v)
	}
	at, pem := d.content(f, "key")
	if pem == nil {
		return nil
	}
	k, err := parseKey(pem)
	if bad, ok := errors.AsType[*keyError](err); ok {
		d.fail(at, bad.hint, "%s", bad.msg)
		return nil
	}
	return k
}

func (d *decoder) kmsKey(n *yaml.Node) *publicKey {
	uri, ok := d.text(n, "kms")
	if !ok {
		return nil
	}
	k, err := loadKMS(uri)
	if bad, ok := errors.AsType[*keyError](err); ok {
		d.fail(n, bad.hint, "%s", bad.msg)
		return nil
	}
	return k
}

// readNamed reads a file that the policy names. It returns nil if there was a
// problem, which it reports.
func (d *decoder) readNamed(n *yaml.Node, what string) []byte {
	path, ok := d.text(n, "file")
	switch {
	case !ok:
		return nil
	case what == "key" && strings.Contains(path, "://"):
		d.fail(n, "key: {kms: "+oneLine(path)+"}, or write the public key to a file", "key %q is not a file", oneLine(path))
		return nil
	case d.readFile == nil:
		d.fail(n, what+": {data: ...}", "%s files cannot be read here", what)
		return nil
	}
	data, err := d.readFile(path)
	if err != nil {
		d.fail(n, "", "%s file cannot be read: %s", what, oneLine(err.Error()))
		return nil
	}
	return append([]byte{}, data...)
}
