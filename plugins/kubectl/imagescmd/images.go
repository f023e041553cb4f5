// Package imagescmd implements kubectl promote images: the pins in files of any
// format that package overlay reads, each with its place. Nothing is written, and no
// registry is asked.
package imagescmd

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/unlisted"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
)

const long = `List the images in files, with the place of each: kustomizations, plain manifests,
Helm values and charts, Argo CD's and Flux's objects. Versions of charts and
revisions of repositories are listed as well; the kind tells.`

const example = `  # the images of this directory's kustomization
  kubectl promote images

  # the digests in two environments, as JSON
  kubectl promote images -k apps/web/overlays/staging -k apps/web/overlays/production -o json`

// New makes kubectl promote images.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "images",
		Short:   "List the images in files",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
	}
	o.files.AddFlags(cmd)
	o.output = cli.AddListOutput(cmd)
	cmd.RunE = func(*cobra.Command, []string) error { return o.run() }
	return cmd
}

// options are the flags of images.
type options struct {
	session *cli.Session
	files   cli.FileOptions
	output  *cli.Output
}

// listedImage is an image entry and the file that it stands in.
type listedImage struct {
	File string `json:"file"`
	overlay.Pin
}

func (o *options) run() error {
	s, out := o.session, o.output
	printer, err := out.Printer()
	if err != nil {
		return err
	}
	inputs, err := o.files.ReadImages(s)
	if err != nil {
		return err
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
	object := func(i listedImage) cli.Object { return cli.Object{Name: i.Name, Content: i} }
	if err := cli.SortBy(out, all, object); err != nil {
		return err
	}
	items := []cli.Object{}
	for _, i := range all {
		items = append(items, object(i))
	}
	return s.Print(printer, "Image", items, rowsOf(all, out.Wide()))
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
