package signature

import (
	"cmp"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// trusted is the trusted material for one signer: the logs and timestamp
// authorities of a trusted root, and either its certificate authorities, or own
// ones, or a key.
type trusted struct {
	trust       *policy.Trust // may be nil
	own         bool          // authorities stand in place of those of the root
	authorities []root.CertificateAuthority
	key         *root.ExpiringKey
}

// FulcioCertificateAuthorities are the own ones, if there are any, or those of the root.
func (t *trusted) FulcioCertificateAuthorities() []root.CertificateAuthority {
	if t.own || t.trust == nil {
		return t.authorities
	}
	return t.trust.FulcioCertificateAuthorities()
}

// TimestampingAuthorities are those of the root; none where there is no root.
func (t *trusted) TimestampingAuthorities() []root.TimestampingAuthority {
	if t.trust == nil {
		return nil
	}
	return t.trust.TimestampingAuthorities()
}

// RekorLogs are the root's transparency logs, by their id.
func (t *trusted) RekorLogs() map[string]*root.TransparencyLog {
	if t.trust == nil {
		return nil
	}
	return t.trust.RekorLogs()
}

// CTLogs are the root's logs of certificates, by their id.
func (t *trusted) CTLogs() map[string]*root.TransparencyLog {
	if t.trust == nil {
		return nil
	}
	return t.trust.CTLogs()
}

// PublicKeyVerifier gives the key, whatever the hint in the bundle says: it is
// the policy that names keys.
func (t *trusted) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	if t.key == nil {
		return nil, errors.New("no key")
	}
	return t.key, nil
}

// entryOf is a bundle with one of its log entries.
type entryOf struct {
	verify.SignedEntity
	entry *tlog.Entry
}

// TlogEntries is the one entry, whatever else the bundle has.
func (e entryOf) TlogEntries() ([]*tlog.Entry, error) { return []*tlog.Entry{e.entry}, nil }

// checkTimes checks what logs and timestamp authorities say of a signature, and
// whether that is what is demanded. What nobody demands is not looked at.
func checkTimes(e verify.SignedEntity, m *trusted, d Demand) (*Proof, error) {
	p := &Proof{}
	if d.Logs > 0 {
		if err := p.readLogs(e, m, d.Logs); err != nil {
			return nil, err
		}
	}
	if d.Timestamps == 0 && d.Logs == 0 {
		return p, nil
	}
	stamps, failed, err := verify.VerifySignedTimestamp(e, m)
	if err != nil {
		return nil, mismatch.Malformed("timestamps: %v", err)
	}
	for _, s := range stamps {
		p.times = append(p.times, signingTime{s.Time, cmp.Or(s.URI, "timestamp authority")})
	}
	if n := len(stamps); n < d.Timestamps {
		why := untrusted.Number(n, "timestamp") + " of the " + untrusted.Number(d.Timestamps, "timestamp") + " demanded"
		if n == 0 && len(failed) == 0 {
			why = "it has no timestamp"
		} else if n == 0 {
			why = "its timestamp is of no trusted authority, or does not hold"
		}
		return nil, mismatch.New(mismatch.RankNoTime, why)
	}
	return p, nil
}

// readLogs takes each entry by itself, so that what is counted are logs that hold
// the signature, the key and the digest: the library compares them.
func (p *Proof) readLogs(e verify.SignedEntity, m *trusted, want int) error {
	entries, err := e.TlogEntries()
	if err != nil {
		return mismatch.Malformed("log entry: %v", err)
	}
	why := "it has no log entry"
	var logs []string
	for _, entry := range entries {
		id := hex.EncodeToString([]byte(entry.LogKeyID()))
		if m.RekorLogs()[id] == nil {
			why = "its log entry is of a log that is not trusted"
			continue
		}
		times, err := verify.VerifyTlogEntry(entryOf{e, entry}, m, 1, true)
		if err != nil {
			why = "its log entry does not hold: " + untrusted.OneLine(err.Error())
			continue
		}
		for _, t := range times {
			p.times = append(p.times, signingTime{t.Time, t.URI})
		}
		p.Entries = append(p.Entries, logEntry{id, signedIndex(entry)})
		if !slices.Contains(logs, id) {
			logs = append(logs, id)
		}
	}
	switch {
	case len(logs) >= want:
		return nil
	case len(logs) > 0:
		why = "it is in " + untrusted.Number(len(logs), "log") + " of the " + untrusted.Number(want, "log") + " demanded"
	}
	return mismatch.New(mismatch.RankNoLog, why)
}

// signedIndex is the index of an entry as the log has signed it: without a promise
// that is the one of the proof, and the one beside it is anybody's.
func signedIndex(e *tlog.Entry) int64 {
	if e.HasInclusionPromise() {
		return e.LogIndex()
	}
	return e.TransparencyLogEntry().GetInclusionProof().GetLogIndex()
}
