// Package resolvecmd implements kubectl promote resolve: which digest a reference
// stands for, asked of registries or of a lock file, and on demand written into the
// files that the reference comes from. With --newest it chooses the tag too.
package resolvecmd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/layout"
	digestlock "github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/sources"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/shard"
	"github.com/spf13/cobra"
)

const long = `Find out which digest each reference stands for now.

A reference is REPOSITORY:TAG, REPOSITORY@DIGEST or REPOSITORY:TAG@DIGEST, or
oci:DIRECTORY[:NAME], oci-archive:FILE[:NAME] and docker-archive:FILE[:REF] for
images on disk. The images of files are named by -k and -f, and "-" reads
references from the standard input, one a line.

With --lock, what the lock file has is taken from it, and the rest is asked of
registries and added; --update asks for everything again, and without references
for all that the file has; --locked asks for nothing. A file that is an
ImagesLock of kbld, or a new one named *.yaml or *.yml, is read and written as
such. --pin writes the digests into the files named by -k and -f where there is
none; with --update, digests follow their tags. Neither file is written unless
all references could be resolved.

With --newest, the arguments are repositories, and the answer is the newest tag
by a rule, with the reason. Rules: semver:RANGE, numeric:asc or desc,
alphabetical:asc or desc, created; each also behind regexp:PATTERN and a space,
where the pattern's named group is what is compared.`

const example = `  # the digest that a tag stands for now
  kubectl promote resolve registry.example.com/shop/cart:v1.2.3

  # that digest and nothing else, for a script
  kubectl promote resolve registry.example.com/shop/cart:v1.2.3 -o digest

  # pin all images of an overlay
  kubectl promote resolve -k apps/cart/overlays/dev --pin

  # write a lock file, and later use nothing else
  kubectl promote resolve -k apps/cart/overlays/dev --lock images.lock
  kubectl promote resolve -k apps/cart/overlays/dev --lock images.lock --locked

  # the newest version below 2, and why it is that
  kubectl promote resolve --newest 'semver:>=1.0 <2' registry.example.com/shop/cart

  # the newest tag such as main-a1b2c3-1700000000
  kubectl promote resolve --newest 'regexp:^main-[0-9a-f]+-(?P<time>[0-9]+)$ numeric:asc' registry.example.com/shop/cart

  # the digests of the references in a file
  kubectl promote resolve - < references.txt

  # fail where an image is not for both platforms
  kubectl promote resolve --require-platform linux/amd64,linux/arm64 -k apps/cart/overlays/dev`

// New makes kubectl promote resolve.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "resolve [REF...|-]",
		Short:   "Find out which digests tags stand for",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.files.AddFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.lock, "lock", "", "lock file to answer from and to keep up to date")
	f.BoolVar(&o.locked, "locked", false, "use the lock file and ask no registry")
	f.BoolVar(&o.update, "update", false, "ask again for what is locked or pinned")
	f.BoolVar(&o.pin, "pin", false, "write the digests into the files named by -k and -f")
	f.BoolVar(&o.dryRun, "dry-run", false, "with --pin, print the diff and change nothing")
	f.StringVar(&o.platform, "platform", "", "of an index, give the digest for this platform, for example linux/amd64")
	f.StringSliceVar(&o.require, "require-platform", nil, "refuse what is not for all of these platforms")
	f.StringVar(&o.newest, "newest", "", "the arguments are repositories; choose the newest tag by this rule")
	for flag, values := range map[string][]string{"platform": platforms(), "require-platform": platforms(),
		"newest": {"semver:", "numeric:asc", "numeric:desc", "alphabetical:asc", "alphabetical:desc", "created", "regexp:"}} {
		cli.Must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)))
	}
	for _, pair := range [][2]string{
		{"locked", "update"},
		{"platform", "require-platform"},
		{"platform", "lock"},           // which has what tags stand for on all platforms
		{"require-platform", "locked"}, // which platforms an image is for, its registry knows
	} {
		cmd.MarkFlagsMutuallyExclusive(pair[0], pair[1])
	}
	cli.ShardVar(cmd, &o.shard, "references")
	for _, name := range []string{"newest", "lock", "pin"} {
		cmd.MarkFlagsMutuallyExclusive("shard", name) // which are of all
	}
	for _, name := range []string{"kustomize", "filename", "lock", "pin", "platform", "require-platform"} {
		cmd.MarkFlagsMutuallyExclusive("newest", name)
	}
	o.output = cli.AddOutput(cmd, digestAlone)
	return cmd
}

