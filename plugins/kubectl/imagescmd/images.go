// Package imagescmd implements kubectl promote images: the pins in files of any
// format that package overlay reads, or of services in an environment, each with its place. Nothing is written, and no
// registry is asked.
package imagescmd

import (
	"cmp"
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/unlisted"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

const long = `List the images in files, with the place of each: kustomizations, plain manifests,
Helm values and charts, Argo CD's and Flux's objects. Versions of charts and
revisions of repositories are listed as well; the kind tells.

Files are named by directory or by name (-k, -f), or by services of an environment (--env):
then those pins of their files are listed that are the services' own, wherever the pipeline
has them. Without a service all services of the environment are meant.`

const example = `  # the images of this directory's kustomization
  kubectl promote images

  # the digests in two environments, as JSON
  kubectl promote images -k apps/web/overlays/staging -k apps/web/overlays/production -o json

  # where the pins of a service stand in production
  kubectl promote images web --env production`

// New makes kubectl promote images.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "images [SERVICE... --env ENVIRONMENT]",
		Short:   "List the images in files",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
		Args:    cobra.ArbitraryArgs,

		ValidArgsFunction: s.CompleteServices,
	}
	o.files.AddFlags(cmd)
	s.EnvironmentVar(cmd, &o.env, "env", "environment whose services' images are listed")
	for _, files := range []string{"kustomize", "filename"} {
		cmd.MarkFlagsMutuallyExclusive("env", files)
	}
	o.output = cli.AddListOutput(cmd)
	cmd.RunE = o.run
	return cmd
}

// options are the flags of images.
type options struct {
	session *cli.Session
	files   cli.FileOptions
	env     string
	output  *cli.Output
}

// listedImage is an image entry and the file that it stands in.
type listedImage struct {
	File string `json:"file"`
	overlay.Pin
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	switch {
	case o.env != "":
		all, failed := o.ofServices(cmd.Context(), services)
		if all == nil && failed != nil {
			return failed
		}
		return cmp.Or(o.print(printer, all), failed)
	case len(services) > 0:
		return &cli.UsageError{Msg: "services are named, and no environment", Hint: o.session.Retyped(cmd, "env", "ENVIRONMENT"), Command: cmd.CommandPath()}
	}
	all, err := o.inFiles()
	if err != nil {
		return err
	}
	return o.print(printer, all)
}

// inFiles lists the images of the files that are named.
func (o *options) inFiles() ([]listedImage, error) {
	s := o.session
	inputs, err := o.files.ReadImages(s)
	if err != nil {
		return nil, err
	}
	s.WarnUnread(inputs)
	var all []listedImage
	for _, in := range inputs {
		for _, u := range unlisted.In(in.File) {
			s.Warn("%s:%d:%d: %s may be an image, %s, and kind %q is not known here; name it in spec.images of the pipeline, or in --value",
				in.File.Name(), u.Position.Line, u.Position.Col, u.Path, u.Ref, u.Kind)
		}
		for _, i := range in.File.Pins() {
			all = append(all, listedImage{in.File.Name(), i})
		}
	}
	return all, nil
}

func (o *options) print(printer printers.ResourcePrinter, all []listedImage) error {
	object := func(i listedImage) cli.Object { return cli.Object{Name: i.Name, Content: i} }
	if err := cli.SortBy(o.output, all, object); err != nil {
		return err
	}
	items := []cli.Object{}
	for _, i := range all {
		items = append(items, object(i))
	}
	return o.session.Print(printer, "Image", items, rowsOf(all, o.output.Wide()))
}

func rowsOf(all []listedImage, wide bool) [][]string {
	rows := [][]string{{"PLACE", "KIND", "NAME", "NEW NAME", "TAG", "DIGEST"}}
	if wide {
		rows[0] = append(rows[0], "FORMAT", "PATH", "POLICY", "TAG SUFFIX")
	}
	for _, i := range all {
		digest := cli.ShortDigest(i.Digest)
		if wide {
			digest = cli.Dash(i.Digest)
		}
		row := []string{fmt.Sprintf("%s:%d:%d", i.File, i.Position.Line, i.Position.Col), string(i.Type), nameOf(i.Pin), cli.Dash(i.NewName), cli.Dash(i.Tag), digest}
		if wide {
			row = append(row, string(i.Format), i.Path, cli.Dash(i.Policy), cli.Dash(i.TagSuffix))
		}
		rows = append(rows, row)
	}
	return rows
}

// nameOf is a pin's name, and that its repository is unknown where it is: then the
// name is where the pin stands, and no name of an image.
func nameOf(p overlay.Pin) string {
	if p.Known() {
		return p.Name
	}
	return p.Name + " (repository unknown)"
}
