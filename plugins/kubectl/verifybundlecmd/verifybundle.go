// Package verifybundlecmd implements kubectl promote verify-bundle: one Sigstore
// bundle over one artifact, without the network. Its arguments are those of
// Sigstore's conformance tests, which run it.
package verifybundlecmd

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

const long = `Verify one Sigstore bundle over one artifact, offline.

The artifact is a file, - for the standard input, or the digest of one. The signature is by a key, or by an
identity that a certificate authority of the trusted root has confirmed; without
--trusted-root, the public good instance's root that is built in is used, and the
network is never. The arguments are those of Sigstore's conformance tests.`

const example = `  # by an identity
  kubectl promote verify-bundle --bundle app.sigstore.json --certificate-identity ci@example.com \
      --certificate-oidc-issuer https://issuer.example.com app.tar.gz

  # by a key
  kubectl promote verify-bundle --bundle app.sigstore.json --key cosign.pub sha256:0123...`

// maxArtifact bounds what is read of a file to be verified.
const maxArtifact = 4 << 30

// New makes kubectl promote verify-bundle.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "verify-bundle --bundle FILE (--key FILE | --certificate-identity ID --certificate-oidc-issuer URL) FILE|-|sha256:HEX",
		Short:   "Verify one Sigstore bundle over one artifact, offline",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
		Args:    cobra.ExactArgs(1),
		RunE:    o.run,
	}
	f := cmd.Flags()
	f.StringVar(&o.bundle, "bundle", "", "bundle file")
	f.StringVar(&o.key, "key", "", "public key file")
	f.StringVar(&o.request.Identity, "certificate-identity", "", "who must have signed, as the certificate names them")
	f.StringVar(&o.request.Issuer, "certificate-oidc-issuer", "", "who must have confirmed the identity")
	for _, c := range claims() {
		c.value = f.String(c.flag, "", c.usage)
		cli.Must(cmd.RegisterFlagCompletionFunc(c.flag, cobra.NoFileCompletions))
		o.claims = append(o.claims, c)
	}
	f.StringVar(&o.trustedRoot, "trusted-root", "", "trusted_root.json (default: the public good instance's that is built in)")
	f.BoolVar(&o.request.WithoutTransparencyLog, "without-transparency-log", false, "do not demand an entry in a transparency log; an identity then needs a timestamp")
	for _, name := range []string{"certificate-identity", "certificate-oidc-issuer"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	o.output = cli.AddOutput(cmd)
	return cmd
}

// claim is a flag for what the certificate has to say of the build.
type claim struct {
	flag, name, usage string
	value             *string
}

// claims are the flags that cosign has.
func claims() []claim {
	return []claim{
		{flag: "certificate-github-workflow-trigger", name: "githubWorkflowTrigger", usage: "event that must have started the workflow, as the certificate names it"},
		{flag: "certificate-github-workflow-sha", name: "githubWorkflowSha", usage: "commit that must have been built, as the certificate names it"},
		{flag: "certificate-github-workflow-name", name: "githubWorkflowName", usage: "workflow that must have run, as the certificate names it"},
		{flag: "certificate-github-workflow-repository", name: "githubWorkflowRepository", usage: "repository that must have been built, as the certificate names it"},
		{flag: "certificate-github-workflow-ref", name: "githubWorkflowRef", usage: "git ref that must have been built, as the certificate names it"},
	}
}

// options are the flags of verify-bundle.
type options struct {
	session                  *cli.Session
	request                  verify.BundleRequest
	bundle, key, trustedRoot string
	claims                   []claim
	output                   *cli.Output
}

func (o *options) run(cmd *cobra.Command, args []string) error {
	s := o.session
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	for _, c := range o.claims {
		if *c.value != "" {
			if o.request.Claims == nil {
				o.request.Claims = map[string]string{}
			}
			o.request.Claims[c.name] = *c.value
		}
	}
	byIdentity := o.request.Identity != "" && o.request.Issuer != ""
	switch {
	case o.bundle == "":
		return &cli.UsageError{Msg: "--bundle is missing", Command: cmd.CommandPath()}
	case byIdentity == (o.key != ""), (o.request.Identity == "") != (o.request.Issuer == ""):
		return &cli.UsageError{Msg: "say who must have signed", Hint: "--key FILE, or --certificate-identity ID --certificate-oidc-issuer URL", Command: cmd.CommandPath()}
	case o.key != "" && len(o.request.Claims) > 0:
		return &cli.UsageError{Msg: "a key has no certificate that could say what was built", Hint: "--certificate-identity ID --certificate-oidc-issuer URL", Command: cmd.CommandPath()}
	case verify.IsKeyReference(o.key):
		return &promote.Error{Msg: "--key " + o.key + " is not a file", Hint: verify.KeyReferenceHint(o.key)}
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
	for _, w := range result.Warnings {
		s.Warn("%s", w)
	}
	if printer != nil {
		err = cli.PrintObject(s.Out, printer, "Verification", cli.Object{Name: args[0], Content: result})
	} else {
		err = cli.Table(s.Out, cli.Verified("ARTIFACT", o.output, []verify.Result{result}))
	}
	if err != nil {
		return err
	}
	return cli.Silent(cli.Worse(cli.ExitDone, result))
}

func (o *options) readFiles() error {
	for _, file := range []struct {
		name string
		into *[]byte
	}{{o.bundle, &o.request.Bundle}, {o.key, &o.request.Key}, {o.trustedRoot, &o.request.TrustedRoot}} {
		if file.name == "" {
			continue
		}
		data, err := cli.ReadBounded(file.name)
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
func (o *options) named(err error) error {
	for _, file := range []struct{ about, name string }{{"trusted root", o.trustedRoot}, {"key", o.key}, {"bundle", o.bundle}} {
		if file.name != "" && strings.HasPrefix(err.Error(), file.about) {
			return &promote.Error{Msg: file.name, Err: err}
		}
	}
	return err
}

// artifact says what the bundle is about: a digest, or a file.
func (o *options) artifact(arg string) (func() error, error) {
	if strings.HasPrefix(arg, "sha256:") || strings.HasPrefix(arg, "sha512:") {
		o.request.Digest = arg
		return func() error { return nil }, nil
	}
	if arg == cli.Stdin {
		return o.pipe(o.session.Stdin)
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, cli.FileError(err)
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
func (o *options) pipe(in io.Reader) (func() error, error) {
	data, err := io.ReadAll(io.LimitReader(in, cli.MaxFile))
	if err == nil && len(data) == cli.MaxFile {
		err = &promote.Error{Msg: "what is not a file may not be larger than 64 MiB", Hint: "give its digest, sha256:…"}
	}
	o.request.Artifact = bytes.NewReader(data)
	return func() error { return nil }, cli.FileError(err)
}
