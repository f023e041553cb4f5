package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
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
	// Claims are what else the certificate has to say of the build, compared
	// exactly, by the names that the field keyless of a policy has for them:
	// githubWorkflowRepository, sourceRepositoryURI and so on. They need Identity.
	Claims map[string]string
	// TrustedRoot is a trusted_root.json; nil: PublicGoodRoot.
	TrustedRoot []byte
	// WithoutTransparencyLog does not ask for a log entry. A signature by an
	// identity needs a timestamp then.
	WithoutTransparencyLog bool
}

// VerifyBundle says whether a bundle is a signature of an artifact, or an
// attestation about it with whatever predicate. It makes no request. The error
// is one about the request: a key or a trusted root that cannot be used, an
// artifact that cannot be read, a bundle in a form of cosign or gh that is not read (a
// *FormError). A bundle that cannot be parsed is rejected.
func VerifyBundle(ctx context.Context, r BundleRequest) (Result, error) {
	who, d, err := r.prepare()
	if err != nil {
		return Result{}, err
	}
	if len(r.Bundle) <= sigbundle.MaxSize {
		if err := checkForm(r.Bundle); err != nil {
			return Result{}, err
		}
	}
	result, err := untrusted.Promptly(ctx, func() (Result, error) {
		digest, err := r.digest() // of an artifact that may be a pipe
		if err != nil {
			return Result{}, err
		}
		return r.check(who, d, digest)
	})
	if err != nil && ctx.Err() != nil {
		return Result{Outcome: Unknown, Reason: interrupted(ctx, 0)}, nil
	}
	if ended := d.Trust.Ended(time.Now()); ended != "" && r.TrustedRoot != nil && err == nil {
		result.Warnings = append(result.Warnings, ended)
	}
	return result, err
}

// IsKeyReference tells whether the name of a key file is a reference to a key that
// is elsewhere, as cosign takes them: in a key service, a cluster, on a token, at a
// URL. KeyReferenceHint is the command that writes its public key to a file.
func IsKeyReference(name string) bool { return keys.IsReference(name) }

// KeyReferenceHint is the command that writes the public key behind a reference to
// a file.
func KeyReferenceHint(name string) string { return keys.ReferenceHint(name) }

// prepare reads who has to have signed.
func (r BundleRequest) prepare() (policy.Signer, signature.Demand, error) {
	d := signature.Demand{Logs: 1}
	switch {
	case (r.Artifact == nil) == (r.Digest == ""):
		return nil, d, errors.New("one of artifact and digest is needed")
	case len(r.Key) > 0 && (r.Identity != "" || r.Issuer != ""):
		return nil, d, errors.New("a key and an identity stand side by side")
	case len(r.Key) > 0 && len(r.Claims) > 0:
		return nil, d, errors.New("a key and claims of a certificate stand side by side")
	case len(r.Key) == 0 && (r.Identity == "" || r.Issuer == ""):
		return nil, d, errors.New("a key, or an identity with its issuer, is needed")
	}
	data := r.TrustedRoot
	if data == nil {
		data = policy.PublicGood
	}
	var err error
	if d.Trust, err = policy.ParseTrust(data); err != nil {
		return nil, d, err
	}
	if r.WithoutTransparencyLog {
		d.Logs = 0
	}
	if len(r.Key) > 0 {
		k, err := keys.Parse(r.Key)
		if err != nil {
			return nil, d, err
		}
		return &policy.KeySigner{Key: k}, d, nil
	}
	if r.WithoutTransparencyLog {
		d.Timestamps = 1
	}
	s := &policy.IdentitySigner{Issuer: policy.Matcher{Exact: r.Issuer}, Subject: policy.Matcher{Exact: r.Identity}}
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		if !slices.Contains(policy.ClaimNames(), name) {
			return nil, d, fmt.Errorf("claim %s is not known", untrusted.Quoted(name))
		}
		s.Claims = append(s.Claims, policy.Claim{Name: name, Matcher: policy.Matcher{Exact: r.Claims[name]}})
	}
	return s, d, nil
}

// Digest is sha256:<hex> of the artifact.
func (r BundleRequest) digest() (string, error) {
	if r.Artifact == nil {
		algorithm, h, _ := strings.Cut(r.Digest, ":")
		if algorithm == "sha256" && untrusted.IsHex(h, 64) || algorithm == "sha512" && untrusted.IsHex(h, 128) {
			return r.Digest, nil
		}
		return "", fmt.Errorf("digest %s is not sha256:<hex>", untrusted.Quoted(r.Digest))
	}
	w := sha256.New()
	_, err := r.Artifact.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(w, r.Artifact)
	}
	if err != nil {
		return "", fmt.Errorf("the artifact cannot be read: %s", untrusted.BareFile(err))
	}
	return "sha256:" + hex.EncodeToString(w.Sum(nil)), nil
}

func (r BundleRequest) check(who policy.Signer, d signature.Demand, digest string) (Result, error) {
	rejected := func(err error) (Result, error) {
		if m, ok := errors.AsType[*mismatch.Error](err); ok {
			return Result{Outcome: Rejected, Reason: m.Text}, nil
		}
		return Result{Outcome: Unknown, Reason: untrusted.Message(err.Error())}, nil
	}
	if len(r.Bundle) > sigbundle.MaxSize {
		return rejected(mismatch.Malformed("bundle of %d bytes", len(r.Bundle)))
	}
	c, err := signature.ParseBundle(r.Bundle)
	if err != nil {
		return rejected(err)
	}
	if c.Statement != nil && !slices.Contains(statement.Types(), c.Statement.GetType()) {
		return rejected(mismatch.New(mismatch.RankOtherStatement, "statement of an unknown type"))
	}
	c.Artifact, c.Storage = r.Artifact, StorageBundle
	p, err := untrusted.Guarded(func() (*signature.Proof, error) { return signature.Check(who, c, digest, d) })
	if err != nil {
		return rejected(err)
	}
	e := evidenceOf("", who, c, p, digest)
	return Result{Outcome: Verified, Reason: "signed by " + cmp.Or(p.KeyID, untrusted.Quoted(p.Subject)), Evidence: []Evidence{e}}, nil
}