// options are the flags of resolve.
type options struct {
	session             *cli.Session
	files               cli.FileOptions
	lock                string
	locked, update, pin bool
	dryRun              bool
	platform, newest    string
	require             []string
	shard               shard.Shard
	output              *cli.Output
}

// check finds flags that lack what they need; New has made groups of those that
// exclude one another.
func (o *options) check(cmd *cobra.Command) error {
	wrong := func(msg, hint string) error {
		return &cli.UsageError{Msg: msg, Hint: hint, Command: cmd.CommandPath()}
	}
	switch {
	case o.locked && o.lock == "":
		return wrong("--locked stands without --lock", "--lock images.lock --locked")
	case o.update && o.lock == "" && !o.pin:
		return wrong("--update stands without --lock or --pin", "--lock images.lock --update")
	case o.pin && !o.files.Given():
		return wrong("--pin stands without -k or -f", "--pin -k DIR")
	case o.dryRun && !o.pin:
		return wrong("--dry-run stands without --pin", "")
	}
	return nil
}

func (o *options) run(cmd *cobra.Command, args []string) error {
	s := o.session
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	if err := o.check(cmd); err != nil {
		return err
	}
	args, err = s.ExpandStdin(args, &o.files)
	if err != nil {
		return err
	}
	if o.newest != "" {
		return o.runNewest(cmd, printer, args)
	}
	lock, err := o.openLock()
	if err != nil {
		return err
	}
	inputs, refs, err := o.refs(cmd, lock, args)
	if err != nil {
		return err
	}
	refs = slices.DeleteFunc(refs, func(r pinRef) bool { return !o.shard.Takes(r.ref) })
	if len(refs) == 0 && o.shard.Count > 1 {
		return s.EmptyShard(printer, "Resolution", o.shard)
	}
	refs, unknown := separate(inputs, refs)
	unknown = errors.Join(unknown, unread(inputs))
	results, err := o.resolve(cmd, lock, refs)
	if err != nil {
		return err
	}
	return o.finish(cmd, printer, lock, inputs, results, unknown)
}

// separate sets apart the pins of which it is not known what runs, as their repository
// is not, or their tag is another one to who reads the file: no registry is asked for
// those, and why is an error.
func separate(inputs []cli.Input, refs []pinRef) (known []pinRef, unknown error) {
	var errs []error
	for _, r := range refs {
		hidden := r.file >= 0 && r.pin.Known() && r.pin.Misread.Hides(r.pin.Digest)
		switch m := r.pin.Misread; {
		case hidden:
			errs = append(errs, &promote.Error{Msg: fmt.Sprintf("%s:%d:%d: %s, so it cannot be resolved",
				inputs[r.file].File.Name(), m.Position.Line, m.Position.Col, m.Says("it")), Hint: m.Hint()})
			continue
		case r.file < 0 || r.pin.Known():
			known = append(known, r)
			continue
		}
		errs = append(errs, &promote.Error{Msg: fmt.Sprintf("%s:%d:%d: image %q: %s, so it cannot be resolved",
			inputs[r.file].File.Name(), r.pin.Position.Line, r.pin.Position.Col, r.pin.Name, r.pin.Unknown)})
	}
	return known, errors.Join(errs...)
}

// unread is an error for each image that is no reference: which digest it stands for,
// nobody can say.
func unread(inputs []cli.Input) error {
	var errs []error
	for _, in := range inputs {
		for _, u := range in.File.Unread() {
			errs = append(errs, unreadError(fmt.Sprintf("%s:%d:%d: image %q is no image reference, so it cannot be resolved",
				in.File.Name(), u.Position.Line, u.Position.Col, cmp.Or(u.Text, u.Path))))
		}
	}
	return errors.Join(errs...)
}

// unreadError is about an image of which nobody can say what it is.
type unreadError string

// Error is the text.
func (e unreadError) Error() string { return string(e) }

// ExitStatus is that of an answer that is neither yes nor no.
func (unreadError) ExitStatus() int { return cli.ExitUnknown }

// openLock opens the file of --lock; nil where none is named.
func (o *options) openLock() (*lockFile, error) {
	if o.lock == "" {
		return nil, nil
	}
	lock, err := openLock(o.lock, !o.locked)
	if err != nil {
		return nil, err
	}
	for _, image := range lock.unnamed {
		o.session.Warn("%s: %s does not say what it was resolved from, and is not used", o.lock, image)
	}
	return lock, nil
}

