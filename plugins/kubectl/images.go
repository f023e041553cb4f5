package kubectl

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/spf13/cobra"
)

const imagesLong = `List the images in files, with the place of each: kustomizations, plain manifests,
Helm values and charts, Argo CD's and Flux's objects. Versions of charts and
revisions of repositories are listed as well; the kind tells.`

const imagesExample = `  # the images of this directory's kustomization
  kubectl promote images

  # the digests in two environments, as JSON
  kubectl promote images -k apps/web/overlays/staging -k apps/web/overlays/production -o json`

func newImagesCommand(s *session) *cobra.Command {
	o := &imagesOptions{session: s}
	cmd := &cobra.Command{
		Use:     "images",
		Short:   "List the images in files",
		Long:    imagesLong,
		Example: imagesExample,
		GroupID: groupEdit,
	}
	o.files.addFlags(cmd)
	o.output = addOutput(cmd)
	cmd.RunE = func(*cobra.Command, []string) error { return o.run() }
	return cmd
}

// imagesOptions are the flags of images.
type imagesOptions struct {
	session *session
	files   fileOptions
	output  *output
}

// listedImage is an image entry and the file that it stands in.
type listedImage struct {
	File string `json:"file"`
	overlay.Pin
}

func (o *imagesOptions) run() error {
	s, out := o.session, o.output
	printer, err := out.printer()
	if err != nil {
		return err
	}
	inputs, err := o.files.readImages(s)
	if err != nil {
		return err
	}
	rows := [][]string{{"PLACE", "KIND", "NAME", "NEW NAME", "TAG", "DIGEST"}}
	if out.wide() {
		rows[0] = append(rows[0], "FORMAT", "PATH", "POLICY", "TAG SUFFIX")
	}
	items := []object{}
	for _, in := range inputs {
		for _, i := range in.file.Pins() {
			items = append(items, object{name: i.Name, content: listedImage{in.file.Name(), i}})
			digest := shortDigest(i.Digest)
			if out.wide() {
				digest = dash(i.Digest)
			}
			row := []string{fmt.Sprintf("%s:%d:%d", in.file.Name(), i.Position.Line, i.Position.Col), string(i.Type), i.Name, dash(i.NewName), dash(i.Tag), digest}
			if out.wide() {
				row = append(row, string(i.Format), i.Path, dash(i.Policy), dash(i.TagSuffix))
			}
			rows = append(rows, row)
		}
	}
	if printer != nil {
		return printList(s.Out, printer, "Image", items)
	}
	return table(s.Out, rows)
}
