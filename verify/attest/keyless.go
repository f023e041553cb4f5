package attest

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// KeylessOptions name the services that take part in a signature without a
// key: a certificate authority vouches for the identity of a token, and a
// timestamp or a log entry shows that the signature is as old as the
// certificate. Each service is used only if its URL is given. URLs are https,
// or http on the machine itself.
type KeylessOptions struct {
	// Token gives the identity token (an OpenID Connect ID token) whenever a
	// statement is signed. Required. It is sent to Fulcio and nowhere else.
	Token func(context.Context) (string, error)
	// Fulcio is the URL of the certificate authority, as
	// https://fulcio.sigstore.dev. Required.
	Fulcio string
	// Rekor is the URL of the transparency log, as https://rekor.sigstore.dev.
	// What is entered there is public for ever.
	Rekor string
	// RekorVersion is the version of the log's interface, 1 or 2; 0: 1. A log
	// of version 2 gives no time, and needs a TSA beside it.
	RekorVersion uint32
	// TSA is the URL of the timestamp authority, with its path. Without TSA and
	// Rekor a signature is good for the few minutes of its certificate, so one
	// of the two is required.
	TSA string

	Transport http.RoundTripper // for Fulcio and TSA; nil: http.DefaultTransport
	Timeout   time.Duration     // for one signature, once there is a token; 0: 60s
}

// NewKeylessSigner returns a Signer that gets a certificate for each signature.
// It makes no request.
func NewKeylessSigner(o KeylessOptions) (Signer, error) {
	switch {
	case o.Token == nil:
		return Signer{}, errors.New("there is no identity token to sign with")
	case o.Fulcio == "":
		return Signer{}, errors.New("there is no Fulcio to get a certificate from")
	case o.RekorVersion > 2:
		return Signer{}, fmt.Errorf("there is no version %d of Rekor", o.RekorVersion)
	case o.TSA == "" && (o.Rekor == "" || o.RekorVersion == 2):
		return Signer{}, errors.New("nothing would show when the signature was made: a timestamp authority or a Rekor of version 1 is needed")
	}
	for _, u := range []string{o.Fulcio, o.Rekor, o.TSA} {
		if u == "" {
			continue
		}
		if err := CheckService(u); err != nil {
			return Signer{}, err
		}
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	o.Timeout = cmp.Or(max(o.Timeout, 0), time.Minute)
	return Signer{keyless: &o}, nil
}

// CheckService keeps tokens off the open wire: it is an error where s is neither a URL with
// https nor one with http of the machine itself, or has a user in it.
func CheckService(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("%s is no URL of a service", untrusted.Quoted(s))
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s is not https", untrusted.Quoted(s))
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (o *KeylessOptions) attest(ctx context.Context, content sign.Content) ([]byte, error) {
	// It may be a person who logs in, for longer than any service takes.
	token, err := untrusted.Promptly(ctx, func() (string, error) { return o.Token(ctx) })
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("the statement was not signed: %w", ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("there is no identity token to sign with: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	// The libraries below keep waiting for an answer after ctx is done.
	bundle, err := untrusted.Promptly(ctx, func() ([]byte, error) { return o.sign(ctx, content, token) })
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("the statement was not signed: %w", ctx.Err())
	}
	return bundle, err
}

func (o *KeylessOptions) sign(ctx context.Context, content sign.Content, token string) ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	pair, err := newKeypair(private)
	if err != nil {
		return nil, err
	}
	transport := &within{ctx, o.Transport}
	options := sign.BundleOptions{
		Context:                    ctx,
		CertificateProvider:        &certificateAuthority{sign.NewFulcio(&sign.FulcioOptions{BaseURL: o.Fulcio, Timeout: o.Timeout, Transport: transport}), o.Fulcio},
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: token},
	}
	if o.Rekor != "" {
		options.TransparencyLogs = []sign.Transparency{&transparencyLog{
			sign.NewRekor(&sign.RekorOptions{BaseURL: o.Rekor, Timeout: o.Timeout, Version: o.RekorVersion}), o.Rekor}}
	}
	b, err := sign.Bundle(content, pair, options)
	if err != nil {
		return nil, err
	}
	if o.TSA != "" {
		if err := o.timestamp(ctx, transport, b); err != nil {
			return nil, err
		}
	}
	return protojson.Marshal(b)
}

// timestamp adds the time to the signature in a bundle.
func (o *KeylessOptions) timestamp(ctx context.Context, transport http.RoundTripper, b *protobundle.Bundle) error {
	tsa := sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: o.TSA, Timeout: o.Timeout, Transport: transport})
	stamp, err := tsa.GetTimestamp(ctx, b.GetDsseEnvelope().GetSignatures()[0].GetSig())
	if err != nil {
		return serviceError("the timestamp authority", o.TSA, err)
	}
	b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}}}
	return nil
}

// within binds requests to a context, because the clients of Fulcio and of
// timestamp authorities make theirs without one.
type within struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]: the request ends with its own context or
// with that of the signature.
func (t *within) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	// Not undone on return: the answer is still to be read. It ends with t.ctx,
	// which is cancelled after each signature.
	context.AfterFunc(t.ctx, cancel)
	return t.next.RoundTrip(req.WithContext(ctx))
}

// certificateAuthority is Fulcio with errors that name it.
type certificateAuthority struct {
	next sign.CertificateProvider
	url  string
}

// GetCertificate implements [sign.CertificateProvider]. No error has the token in it.
func (a *certificateAuthority) GetCertificate(ctx context.Context, k sign.Keypair, o *sign.CertificateProviderOptions) ([]byte, error) {
	der, err := a.next.GetCertificate(ctx, k, o)
	if err != nil {
		err = serviceError("Fulcio", a.url, err)
		if text := err.Error(); o.IDToken != "" && strings.Contains(text, o.IDToken) {
			err = errors.New(strings.ReplaceAll(text, o.IDToken, "(token)"))
		}
		return nil, err
	}
	return der, nil
}

// transparencyLog is Rekor with errors that name it.
type transparencyLog struct {
	next sign.Transparency
	url  string
}

// GetTransparencyLogEntry implements [sign.Transparency].
func (l *transparencyLog) GetTransparencyLogEntry(ctx context.Context, key []byte, b *protobundle.Bundle) error {
	if err := l.next.GetTransparencyLogEntry(ctx, key, b); err != nil {
		return serviceError("Rekor", l.url, err)
	}
	return nil
}

// serviceError names a service by its host; what the service answered is made
// fit for one line.
func serviceError(what, service string, err error) error {
	host := service
	if u, parseErr := url.Parse(service); parseErr == nil {
		host = u.Host
	}
	if inner := (*url.Error)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s at %s gave no answer: %w", what, untrusted.OneLine(host), err)
	}
	return fmt.Errorf("%s at %s did not sign: %s", what, untrusted.OneLine(host), untrusted.OneLine(err.Error()))
}
