// Package signing is what attest, approve and --attest-key share: the flags that say
// how to sign, the statements, and their way into the registry.
//
// An [Options] makes the signer once, so that who types a password types it once. A
// [Job] signs statements, stores them beside their images and prints them.
package signing

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
)

// Long is the end of the help of commands that sign.
const Long = `
Sign with a private key (--key), whose password is in COSIGN_PASSWORD or is asked
for on a terminal; or without one, with an identity token in a file or in
SIGSTORE_ID_TOKEN, and the services that vouch for it.`

// Options say how statements are signed and where they are stored.
type Options struct {
	// Key is the file of the private key; empty to sign with an identity.
	Key       string
	tokenFile string
	keyless   attest.KeylessOptions
	legacy    bool
	made      *attest.Signer
}

// AddFlags gives a command the flags that say how to sign.
func (o *Options) AddFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Key, "key", "", "private key file, as cosign or openssl write it")
	f.StringVar(&o.tokenFile, "identity-token", "", "file with an OpenID Connect token, to sign without a key")
	f.StringVar(&o.keyless.Fulcio, "fulcio-url", "", "certificate authority, for --identity-token")
	f.StringVar(&o.keyless.Rekor, "rekor-url", "", "transparency log, for --identity-token")
	f.Uint32Var(&o.keyless.RekorVersion, "rekor-version", 1, "version of the log's interface, 1 or 2")
	f.StringVar(&o.keyless.TSA, "timestamp-url", "", "timestamp authority, for --identity-token")
	f.BoolVar(&o.legacy, "legacy", false, "store under the .att tag, as older versions of cosign do, and not as a referrer")
	for _, name := range []string{"fulcio-url", "rekor-url", "rekor-version", "timestamp-url"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
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
	token := os.Getenv("SIGSTORE_ID_TOKEN")
	switch {
	case o.Key != "" && o.tokenFile != "":
		return attest.Signer{}, &cli.UsageError{Msg: "--key stands beside --identity-token", Hint: "one of the two", Command: command}
	case o.Key != "" && (o.keyless.Fulcio != "" || o.keyless.Rekor != "" || o.keyless.TSA != ""):
		return attest.Signer{}, &cli.UsageError{Msg: "--fulcio-url, --rekor-url and --timestamp-url stand beside --key, which asks no service", Hint: "--key FILE, or --identity-token FILE --fulcio-url URL", Command: command}
	case o.Key == "" && o.keyless.RekorVersion != 1 && o.keyless.RekorVersion != 2:
		return attest.Signer{}, &cli.UsageError{Msg: fmt.Sprintf("--rekor-version is %d", o.keyless.RekorVersion), Hint: "--rekor-version 1 or 2", Command: command}
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
	case o.tokenFile == "" && token == "":
		return attest.Signer{}, &cli.UsageError{Msg: "nothing to sign with", Hint: "--key cosign.key, or --identity-token FILE --fulcio-url URL", Command: command}
	}
	if o.tokenFile != "" {
		data, err := cli.ReadBounded(o.tokenFile)
		if err != nil {
			return attest.Signer{}, err
		}
		token = strings.TrimSpace(string(data))
	}
	keyless := o.keyless
	keyless.Token = func(context.Context) (string, error) { return token, nil }
	signer, err := attest.NewKeylessSigner(keyless)
	if err != nil {
		return attest.Signer{}, &cli.UsageError{Msg: err.Error(), Hint: "--fulcio-url URL --rekor-url URL", Command: command}
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
