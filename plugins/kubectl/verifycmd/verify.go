// Package verifycmd implements kubectl promote verify: the signatures of images,
// named as references, by files or as services of an environment, against a policy.
// There are three answers: verified, rejected and unknown.
package verifycmd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/unlisted"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/sources"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/shard"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

const long = `Verify the signatures of images against a policy.

Images are named as references, by the overlays that hold them (-k, -f), or as
services of an environment (--env), whose policy the pipeline names. Beside
references and files, --env says which environment they are for: a policy that asks
for approvals asks for those of that environment, and without --env the answer is
unknown. --service says which service they are of: an approval that names a service
counts for that one alone. An image that cannot be read in a file is unknown as well. A tag is
resolved to its digest first. oci:DIRECTORY[:REF] is an image in an OCI layout: the
rules for the repository of --layout-name hold for it, and without that only those
for the pattern **. "-" reads references from the standard input, one a line.

There are three answers: verified, rejected, and unknown, where something could not
be read; exit status 0, 3 and 5. An image that only rules in warn mode reject is
shown as warned, with a warning, and does not change the exit status: a promotion
would let it through.

The policy is a VerificationPolicy, or a ClusterImagePolicy as it is; keys in files
are looked for beside it.`

const example = `  # what production would demand of the images in staging
  kubectl promote verify -k apps/cart/overlays/staging --verify-policy policies/images.yaml

  # the images of two services as they stand in production
  kubectl promote verify cart payments --env production

  # an image that people have to approve for production
  kubectl promote verify registry.example.com/shop/cart:v1.2.3 --service cart --env production --verify-policy policies/approvals.yaml

  # by whom and when it was signed
  kubectl promote verify registry.example.com/shop/cart:v1.2.3 --verify-policy policies/images.yaml -o wide

  # an image on disk, by the rules for the repository that it came from
  kubectl promote verify oci:cart --layout-name registry.example.com/shop/cart --verify-policy policies/images.yaml`

// New makes kubectl promote verify.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "verify [REF...|-|SERVICE...] [--env ENVIRONMENT]",
		Short:   "Verify the signatures of images against a policy",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if o.env == "" {
				return nil, cobra.ShellCompDirectiveNoFileComp // references cannot be guessed
			}
			return s.CompleteServices(cmd, args, word)
		},
	}
	o.files.AddFlags(cmd)
	s.EnvironmentVar(cmd, &o.env, "env", "environment that the images are for; services are verified as they stand in it")
	cli.OnceVar(cmd.Flags(), &o.service, "service", "service that the images named by references or files are of")
	cli.Must(cmd.RegisterFlagCompletionFunc("service", s.CompleteServices))
	cli.ShardVar(cmd, &o.shard, "images")
	cmd.Flags().StringVar(&o.layoutName, "layout-name", "", "repository whose rules hold for images in OCI layouts")
	cli.Must(cmd.RegisterFlagCompletionFunc("layout-name", cobra.NoFileCompletions))
	o.output = cli.AddListOutput(cmd)
	return cmd
}

// options are the flags of verify.
type options struct {
	session                  *cli.Session
	files                    cli.FileOptions
	env, service, layoutName string
	shard                    shard.Shard
	output                   *cli.Output
}

func (o *options) run(cmd *cobra.Command, args []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	if _, err := name.NewRepository(o.layoutName); o.layoutName != "" && err != nil {
		return &cli.UsageError{Msg: fmt.Sprintf("--layout-name %q is no repository", o.layoutName), Hint: "--layout-name registry.example.com/shop/cart", Command: cmd.CommandPath()}
	}
	in, err := o.inputs(cmd, args)
	if err != nil {
		return err
	}
	if in.part(o.shard); len(in.refs)+len(in.unpinned) == 0 && o.shard.Count > 1 {
		return o.session.EmptyShard(printer, "Verification", o.shard)
	}
	if len(in.refs)+len(in.unpinned) == 0 {
		return &promote.Error{Msg: "no image to verify", Hint: "kubectl promote images lists what there is"}
	}
	results, err := o.verify(cmd, in)
	if err != nil {
		return err
	}
	in.weigh(o.session, results)
	return o.report(cmd, printer, append(results, in.unpinned...))
}

