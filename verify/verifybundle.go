package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// BundleRequest is a Sigstore bundle over an artifact, both of them at hand.
// Exactly one of Artifact and Digest is set, and either Key or both of Identity
// and Issuer.
type BundleRequest struct {
	// Bundle is the JSON form of a bundle of version 0.1, 0.2 or 0.3.
	Bundle []byte
	// Artifact is what is signed. It is read from its beginning, perhaps more
	// than once.
	Artifact io.ReadSeeker
	// Digest is sha256:<hex> of what is signed, or sha512:<hex> for attestations
	// that name that.
	Digest string
	// Key is a public key in PEM form.
	Key []byte
	// Identity is the subject alternative name of the certificate, and Issuer
	// who has confirmed it; both are compared exactly.
	Identity, Issuer string
	// TrustedRoot is a trusted_root.json; nil: PublicGoodRoot.
	TrustedRoot []byte
	// WithoutTransparencyLog does not ask for a log entry. A signature by an
	// identity needs a timestamp then.
	WithoutTransparencyLog bool
}

// VerifyBundle says whether a bundle is a signature of an artifact, or an
// attestation about it with whatever predicate. It makes no request. The error
// is one about the request: a key or a trusted root that cannot be used, an
// artifact that cannot be read. A bundle that cannot be parsed is rejected.
func VerifyBundle(ctx context.Context, r BundleRequest) (Result, error) {
	who, d, err := r.prepare(time.Now())
	if err != nil {
		return Result{}, err
	}
	type answer struct {
		result Result
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		var result Result
		digest, err := r.digest() // of an artifact that may be a pipe
		if err == nil {
			result, err = r.check(who, d, digest)
		}
		done <- answer{result, err}
	}()
	select {
	case a := <-done:
		return a.result, a.err
	case <-ctx.Done():
		return Result{Outcome: Unknown, Reason: interrupted(ctx, 0)}, nil
	}
}

// prepare reads who has to have signed.
func (r BundleRequest) prepare(now time.Time) (party, demand, error) {
	d := demand{logs: 1}
	switch {
	case (r.Artifact == nil) == (r.Digest == ""):
		return nil, d, errors.New("one of artifact and digest is needed")
	case len(r.Key) > 0 && (r.Identity != "" || r.Issuer != ""):
		return nil, d, errors.New("a key and an identity stand side by side")
	case len(r.Key) == 0 && (r.Identity == "" || r.Issuer == ""):
		return nil, d, errors.New("a key, or an identity with its issuer, is needed")
	}
	data := r.TrustedRoot
	if data == nil {
		data = publicGood
	}
	var err error
	if d.trust, err = parseTrust(data, now); err != nil {
		return nil, d, err
	}
	if r.WithoutTransparencyLog {
		d.logs = 0
	}
	if len(r.Key) > 0 {
		k, err := parseKey(r.Key)
		if err != nil {
			return nil, d, err
		}
		return &keyParty{k}, d, nil
	}
	if r.WithoutTransparencyLog {
		d.timestamps = 1
	}
	return &identityParty{matcher{exact: r.Issuer}, matcher{exact: r.Identity}}, d, nil
}

// digest is sha256:<hex> of the artifact.
func (r BundleRequest) digest() (string, error) {
	if r.Artifact == nil {
		algorithm, h, _ := strings.Cut(r.Digest, ":")
		if algorithm == "sha256" && isHex(h, 64) || algorithm == "sha512" && isHex(h, 128) {
			return r.Digest, nil
		}
		return "", fmt.Errorf("digest %s is not sha256:<hex>", quoted(r.Digest))
	}
	w := sha256.New()
	_, err := r.Artifact.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(w, r.Artifact)
	}
	if err != nil {
		return "", fmt.Errorf("the artifact cannot be read: %s", bareFile(err))
	}
	return "sha256:" + hex.EncodeToString(w.Sum(nil)), nil
}

func (r BundleRequest) check(who party, d demand, digest string) (Result, error) {
	rejected := func(err error) (Result, error) {
		if m, ok := errors.AsType[*mismatch](err); ok {
			return Result{Outcome: Rejected, Reason: m.text}, nil
		}
		return Result{Outcome: Unknown, Reason: clean(err.Error(), maxMessage)}, nil
	}
	if len(r.Bundle) > maxBundleSize {
		return rejected(malformed("bundle of %d bytes", len(r.Bundle)))
	}
	c, err := guarded(func() (*candidate, error) {
		b, err := parseBundle(r.Bundle)
		if err != nil {
			return nil, err
		}
		return fromBundle(b)
	})
	if err != nil {
		return rejected(err)
	}
	if c.statement != nil && !slices.Contains(statementTypes(), c.statement.GetType()) {
		return rejected(&mismatch{rankOtherStatement, "statement of an unknown type"})
	}
	c.artifact = r.Artifact
	p, err := guarded(func() (*proof, error) { return who.check(c, digest, d) })
	if err != nil {
		return rejected(err)
	}
	e := evidenceOf(&authority{}, c, p, digest)
	by := p.keyID
	if by == "" {
		by = quoted(p.subject)
	}
	return Result{Outcome: Verified, Reason: "signed by " + by, Evidence: []Evidence{e}}, nil
}
