package kubectl

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

const verifyBundleLong = `Verify one Sigstore bundle over one artifact, offline.

The artifact is a file, - for the standard input, or the digest of one. The signature is by a key, or by an
identity that a certificate authority of the trusted root has confirmed; without
--trusted-root, the public good instance's root that is built in is used, and the
network is never. The arguments are those of Sigstore's conformance tests.`

const verifyBundleExample = `  # by an identity
  kubectl promote verify-bundle --bundle app.sigstore.json --certificate-identity ci@example.com \
      --certificate-oidc-issuer https://issuer.example.com app.tar.gz

  # by a key
  kubectl promote verify-bundle --bundle app.sigstore.json --key cosign.pub sha256:0123...`

// maxArtifact bounds what is read of a file to be verified.
const maxArtifact = 4 << 30

func newVerifyBundleCommand(s *session) *cobra.Command {
	o := &bundleOptions{session: s}
	cmd := &cobra.Command{
		Use:     "verify-bundle --bundle FILE (--key FILE | --certificate-identity ID --certificate-oidc-issuer URL) FILE|-|sha256:HEX",
		Short:   "Verify one Sigstore bundle over one artifact, offline",
		Long:    verifyBundleLong,
		Example: verifyBundleExample,
		GroupID: groupEdit,
		Args:    cobra.ExactArgs(1),
		RunE:    o.run,
	}
	f := cmd.Flags()
	f.StringVar(&o.bundle, "bundle", "", "bundle file")
	f.StringVar(&o.key, "key", "", "public key file")
	f.StringVar(&o.request.Identity, "certificate-identity", "", "who must have signed, as the certificate names them")
	f.StringVar(&o.request.Issuer, "certificate-oidc-issuer", "", "who must have confirmed the identity")
	f.StringVar(&o.trustedRoot, "trusted-root", "", "trusted_root.json (default: the public good instance's that is built in)")
	f.BoolVar(&o.request.WithoutTransparencyLog, "without-transparency-log", false, "do not demand an entry in a transparency log; an identity then needs a timestamp")
	for _, name := range []string{"certificate-identity", "certificate-oidc-issuer"} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	o.output = addOutput(cmd)
	return cmd
}

// bundleOptions are the flags of verify-bundle.
type bundleOptions struct {
	session                  *session
	request                  verify.BundleRequest
	bundle, key, trustedRoot string
	output                   *output
}

func (o *bundleOptions) run(cmd *cobra.Command, args []string) error {
	s := o.session
	printer, err := o.output.printer()
	if err != nil {
		return err
	}
	byIdentity := o.request.Identity != "" && o.request.Issuer != ""
	switch {
	case o.bundle == "":
		return &usageError{msg: "--bundle is missing", command: cmd.CommandPath()}
	case byIdentity == (o.key != ""), (o.request.Identity == "") != (o.request.Issuer == ""):
		return &usageError{msg: "say who must have signed", hint: "--key FILE, or --certificate-identity ID --certificate-oidc-issuer URL", command: cmd.CommandPath()}
	}
	if err := o.readFiles(); err != nil {
		return err
	}
	closeArtifact, err := o.artifact(args[0])
	if err != nil {
		return err
	}
	defer closeArtifact()
	result, err := verify.VerifyBundle(cmd.Context(), o.request)
	if err != nil {
		return o.named(err)
	}
	result.Image = args[0]
	if printer != nil {
		err = printObject(s.Out, printer, "Verification", object{name: args[0], content: result})
	} else {
		err = s.printVerified("ARTIFACT", o.output, []verify.Result{result})
	}
	if err != nil {
		return err
	}
	return silent(worse(exitDone, result))
}

func (o *bundleOptions) readFiles() error {
	for _, file := range []struct {
		name string
		into *[]byte
	}{{o.bundle, &o.request.Bundle}, {o.key, &o.request.Key}, {o.trustedRoot, &o.request.TrustedRoot}} {
		if file.name == "" {
			continue
		}
		data, err := readBounded(file.name)
		if err != nil {
			return err
		}
		if len(data) == 0 {
			return &promote.Error{Msg: file.name + " is empty"}
		}
		*file.into = data
	}
	return nil
}

// named puts the name of the file in front of what cannot be used. The library has
// contents, not files: its messages begin with what they are about.
func (o *bundleOptions) named(err error) error {
	for _, file := range []struct{ about, name string }{{"trusted root", o.trustedRoot}, {"key", o.key}} {
		if file.name != "" && strings.HasPrefix(err.Error(), file.about) {
			return &promote.Error{Msg: file.name, Err: err, Hint: hintOf(err)}
		}
	}
	return err
}

// artifact says what the bundle is about: a digest, or a file.
func (o *bundleOptions) artifact(arg string) (func() error, error) {
	if strings.HasPrefix(arg, "sha256:") || strings.HasPrefix(arg, "sha512:") {
		o.request.Digest = arg
		return func() error { return nil }, nil
	}
	if arg == stdin {
		return o.pipe(o.session.stdin)
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, fileError(err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = &promote.Error{Msg: arg + " is a directory"}
		return nil, errors.Join(err, f.Close())
	}
	if err != nil || info.Mode().IsRegular() {
		if err == nil && info.Size() > maxArtifact {
			err = &promote.Error{Msg: arg + " is larger than 4 GiB", Hint: "give its digest, sha256:…"}
		}
		o.request.Artifact = f
		return f.Close, err
	}
	defer f.Close()
	return o.pipe(f)
}

// pipe takes the artifact from what cannot be read twice.
func (o *bundleOptions) pipe(in io.Reader) (func() error, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxFile))
	if err == nil && len(data) == maxFile {
		err = &promote.Error{Msg: "what is not a file may not be larger than 64 MiB", Hint: "give its digest, sha256:…"}
	}
	o.request.Artifact = bytes.NewReader(data)
	return func() error { return nil }, fileError(err)
}