// report prints the results; its error has the exit status that they mean.
func (o *options) report(cmd *cobra.Command, printer printers.ResourcePrinter, results []verify.Result) error {
	s := o.session
	if err := cli.SortBy(o.output, results, func(r verify.Result) cli.Object { return cli.Object{Name: r.Image, Content: r} }); err != nil {
		return err
	}
	items, worst := []cli.Object{}, cli.ExitDone
	for _, r := range results {
		items = append(items, cli.Object{Name: r.Image, Content: r})
		worst = cli.Worse(worst, r)
		for _, w := range r.Warnings {
			s.Warn("%s: NOT verified by a rule in warn mode: %s", r.Image, w)
		}
	}
	if !s.Quiet {
		s.PrintFacts(notMet(results, func(flag, value string) string { return s.Retyped(cmd, flag, value) }))
	}
	s.Part = cli.PartOf(o.shard, cli.Silent(worst))
	if err := s.Print(printer, "Verification", items, cli.Verified("IMAGE", o.output, results)); err != nil {
		return err
	}
	return cli.Silent(worst)
}

// notMet names each rule that is not met, once, and what to type where it asks for
// something that nobody has named.
func notMet(results []verify.Result, retyped func(flag, value string) string) []cli.Fact {
	var facts []cli.Fact
	for _, r := range results {
		fact := cli.Fact{Text: r.Rule + ": this rule is not met"}
		if r.Lacks != "" {
			fact.Hint = retyped(map[string]string{verify.LacksEnvironment: "env", verify.LacksService: "service"}[r.Lacks], strings.ToUpper(r.Lacks))
		}
		if r.Rule != "" && !r.Warned && !slices.Contains(facts, fact) {
			facts = append(facts, fact)
		}
	}
	return facts
}

// input is what there is to verify.
type input struct {
	refs     []string
	services []string        // of the references; those that are missing are not known
	unpinned []verify.Result // what is pinned to nothing, so that it cannot be verified
	maybe    map[int]string  // of refs: those of which nobody knows whether they are images, and where they stand
	policy   *verify.Policy
}

// unlisted takes in what may be images, in fields of kinds that nobody knows.
func (in *input) unlisted(f *overlay.File, service string) {
	for _, u := range unlisted.In(f) {
		at := fmt.Sprintf("%s:%d:%d: %s may be an image, and what kind %q does with it is not known here", f.Name(), u.Position.Line, u.Position.Col, u.Path, u.Kind)
		if !u.Pinned() {
			in.unpinned = append(in.unpinned, notKnown(u.Ref, at))
			continue
		}
		if in.maybe == nil {
			in.maybe = make(map[int]string)
		}
		in.maybe[len(in.refs)] = at
		in.refs, in.services = append(in.refs, u.Ref), append(in.services, service)
	}
}

// weigh takes a no about what may be no image for what it is, and says where a policy
// has nothing to say about it.
func (in *input) weigh(s *cli.Session, results []verify.Result) {
	for n, at := range in.maybe {
		switch r := &results[n]; {
		case r.Outcome == verify.Rejected:
			r.Outcome, r.Reason = verify.Unknown, at+": "+r.Reason
		case r.Outcome == verify.Verified && len(r.Evidence) == 0:
			s.Warn("%s, and no rule is about %s", at, r.Image)
		}
	}
}

