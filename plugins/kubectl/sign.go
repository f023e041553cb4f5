package kubectl

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

const signLong = `
Sign with a private key (--key), whose password is in COSIGN_PASSWORD or is asked
for on a terminal; or without one, with an identity token in a file or in
SIGSTORE_ID_TOKEN, and the services that vouch for it.`

// signOptions say how statements are signed and where they are stored.
type signOptions struct {
	key       string
	tokenFile string
	keyless   verify.KeylessOptions
	legacy    bool
	made      *verify.Signer
}

func (o *signOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "", "private key file, as cosign or openssl write it")
	f.StringVar(&o.tokenFile, "identity-token", "", "file with an OpenID Connect token, to sign without a key")
	f.StringVar(&o.keyless.Fulcio, "fulcio-url", "", "certificate authority, for --identity-token")
	f.StringVar(&o.keyless.Rekor, "rekor-url", "", "transparency log, for --identity-token")
	f.Uint32Var(&o.keyless.RekorVersion, "rekor-version", 1, "version of the log's interface, 1 or 2")
	f.StringVar(&o.keyless.TSA, "timestamp-url", "", "timestamp authority, for --identity-token")
	f.BoolVar(&o.legacy, "legacy", false, "store under the .att tag, as older versions of cosign do, and not as a referrer")
	for _, name := range []string{"fulcio-url", "rekor-url", "rekor-version", "timestamp-url"} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
}

// signer gives what signs. It is made once: who types a password types it once.
func (o *signOptions) signer(ctx context.Context, s *session, command string) (verify.Signer, error) {
	if o.made == nil {
		signer, err := o.makeSigner(ctx, s, command)
		if err != nil {
			return verify.Signer{}, err
		}
		o.made = &signer
	}
	return *o.made, nil
}

func (o *signOptions) makeSigner(ctx context.Context, s *session, command string) (verify.Signer, error) {
	token := os.Getenv("SIGSTORE_ID_TOKEN")
	switch {
	case o.key != "" && o.tokenFile != "":
		return verify.Signer{}, &usageError{msg: "--key stands beside --identity-token", hint: "one of the two", command: command}
	case o.key != "" && (o.keyless.Fulcio != "" || o.keyless.Rekor != "" || o.keyless.TSA != ""):
		return verify.Signer{}, &usageError{msg: "--fulcio-url, --rekor-url and --timestamp-url stand beside --key, which asks no service", hint: "--key FILE, or --identity-token FILE --fulcio-url URL", command: command}
	case o.key == "" && o.keyless.RekorVersion != 1 && o.keyless.RekorVersion != 2:
		return verify.Signer{}, &usageError{msg: fmt.Sprintf("--rekor-version is %d", o.keyless.RekorVersion), hint: "--rekor-version 1 or 2", command: command}
	case o.key != "":
		data, err := readBounded(o.key)
		if err != nil {
			return verify.Signer{}, err
		}
		signer, err := verify.NewKeySigner(data, func() ([]byte, error) { return s.keyPassword(ctx) })
		if err != nil {
			return verify.Signer{}, &promote.Error{Msg: o.key, Err: err, Hint: hintOf(err)}
		}
		return signer, nil
	case o.tokenFile == "" && token == "":
		return verify.Signer{}, &usageError{msg: "nothing to sign with", hint: "--key cosign.key, or --identity-token FILE --fulcio-url URL", command: command}
	}
	if o.tokenFile != "" {
		data, err := readBounded(o.tokenFile)
		if err != nil {
			return verify.Signer{}, err
		}
		token = strings.TrimSpace(string(data))
	}
	keyless := o.keyless
	keyless.Token = func(context.Context) (string, error) { return token, nil }
	signer, err := verify.NewKeylessSigner(keyless)
	if err != nil {
		return verify.Signer{}, &usageError{msg: err.Error(), hint: "--fulcio-url URL --rekor-url URL", command: command}
	}
	return signer, nil
}

// storer makes what puts bundles beside images.
func (o *signOptions) storer(s *session) (*verify.Storer, error) {
	t, err := s.transport()
	if err != nil {
		return nil, err
	}
	return verify.NewStorer(verify.StoreOptions{Transport: t, TransportAuthenticates: true, Legacy: o.legacy}), nil
}
