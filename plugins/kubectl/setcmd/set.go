// Package setcmd implements kubectl promote set: pins and other values in files
// become what the arguments say. Package overlay makes the edits; all files are
// written, or none.
package setcmd

import (
	"errors"
	"maps"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
)

const long = `Set image pins, and other values, in files.

An argument has the form and the meaning that kustomize edit set image gives it:

  NAME=NEW:TAG@DIGEST   NAME=NEW   NAME:TAG   NAME@DIGEST   NAME=

In a kustomization it says what the image's whole entry shall be: a new name, tag
or digest that it does not name is removed, and "*" in the place of one keeps it;
a missing entry is added. In other files NAME is the image's repository, as
kubectl promote images lists it, and all pins of that name are set.

  --image-policy NAMESPACE:NAME=REPOSITORY:TAG[@DIGEST]
      sets what the markers of a Flux image policy stand for
  --value PATH=VALUE
      sets one scalar: dotted keys (\. for a dot in a key), [2], [name=web], [*],
      with doc:1: or KIND/NAME: in front where a file has several documents

Every byte that need not change stays as it is. All arguments and files make one
edit: all files are written, or none. A file that is as asked for already is not
touched.`

const example = `  # set a tag in the kustomization of this directory
  kubectl promote set web:v1.2.3

  # set the digest and keep the new name
  kubectl promote set web=*@sha256:0123... -k apps/web/overlays/staging

  # set a value of a Helm values file, with the keys on the way to it
  kubectl promote set --value web.image.tag=v1.2.3 --create -f values-staging.yaml

  # show what would change in two files
  kubectl promote set web:v1.2.3 -f a/kustomization.yaml -f b/kustomization.yaml --dry-run`

// New makes kubectl promote set.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "set IMAGE...",
		Short:   "Set image pins and other values in files",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,
	}
	cmd.ValidArgsFunction = o.completePins
	o.files.AddFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "print the diff and change nothing")
	f.StringArrayVar(&o.policies, "image-policy", nil, "NAMESPACE:NAME=REPOSITORY:TAG[@DIGEST] of a Flux image policy; can be repeated")
	f.StringArrayVar(&o.values, "value", nil, "PATH=VALUE of a scalar; can be repeated")
	f.BoolVar(&o.create, "create", false, "add the keys of a --value that are missing")
	f.BoolVar(&o.existingOnly, "existing-only", false, "refuse an IMAGE that has no entry and stands in no resource of the kustomization")
	f.BoolVar(&o.follow, "follow-aliases", false, "where a value is an alias, edit the value at its anchor")
	return cmd
}

// options are the flags of set.
type options struct {
	session          *cli.Session
	files            cli.FileOptions
	policies, values []string
	create, follow   bool
	existingOnly     bool
	dryRun           bool
}

// request turns the arguments into an edit; all that are malformed are reported.
func (o *options) request(cmd *cobra.Command, args []string) (overlay.Request, error) {
	r := overlay.Request{FollowAliases: o.follow}
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, &cli.UsageError{Msg: err.Error(), Command: cmd.CommandPath()})
		}
	}
	if len(args)+len(o.policies)+len(o.values) == 0 {
		note(errors.New("nothing to set: no IMAGE, --image-policy or --value"))
	}
	if o.create && len(o.values) == 0 {
		note(errors.New("--create stands without --value"))
	}
	for _, a := range args {
		c, err := overlay.ParseArgument(a)
		note(err)
		r.Changes = append(r.Changes, c)
	}
	for _, a := range o.policies {
		c, err := overlay.ParseImagePolicy(a)
		note(err)
		r.Changes = append(r.Changes, c)
	}
	for _, a := range o.values {
		v, err := overlay.ParseValue(a)
		note(err)
		v.Create = o.create
		r.Values = append(r.Values, v)
	}
	return r, errors.Join(errs...)
}

func (o *options) run(cmd *cobra.Command, args []string) error {
	s := o.session
	request, err := o.request(cmd, args)
	if err != nil {
		return err
	}
	inputs, err := o.files.Read(s, s.Repo)
	if err != nil {
		return err
	}
	var errs []error
	edits := make([]*overlay.Edit, len(inputs))
	for i, in := range inputs {
		var err error
		if edits[i], err = in.File.Edit(request); err != nil {
			errs = append(errs, elsewhere(in.File, request, err))
		} else {
			errs = append(errs, o.strange(in, edits[i], request, args))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var warnings []string
	for _, e := range edits {
		warnings = slices.Concat(warnings, e.Warnings, e.Notes, left(e, request))
	}
	s.WarnAll(warnings)
	return s.FinishEdits(cmd, inputs, edits, o.dryRun)
}

// completePins offers the images in the files named, for `set`: what they shall
// become is typed behind the name.
func (o *options) completePins(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	s := o.session
	s.Quiet = true
	if o.files.ReadsStdin() {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	inputs, err := o.files.Read(s, s.Repo)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	seen := make(map[string]bool)
	for _, in := range inputs {
		for _, pin := range in.File.Pins() {
			if pin.Type == overlay.TypeImage {
				seen[pin.Name] = true
			}
		}
	}
	names, directive := cli.Offer(slices.Sorted(maps.Keys(seen)), args, word)
	return names, directive | cobra.ShellCompDirectiveNoSpace
}