// inputs finds what there is to verify, and the policy.
func (o *options) inputs(cmd *cobra.Command, args []string) (*input, error) {
	s := o.session
	switch {
	case o.env != "" && o.service == "" && !o.files.Given() && !slices.ContainsFunc(args, isReference):
		return o.services(cmd, args)
	case o.service != "" && o.env == "":
		return nil, &cli.UsageError{Msg: "--service is of no use without --env", Hint: s.Retyped(cmd, "env", "ENVIRONMENT")}
	case o.env != "" && slices.ContainsFunc(args, func(a string) bool { return !isReference(a) }):
		return nil, &cli.UsageError{Msg: "services stand beside references or files", Hint: "verify them one after the other", Command: cmd.CommandPath()}
	case s.VerifyPolicy == "":
		return nil, &cli.UsageError{Msg: "no policy named", Hint: "--verify-policy FILE, or SERVICE --env ENVIRONMENT", Command: cmd.CommandPath()}
	case len(args) == 0 && !o.files.Given():
		return nil, &cli.UsageError{Msg: "no reference named", Command: cmd.CommandPath()}
	}
	refs, err := s.ExpandStdin(args, &o.files)
	if err != nil {
		return nil, err
	}
	in := &input{refs: slices.Clone(refs)}
	if o.files.Given() {
		files, err := o.files.ReadImages(s)
		if err != nil {
			return nil, err
		}
		s.WarnUnread(files)
		for _, f := range files {
			for _, i := range f.File.Images() {
				switch {
				case !i.Known():
					in.unpinned = append(in.unpinned, notKnown(i.Name, i.Unknown))
				case i.Tag == "" && i.Digest == "":
					in.unpinned = append(in.unpinned, notPinned(i.Repository()))
				case i.Misread.Hides(i.Digest):
					in.unpinned = append(in.unpinned, notKnown(i.Ref(), i.Misread.Says("it")))
				default:
					in.refs = append(in.refs, i.Ref())
				}
			}
			for _, u := range f.File.Unread() {
				in.unpinned = append(in.unpinned, notRead(f.File.Name(), u))
			}
			in.unlisted(f.File, o.service)
		}
	}
	in.services = slices.Repeat([]string{o.service}, len(in.refs))
	if in.policy, err = s.LoadPolicy(s.VerifyPolicy); err == nil && o.env != "" {
		in.policy = in.policy.For(o.env)
	}
	return in, err
}

// isReference tells an image from a service: an image has a tag or a digest, and -
// stands for a list of them.
func isReference(arg string) bool { return arg == cli.Stdin || strings.ContainsAny(arg, ":@") }

// notRead is the answer for an image that is no reference: what runs there is not
// known, and the images beside it say nothing about it.
func notRead(file string, u overlay.Unread) verify.Result {
	return verify.Result{Image: cmp.Or(u.Text, u.Path), Outcome: verify.Unknown, Reason: fmt.Sprintf("%s:%d:%d: it cannot be read as an image, so nobody can say what runs there", file, u.Position.Line, u.Position.Col)}
}

func notPinned(image string) verify.Result {
	return verify.Result{Image: image, Outcome: verify.Unknown, Reason: "it has neither tag nor digest here"}
}

// notKnown is the result of an image whose repository the file does not name, or
// whose tag is another one to who reads the file.
func notKnown(name, why string) verify.Result {
	return verify.Result{Image: name, Outcome: verify.Unknown, Reason: why}
}

// part leaves those images that are in a shard, by their references.
func (in *input) part(s shard.Shard) {
	refs, services, maybe := in.refs, in.services, in.maybe
	in.refs, in.services, in.maybe = nil, nil, make(map[int]string)
	for i, ref := range refs {
		if !s.Takes(ref) {
			continue
		}
		if at, ok := maybe[i]; ok {
			in.maybe[len(in.refs)] = at
		}
		in.refs, in.services = append(in.refs, ref), append(in.services, services[i])
	}
	in.unpinned = slices.DeleteFunc(in.unpinned, func(r verify.Result) bool { return !s.Takes(r.Image) })
}

