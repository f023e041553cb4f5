package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// maxTrustedRootSize bounds a trusted root. That of the public good instance
// takes 7 KiB.
const maxTrustedRootSize = 1 << 20

// PublicGood is the trusted root of Sigstore's public good instance, as
// sigstore-go v1.2.2 and sigstore v1.10.8 carry it.
//
//go:embed trustedroot/public-good.json
var PublicGood []byte

// PublicGoodRoot gives a copy of PublicGood, and the date that it is of.
func PublicGoodRoot() (json []byte, date time.Time) {
	return append([]byte(nil), PublicGood...), time.Date(2026, time.July, 6, 0, 0, 0, 0, time.UTC)
}

// FetchTrustedRoot gets the newest trusted root through a client of TUF, and makes
// sure that it can be used.
func FetchTrustedRoot(client interface {
	GetTarget(name string) ([]byte, error)
}) ([]byte, error) {
	data, err := client.GetTarget("trusted_root.json")
	if err != nil {
		return nil, fmt.Errorf("the trusted root cannot be fetched: %s", untrusted.OneLine(err.Error()))
	}
	t, err := ParseTrust(data)
	if err == nil && t.Ended(time.Now()) != "" {
		err = errors.New(t.Ended(time.Now()))
	}
	if err != nil {
		return nil, fmt.Errorf("the trusted root that was fetched is not usable: %w", err)
	}
	return data, nil
}

// Trust is whom to believe: certificate authorities, logs and timestamp
// authorities.
type Trust struct {
	*root.TrustedRoot
}

const trustHint = "write the newest trusted_root.json of the instance to the file"

// ParseTrust reads a trusted_root.json. One in which nothing is valid any more still
// judges what was signed while it was; see Ended.
func ParseTrust(data []byte) (*Trust, error) {
	if len(data) > maxTrustedRootSize {
		return nil, &hinted{fmt.Sprintf("trusted root is over %d MiB", maxTrustedRootSize>>20), ""}
	}
	r, err := untrusted.Guarded(func() (*root.TrustedRoot, error) { return root.NewTrustedRootFromJSON(data) })
	if err != nil {
		return nil, &hinted{"trusted root cannot be parsed: " + untrusted.PlainProto(err), "it is a file in the form of trusted_root.json"}
	}
	t := &Trust{r}
	if len(t.ends()) == 0 {
		return nil, &hinted{"trusted root names nobody to trust", trustHint}
	}
	return t, nil
}

// Ended says that nothing in the trusted root is valid any more, or is empty. Such a
// root rejects all that is signed from now on, for a reason that the reader of the
// message cannot guess, so it is to be told.
func (t *Trust) Ended(now time.Time) string {
	var last time.Time
	for _, e := range t.ends() {
		if e.IsZero() {
			return ""
		}
		if e.After(last) {
			last = e
		}
	}
	if !last.Before(now) {
		return ""
	}
	return "trusted root ended on " + last.UTC().Format(time.DateOnly) + ", so what was signed since is rejected"
}

// ends lists when the authorities in it end; the zero time is never. It is the
// certificate authorities that matter, and logs and timestamp authorities only
// where there are none. A certificate ends its authority.
func (t *Trust) ends() []time.Time {
	var all []time.Time
	for _, a := range t.FulcioCertificateAuthorities() {
		if ca, ok := a.(*root.FulcioCertificateAuthority); ok {
			all = append(all, earlier(ca.ValidityPeriodEnd, ca.Root.NotAfter))
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, l := range t.RekorLogs() {
		all = append(all, l.ValidityPeriodEnd)
	}
	for _, a := range t.TimestampingAuthorities() {
		if ca, ok := a.(*root.SigstoreTimestampingAuthority); ok {
			all = append(all, ca.ValidityPeriodEnd)
		}
	}
	return all
}

// earlier of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// TrustedRoot reads {file: ...}, {data: ...} or {publicGood: true}.
func (d *decoder) trustedRoot(n *yaml.Node) *Trust {
	const form = "trustedRoot: {file: trusted_root.json}, or {publicGood: true}"
	f := d.fields(n, "trustedRoot", "file", "data", "publicGood")
	if f == nil {
		return nil
	}
	if len(f.values) != 1 {
		d.fail(n, form, "trustedRoot needs one of file, data and publicGood")
		return nil
	}
	at, data := n, PublicGood
	if v := f.get("publicGood"); v != nil {
		if at = v; !d.boolean(v, "publicGood") {
			d.fail(v, form, "publicGood can only be true")
			return nil
		}
	} else if at, data = d.content(f, "trusted root"); data == nil {
		return nil
	}
	t, err := ParseTrust(data)
	if d.refused(at, err) {
		return nil
	}
	if ended := t.Ended(d.now); ended != "" {
		d.warn(at, trustHint, "%s", ended)
	}
	return t
}

// content reads the file that the field "file" names, or the text of "data". It
// returns nil if there was a problem, which it reports.
func (d *decoder) content(f *fieldSet, what string) (*yaml.Node, []byte) {
	if v := f.get("file"); v != nil {
		return v, d.readNamed(v, what)
	}
	v := f.get("data")
	s, ok := d.text(v, "data")
	if !ok {
		return v, nil
	}
	return v, []byte(s)
}
