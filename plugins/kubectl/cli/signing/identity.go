package signing

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/login"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify/attest"
)

// identity says where the tokens come from that stand for a signer without a key. Nobody
// is asked yet.
func (o *Options) identity(s *cli.Session, command string) (func(context.Context) (string, error), error) {
	token := os.Getenv("SIGSTORE_ID_TOKEN")
	if o.tokenFile != "" {
		data, err := cli.ReadBounded(o.tokenFile)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(data))
	}
	flow := o.login
	if o.public {
		flow.Issuer = cmp.Or(flow.Issuer, login.PublicIssuer)
	}
	switch {
	case o.tokenFile != "" && o.logs():
		return nil, &cli.UsageError{Msg: "--identity-token stands beside flags of a login", Hint: "one of the two", Command: command}
	case o.tokenFile != "" || token != "" && o.login.Flow == "" && o.login.Issuer == "":
		return func(context.Context) (string, error) { return token, nil }, nil
	case !o.services():
		return nil, &cli.UsageError{Msg: "nothing to sign with", Hint: "--key cosign.key, or --keyless, or --identity-token FILE --fulcio-url URL", Command: command}
	case login.Job() != "" && o.login.Flow == "" && o.login.Issuer == "":
		return hinted(func(ctx context.Context) (string, error) { return login.OfJob(ctx, o.login.ClientID) }), nil
	case flow.Issuer == "":
		return nil, &cli.UsageError{Msg: "nobody says where to log in", Hint: "--keyless, or --oidc-issuer URL, or --identity-token FILE", Command: command}
	case !s.Terminal() && o.login.Flow == "":
		return nil, &cli.UsageError{Msg: "there is no terminal to log in at, and no CI system that gives an identity", Hint: "--oidc-flow device, or --identity-token FILE", Command: command}
	}
	if err := attest.CheckService(flow.Issuer); err != nil {
		return nil, &cli.UsageError{Msg: "--oidc-issuer: " + err.Error(), Hint: "--oidc-issuer https://HOST", Command: command}
	}
	if at, err := url.Parse(flow.Redirect); flow.Redirect != "" && (err != nil || at.Scheme != "http" || at.Port() == "" || attest.CheckService(flow.Redirect) != nil) {
		return nil, &cli.UsageError{Msg: fmt.Sprintf("--oidc-redirect-url is %q, which is no address with a port of this machine", flow.Redirect), Hint: "--oidc-redirect-url http://127.0.0.1:8400/auth/callback", Command: command}
	}
	flow.In, flow.Out = s.In, s.ErrOut
	return once(hinted(func(ctx context.Context) (string, error) { return login.Person(ctx, flow) })), nil
}

// hinted says what else can be done where nobody's identity was to be had.
func hinted(ask func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		token, err := ask(ctx)
		if err != nil && ctx.Err() == nil {
			err = &promote.Error{Msg: err.Error(), Hint: "--identity-token FILE"}
		}
		return token, err
	}
}

// once keeps a token for as long as it is good: who signs for ten images logs in once.
func once(ask func(context.Context) (string, error)) func(context.Context) (string, error) {
	var lock sync.Mutex
	var token string
	var until time.Time
	return func(ctx context.Context) (string, error) {
		lock.Lock()
		defer lock.Unlock()
		if token != "" && time.Until(until) > 10*time.Second {
			return token, nil
		}
		var err error
		token, err = ask(ctx)
		until = expiry(token)
		return token, err
	}
}

// expiry reads until when a token is good, which its issuer was checked to have said.
func expiry(token string) time.Time {
	_, rest, _ := strings.Cut(token, ".")
	claims, _, _ := strings.Cut(rest, ".")
	data, err := base64.RawURLEncoding.DecodeString(claims)
	var said struct{ Exp int64 }
	if err != nil || json.Unmarshal(data, &said) != nil {
		return time.Time{}
	}
	return time.Unix(said.Exp, 0)
}