// services is inputs for services of an environment.
func (o *options) services(cmd *cobra.Command, args []string) (*input, error) {
	s := o.session
	p, repo, err := s.OpenOffline(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	e, err := p.Pipeline.Environment(o.env)
	if err != nil {
		return nil, err
	}
	path := s.VerifyPolicy
	switch {
	case path != "":
	case e.Verify != nil:
		path = e.Verify.Policy
	default:
		return nil, &cli.UsageError{Msg: fmt.Sprintf("the pipeline names no policy for %q", o.env), Hint: "--verify-policy FILE", Command: cmd.CommandPath()}
	}
	policy, err := s.LoadPolicy(path)
	if err != nil {
		return nil, err
	}
	statuses, err := status.Read(cmd.Context(), p.Pipeline, p.Repo, args)
	if statuses == nil && err != nil {
		return nil, err
	}
	in := &input{policy: policy.For(o.env)}
	if err := in.imagesOf(s, statuses, o.env, len(args) > 0); err != nil {
		return in, err
	}
	sites := p.Pipeline.Sites(p.Repo)
	for _, st := range statuses {
		all, err := sites.Of(e, st.Service)
		if err != nil {
			return nil, err
		}
		for _, one := range sites.WithNamed(all) {
			if f, err := sites.Read(one, false); err == nil { // else it has been told
				in.unlisted(f, st.Service)
			}
		}
	}
	return in, nil
}

// imagesOf takes in the images of an environment. Services that are named must be
// there; what cannot be read in other environments does not matter.
func (in *input) imagesOf(s *cli.Session, statuses []status.Service, env string, named bool) error {
	var errs []error
	for _, st := range statuses {
		for _, e := range st.Environments {
			switch {
			case e.Environment != env:
				continue
			case e.Error != "":
				errs = append(errs, errors.New(e.Error))
			case !e.Exists && named:
				errs = append(errs, &promote.Error{Msg: fmt.Sprintf("service %q has no overlay in %s", st.Service, env)})
			}
			for _, w := range e.Warnings {
				s.Warn("%s", w)
			}
			for _, i := range e.Images {
				switch {
				case i.Unknown != "":
					in.unpinned = append(in.unpinned, notKnown(i.Name, i.Unknown))
				case i.Pin == (promote.Pin{}):
					in.unpinned = append(in.unpinned, notPinned(i.Repository))
				case i.Misread.Hides(i.Digest):
					in.unpinned = append(in.unpinned, notKnown(i.Ref(i.Repository), i.Misread.Says("it")))
				default:
					in.refs, in.services = append(in.refs, i.Ref(i.Repository)), append(in.services, st.Service)
				}
			}
			for _, u := range e.Unread {
				in.unpinned = append(in.unpinned, notRead(u.File, u.Unread))
			}
		}
	}
	return errors.Join(errs...)
}

// batch is how many images are verified before progress is shown.
const batch = 32

// verify resolves tags and verifies the digests; what cannot be resolved is
// unknown, or rejected where the registry says that there is no such image.
func (o *options) verify(cmd *cobra.Command, in *input) ([]verify.Result, error) {
	s, refs := o.session, in.refs
	registries, err := s.NewResolver()
	if err != nil {
		return nil, err
	}
	resolver := &sources.Resolver{Resolver: registries}
	v, err := s.NewVerifier(o.layoutName)
	if err != nil {
		return nil, err
	}
	bar, n := s.NewProgress(), 0
	resolved := resolver.ResolveAll(cmd.Context(), refs, func(digest.Result) {
		n++
		bar.Show("resolving", n, len(refs))
	})
	results := make([]verify.Result, len(refs))
	var images []verify.Subject
	var at []int
	for i, r := range resolved {
		switch {
		case r.Err == nil && strings.HasPrefix(r.Ref, "docker-archive:"):
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Unknown, Reason: "an archive has no place for signatures"}
		case r.Err == nil:
			images, at = append(images, verify.Subject{Image: r.Repository + "@" + r.Digest, Service: in.services[i]}), append(at, i)
		case errors.Is(r.Err, digest.ErrUnknown):
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Unknown, Reason: r.Err.Error()}
		default:
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Rejected, Reason: r.Err.Error()}
		}
	}
	for start := 0; start < len(images); start += batch {
		end := min(start+batch, len(images))
		for i, r := range v.VerifySubjects(cmd.Context(), in.policy, images[start:end]...) {
			results[at[start+i]] = r
		}
		bar.Show("verifying", end, len(images))
	}
	bar.Clear()
	return results, nil
}