// pinRef is a reference and, where it is a file's, the pin that it comes from.
type pinRef struct {
	ref  string
	file int // index among the inputs; -1 for a reference that was typed
	pin  overlay.Pin
}

// refs gives the references named, those in the files named, and, where there
// are neither, those of the lock.
func (o *options) refs(cmd *cobra.Command, lock *lockFile, args []string) ([]cli.Input, []pinRef, error) {
	var refs []pinRef
	for _, a := range args {
		refs = append(refs, pinRef{ref: a, file: -1})
	}
	if !o.files.Given() {
		if len(refs) == 0 && lock != nil && (o.update || o.locked) {
			for _, r := range lock.lock.Refs() {
				refs = append(refs, pinRef{ref: r, file: -1})
			}
		} else if len(refs) == 0 {
			hint := ""
			if lock != nil {
				hint = "kubectl promote resolve --lock " + shell.Path(lock.path) + " --update"
			}
			return nil, nil, &cli.UsageError{Msg: "no reference named", Hint: hint, Command: cmd.CommandPath()}
		}
		return nil, refs, nil
	}
	s := o.session
	inputs, err := o.files.ReadImages(s)
	if err != nil {
		return nil, nil, err
	}
	for n, in := range inputs {
		for _, i := range in.File.Images() {
			if i.Tag == "" && i.Digest == "" {
				s.Warn("%s:%d:%d: image %q has neither tag nor digest here", in.File.Name(), i.Position.Line, i.Position.Col, i.Name)
				continue
			}
			ref := i.Ref()
			if o.pin && o.update && i.Tag != "" {
				ref = i.Repository() + ":" + i.Tag // its digest is what is asked for anew
			}
			refs = append(refs, pinRef{ref, n, i})
		}
	}
	return inputs, refs, nil
}

// resolved is the answer for one reference.
type resolved struct {
	pinRef
	digest.Result
}

// problem is why there is no answer, with the place of the reference where it
// comes from a file.
func (r *resolved) problem(inputs []cli.Input) error {
	if r.Err == nil || r.file < 0 {
		return r.Err
	}
	at := fmt.Sprintf("%s:%d:%d", inputs[r.file].File.Name(), r.pin.Position.Line, r.pin.Position.Col)
	return &promote.Error{Msg: at, Err: r.Err}
}

// resolver gives what answers: registries, the lock, or the one behind the other.
func (o *options) resolver(cmd *cobra.Command, lock *lockFile) (digestlock.BatchResolver, error) {
	var next digestlock.BatchResolver
	if !o.locked {
		r, err := o.session.NewResolver()
		if err != nil {
			return nil, err
		}
		next = &sources.Resolver{Resolver: r}
		if lock != nil {
			next = &digestlock.LockedResolver{Lock: lock.lock, Next: next, Update: o.update}
		}
		if o.platform != "" || len(o.require) > 0 {
			p := &platformResolver{Resolver: r, next: next}
			if err := p.parse(o.platform, o.require); err != nil {
				return nil, &cli.UsageError{Msg: err.Error(), Command: cmd.CommandPath()}
			}
			next = p
		}
		return next, nil
	}
	return &digestlock.LockedResolver{Lock: lock.lock}, nil
}

// resolve asks the lock and registries for all references.
func (o *options) resolve(cmd *cobra.Command, lock *lockFile, refs []pinRef) ([]resolved, error) {
	texts := make([]string, len(refs))
	for i, r := range refs {
		texts[i] = r.ref
		if layout.IsRef(r.ref) && (lock != nil || o.platform != "" || len(o.require) > 0) {
			return nil, &cli.UsageError{Msg: r.ref + " is an image on disk: --lock, --platform and --require-platform are for images in registries", Command: cmd.CommandPath()}
		}
	}
	resolver, err := o.resolver(cmd, lock)
	if err != nil {
		return nil, err
	}
	bar, n := o.session.NewProgress(), 0
	results := resolver.ResolveAll(cmd.Context(), texts, func(digest.Result) {
		n++
		bar.Show("resolving", n, len(texts))
	})
	bar.Clear()
	out := make([]resolved, len(refs))
	for i, r := range results {
		out[i] = resolved{pinRef: refs[i], Result: r}
	}
	return out, nil
}
