// Package login gets the identity tokens that statements are signed with where there is
// no key: from the CI system whose job this is, or from a person, by a browser on this
// machine or on another device.
//
// A token is an OpenID Connect ID token for the audience of a Fulcio. It is given to the
// caller, and written nowhere.
package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/pkg/browser"
	"github.com/sigstore/sigstore/pkg/oauthflow"
	"golang.org/x/oauth2"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// The services of Sigstore's public good instance, which are asked where a person says so
// and names no others. What their log is given is public for ever.
const (
	PublicIssuer = "https://oauth2.sigstore.dev/auth"
	PublicFulcio = "https://fulcio.sigstore.dev"
	PublicRekor  = "https://rekor.sigstore.dev"
)

// ClientID is what Fulcio wants a token to be for, and what its issuers know its users'
// programs by.
const ClientID = "sigstore"

// The ways in which a person logs in.
const (
	Browser = "browser"
	Device  = "device"
)

// Flows are all of them.
var Flows = []string{Browser, Device}

// limit bounds one login, in which a person has to look for a password.
const limit = 5 * time.Minute

// answerBytes bounds each answer of a provider.
const answerBytes = 1 << 20

// Options say where a person logs in.
type Options struct {
	// Issuer is the URL of the OpenID provider, without its "/.well-known" part. It is
	// https, or http on this machine. Required.
	Issuer string
	// ClientID is what it knows this program by; empty: [ClientID].
	ClientID string
	// Flow is [Browser] or [Device]; empty: Browser. With Device a code is printed, which
	// is typed in a browser anywhere.
	Flow string
	// Redirect is the URL on this machine, with a port, that the provider sends the browser
	// back to; empty: http://localhost with any free port, and the path /auth/callback.
	Redirect string
	// In and Out are the person's terminal.
	In  io.Reader
	Out io.Writer
}

// Person has a person log in and gives the token, which was checked: it is the issuer's, for
// this client, and not for another login. It ends with ctx, and after five minutes.
func Person(asked context.Context, o Options) (string, error) {
	ctx, cancel := context.WithTimeout(asked, limit)
	defer cancel()
	ctx = oidc.ClientContext(ctx, &http.Client{Timeout: 30 * time.Second, Transport: bounded{http.DefaultTransport}})
	provider, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return "", o.fail(asked, ctx, err)
	}
	config := oauth2.Config{ClientID: cmp.Or(o.ClientID, ClientID), Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email"}, RedirectURL: o.Redirect}
	var token string
	if o.Flow == Device {
		token, err = o.device(ctx, provider, config)
	} else {
		token, err = o.browser(ctx, provider, config)
	}
	if err != nil {
		return "", o.fail(asked, ctx, err)
	}
	return token, nil
}

// browser waits for a person's browser to come back, for as long as ctx says: the library
// does not know of one.
func (o Options) browser(ctx context.Context, provider *oidc.Provider, config oauth2.Config) (string, error) {
	browser.Stdout, browser.Stderr = clean{o.Out}, clean{o.Out} // what it says is no output of ours
	getter := *oauthflow.DefaultIDTokenGetter
	getter.Input, getter.Output = o.In, clean{o.Out}
	type answer struct {
		token *oauthflow.OIDCIDToken
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		token, err := getter.GetIDToken(provider, config)
		done <- answer{token, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return "", a.err
		}
		return a.token.RawString, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// device prints a code (RFC 8628), and asks until somebody has typed it.
func (o Options) device(ctx context.Context, provider *oidc.Provider, config oauth2.Config) (string, error) {
	if config.Endpoint.DeviceAuthURL == "" {
		return "", errors.New("it has no login by a code on another device")
	}
	verifier := oauth2.GenerateVerifier()
	code, err := config.DeviceAuth(ctx, oauth2.S256ChallengeOption(verifier))
	if err != nil {
		return "", err
	}
	at := cmp.Or(code.VerificationURIComplete, code.VerificationURI)
	fmt.Fprintf(o.Out, "open %s\nand enter the code %s\n", fault.OneLine(at), fault.OneLine(code.UserCode))
	token, err := config.DeviceAccessToken(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return "", err
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return "", errors.New("its answer has no identity token")
	}
	checked, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", err
	}
	if _, err := oauthflow.SubjectFromToken(checked); err != nil {
		return "", fmt.Errorf("the e-mail address is %w", err)
	}
	return raw, nil
}

// fail says why nobody has logged in: that who asked has no time left is theirs to say.
func (o Options) fail(asked, ctx context.Context, err error) error {
	if asked.Err() != nil {
		return asked.Err()
	}
	if ctx.Err() != nil {
		err = errors.New("nobody has logged in within five minutes")
	}
	return fmt.Errorf("login at %s: %s", fault.OneLine(o.Issuer), fault.OneLine(err.Error()))
}

// clean keeps a provider's words from writing anything that a terminal would obey.
type clean struct{ io.Writer }

// Write implements [io.Writer].
func (c clean) Write(p []byte) (int, error) {
	lines := strings.Split(string(p), "\n")
	for i, line := range lines {
		lines[i] = fault.Printable(line)
	}
	if _, err := io.WriteString(c.Writer, strings.Join(lines, "\n")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// bounded keeps a provider from answering without an end.
type bounded struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, answerBytes)
	}
	return resp, err
}
