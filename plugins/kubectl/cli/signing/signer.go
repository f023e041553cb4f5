// Package signing is what attest, approve and --attest-key share: the flags that say
// how to sign, the statements, and their way into the registry.
//
// An [Options] makes the signer once, so that who types a password types it once. A
// [Job] signs statements, stores them beside their images and prints them.
package signing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/login"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
)

// Long is the end of the help of commands that sign.
const Long = `
Sign with a private key (--key), whose password is in COSIGN_PASSWORD or is asked
for on a terminal; or without one, with an identity and the services that vouch for
it: those of Sigstore's public good instance (--keyless), whose log tells everybody
for ever who signed, or others, by their URLs. The identity is that of a token in a
file or in SIGSTORE_ID_TOKEN, else that of the job in GitHub Actions or Buildkite,
else yours: you log in with your browser, or on another device (--oidc-flow device).`

// Options say how statements are signed and where they are stored.
type Options struct {
	// Key is the file of the private key; empty to sign with an identity.
	Key       string
	tokenFile string
	keyless   attest.KeylessOptions
	public    bool // whatever is not named is Sigstore's
	login     login.Options
	legacy    bool
	made      *attest.Signer
}

// AddFlags gives a command the flags that say how to sign.
func (o *Options) AddFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Key, "key", "", "private key file, as cosign or openssl write it")
	f.StringVar(&o.tokenFile, "identity-token", "", "file with an OpenID Connect token, to sign without a key")
	f.BoolVar(&o.public, "keyless", false, "sign with an identity, by the public services of Sigstore where no others are named")
	f.StringVar(&o.keyless.Fulcio, "fulcio-url", "", "certificate authority, to sign without a key")
	f.StringVar(&o.keyless.Rekor, "rekor-url", "", "transparency log, to sign without a key")
	f.Uint32Var(&o.keyless.RekorVersion, "rekor-version", 1, "version of the log's interface, 1 or 2")
	f.StringVar(&o.keyless.TSA, "timestamp-url", "", "timestamp authority, to sign without a key")
	f.StringVar(&o.login.Issuer, "oidc-issuer", "", "OpenID provider to log in at")
	f.StringVar(&o.login.ClientID, "oidc-client-id", login.ClientID, "what the provider knows this program by, and the authority wants tokens to be for")
	f.StringVar(&o.login.Redirect, "oidc-redirect-url", "", "where on this machine the provider sends the browser back to, with the port (default: http://localhost:PORT/auth/callback, on a free port)")
	f.StringVar(&o.login.Flow, "oidc-flow", "", "how to log in: "+strings.Join(login.Flows, " or ")+" (default: browser, on a terminal)")
	f.BoolVar(&o.legacy, "legacy", false, "store under the .att tag, as older versions of cosign do, and not as a referrer")
	for _, name := range []string{"fulcio-url", "rekor-url", "rekor-version", "timestamp-url", "oidc-issuer", "oidc-client-id", "oidc-redirect-url"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	cli.Must(cmd.RegisterFlagCompletionFunc("oidc-flow", cobra.FixedCompletions(login.Flows, cobra.ShellCompDirectiveNoFileComp)))
}

// Signer gives what signs. It is made once: who types a password types it once.
func (o *Options) Signer(ctx context.Context, s *cli.Session, command string) (attest.Signer, error) {
	if o.made == nil {
		signer, err := o.makeSigner(ctx, s, command)
		if err != nil {
			return attest.Signer{}, err
		}
		o.made = &signer
	}
	return *o.made, nil
}

func (o *Options) makeSigner(ctx context.Context, s *cli.Session, command string) (attest.Signer, error) {
	switch {
	case o.Key != "" && o.tokenFile != "":
		return attest.Signer{}, &cli.UsageError{Msg: "--key stands beside --identity-token", Hint: "one of the two", Command: command}
	case o.Key != "" && o.services():
		return attest.Signer{}, &cli.UsageError{Msg: "--keyless and the URLs of services stand beside --key, which asks no service", Hint: "--key FILE, or --keyless", Command: command}
	case o.Key == "" && o.keyless.RekorVersion != 1 && o.keyless.RekorVersion != 2:
		return attest.Signer{}, &cli.UsageError{Msg: fmt.Sprintf("--rekor-version is %d", o.keyless.RekorVersion), Hint: "--rekor-version 1 or 2", Command: command}
	case o.login.Flow != "" && !slices.Contains(login.Flows, o.login.Flow):
		return attest.Signer{}, &cli.UsageError{Msg: fmt.Sprintf("--oidc-flow is %q", o.login.Flow), Hint: "--oidc-flow " + strings.Join(login.Flows, " or "), Command: command}
	case o.Key != "":
		data, err := cli.ReadBounded(o.Key)
		if err != nil {
			return attest.Signer{}, err
		}
		signer, err := attest.NewKeySigner(data, func() ([]byte, error) { return s.KeyPassword(ctx) })
		if err != nil {
			return attest.Signer{}, &promote.Error{Msg: o.Key, Err: err}
		}
		return signer, nil
	}
	return o.makeKeyless(s, command)
}

// services tells whether any flag says how to sign without a key.
func (o *Options) services() bool {
	return o.public || o.keyless.Fulcio != "" || o.keyless.Rekor != "" || o.keyless.TSA != "" || o.logs()
}

// logs tells whether any flag says how to log in.
func (o *Options) logs() bool {
	return o.login.Issuer != "" || o.login.Flow != "" || o.login.Redirect != "" || o.login.ClientID != "" && o.login.ClientID != login.ClientID
}

func (o *Options) makeKeyless(s *cli.Session, command string) (attest.Signer, error) {
	keyless, err := o.keyless, error(nil)
	if o.public {
		keyless.Fulcio = cmp.Or(keyless.Fulcio, login.PublicFulcio)
		if keyless.TSA == "" {
			keyless.Rekor = cmp.Or(keyless.Rekor, login.PublicRekor)
		}
	}
	if keyless.Token, err = o.identity(s, command); err != nil {
		return attest.Signer{}, err
	}
	signer, err := attest.NewKeylessSigner(keyless)
	if err != nil {
		return attest.Signer{}, &cli.UsageError{Msg: err.Error(), Hint: "--keyless, or --fulcio-url URL --rekor-url URL", Command: command}
	}
	return signer, nil
}

// storer makes what puts bundles beside images.
func (o *Options) storer(s *cli.Session) (*attest.Storer, error) {
	c, err := s.Registries()
	if err != nil {
		return nil, err
	}
	return attest.NewStorer(attest.StoreOptions{Client: c, Legacy: o.legacy}), nil
}
