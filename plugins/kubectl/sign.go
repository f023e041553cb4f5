package kubectl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

const signLong = `
Sign with a private key (--key), whose password is in COSIGN_PASSWORD or is asked
for on a terminal; or without one, with an identity token in a file or in
SIGSTORE_ID_TOKEN, and the services that vouch for it.`

// signOptions say how statements are signed and where they are stored.
type signOptions struct {
	key       string
	tokenFile string
	keyless   attest.KeylessOptions
	legacy    bool
	made      *attest.Signer
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
func (o *signOptions) signer(ctx context.Context, s *session, command string) (attest.Signer, error) {
	if o.made == nil {
		signer, err := o.makeSigner(ctx, s, command)
		if err != nil {
			return attest.Signer{}, err
		}
		o.made = &signer
	}
	return *o.made, nil
}

func (o *signOptions) makeSigner(ctx context.Context, s *session, command string) (attest.Signer, error) {
	token := os.Getenv("SIGSTORE_ID_TOKEN")
	switch {
	case o.key != "" && o.tokenFile != "":
		return attest.Signer{}, &usageError{msg: "--key stands beside --identity-token", hint: "one of the two", command: command}
	case o.key != "" && (o.keyless.Fulcio != "" || o.keyless.Rekor != "" || o.keyless.TSA != ""):
		return attest.Signer{}, &usageError{msg: "--fulcio-url, --rekor-url and --timestamp-url stand beside --key, which asks no service", hint: "--key FILE, or --identity-token FILE --fulcio-url URL", command: command}
	case o.key == "" && o.keyless.RekorVersion != 1 && o.keyless.RekorVersion != 2:
		return attest.Signer{}, &usageError{msg: fmt.Sprintf("--rekor-version is %d", o.keyless.RekorVersion), hint: "--rekor-version 1 or 2", command: command}
	case o.key != "":
		data, err := readBounded(o.key)
		if err != nil {
			return attest.Signer{}, err
		}
		signer, err := attest.NewKeySigner(data, func() ([]byte, error) { return s.keyPassword(ctx) })
		if err != nil {
			return attest.Signer{}, &promote.Error{Msg: o.key, Err: err, Hint: hintOf(err)}
		}
		return signer, nil
	case o.tokenFile == "" && token == "":
		return attest.Signer{}, &usageError{msg: "nothing to sign with", hint: "--key cosign.key, or --identity-token FILE --fulcio-url URL", command: command}
	}
	if o.tokenFile != "" {
		data, err := readBounded(o.tokenFile)
		if err != nil {
			return attest.Signer{}, err
		}
		token = strings.TrimSpace(string(data))
	}
	keyless := o.keyless
	keyless.Token = func(context.Context) (string, error) { return token, nil }
	signer, err := attest.NewKeylessSigner(keyless)
	if err != nil {
		return attest.Signer{}, &usageError{msg: err.Error(), hint: "--fulcio-url URL --rekor-url URL", command: command}
	}
	return signer, nil
}

// storer makes what puts bundles beside images.
func (o *signOptions) storer(s *session) (*attest.Storer, error) {
	t, err := s.registries.open()
	if err != nil {
		return nil, err
	}
	return attest.NewStorer(attest.StoreOptions{Transport: t, TransportAuthenticates: true, Legacy: o.legacy}), nil
}

// statement is one statement to be signed and stored.
type statement struct {
	service, image string
	statement      attest.Statement
}

// attested is a statement that was made, as an API object.
type attested struct {
	Service       string `json:"service"`
	Environment   string `json:"environment"`
	Image         string `json:"image"`
	PredicateType string `json:"predicateType"`
	KeyID         string `json:"keyID,omitempty"`
	DryRun        bool   `json:"dryRun,omitempty"`
	// Statement is what would be signed, in a dry run.
	Statement json.RawMessage `json:"statement,omitempty"`
	*attest.Stored
}

// signingJob says what statements are signed for.
type signingJob struct {
	session     *session
	command     string // for hints
	environment string
	word        string // what becomes of images: attested, approved
	dryRun      bool
}

// finish signs and stores statements, or shows them, and prints what was done.
func (o *signOptions) finish(ctx context.Context, job signingJob, out *output, printer printers.ResourcePrinter, all []statement) error {
	if !job.dryRun {
		done, err := o.publish(ctx, job.session, job.command, job.environment, all)
		return job.session.published(out, printer, job.word, done, err)
	}
	var shown []attested
	for _, st := range all {
		shown = append(shown, attested{
			Service: st.service, Environment: job.environment, Image: st.image, PredicateType: st.statement.PredicateType(),
			DryRun: true, Statement: st.statement.Payload(),
		})
	}
	return job.session.printAttested(out, printer, job.word, shown)
}

// publish signs statements and stores them beside their images. What is stored
// stays stored where a later one fails; the same command again adds to it.
func (o *signOptions) publish(ctx context.Context, s *session, command, environment string, all []statement) ([]attested, error) {
	signer, err := o.signer(ctx, s, command)
	if err != nil {
		return nil, err
	}
	storer, err := o.storer(s)
	if err != nil {
		return nil, err
	}
	bar := s.newProgress()
	defer bar.clear()
	var done []attested
	for n, st := range all {
		bundle, err := signer.Attest(ctx, st.statement)
		if err != nil {
			return done, &promote.Error{Msg: "signing a statement about " + st.image, Err: err}
		}
		stored, err := storer.Store(ctx, st.image, bundle)
		if err != nil {
			return done, err
		}
		done = append(done, attested{Service: st.service, Environment: environment, Image: st.image,
			PredicateType: st.statement.PredicateType(), KeyID: signer.KeyID(), Stored: &stored})
		bar.show("attesting", n+1, len(all))
	}
	return done, nil
}

// published prints what was signed before an error, if there was one.
func (s *session) published(out *output, printer printers.ResourcePrinter, word string, done []attested, err error) error {
	if len(done) == 0 && err != nil {
		return err
	}
	return errors.Join(s.printAttested(out, printer, word, done), err)
}

// printAttested prints what was signed, or, for a dry run, the statements. The
// word says what was done to an image.
func (s *session) printAttested(out *output, printer printers.ResourcePrinter, word string, all []attested) error {
	rows := [][]string{{"SERVICE", "ENVIRONMENT", "IMAGE", "RESULT"}}
	if out.wide() {
		rows[0] = append(rows[0], "PREDICATE TYPE", "LOCATION")
	}
	items := []object{}
	for _, a := range all {
		items = append(items, object{a.Service, a})
		result, location := "would be "+word, "-"
		if a.Stored != nil {
			result, location = word, a.Location
			if !a.Written {
				result = "unchanged"
			}
		}
		row := []string{a.Service, a.Environment, a.Image, result}
		if out.wide() {
			row = append(row, a.PredicateType, location)
		}
		rows = append(rows, row)
	}
	if printer != nil {
		return printList(s.Out, printer, "Attestation", items)
	}
	return table(s.Out, rows)
}
