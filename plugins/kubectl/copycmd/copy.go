// Package copycmd implements kubectl promote copy: an image, and all that refers to
// it, is copied to another repository with its digest. Package digest does it; here
// flags become its options, and what it has sent becomes a table.
package copycmd

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
)

const long = `Copy an image to another repository, with the same digest.

SOURCE is a reference with a tag or a digest, or an image on disk:
oci:DIRECTORY[:NAME], oci-archive:FILE[:NAME] or docker-archive:FILE[:REF], whose
path ends at the first colon. DESTINATION is a repository, with a tag if the copy
shall have one. An index is copied with all its platforms: one with fewer has
another digest, and is not what was tested.

With the image go its signatures, attestations and SBOMs, and all that refers to
it. What is there already is not sent again, so a copy that was broken off can be
repeated. The tag comes last.`

const example = `  # into production's registry, with all signatures
  kubectl promote copy dev.example.com/shop/cart:v1.2.3 prod.example.com/shop/cart:v1.2.3

  # from a layout that was carried to where no other registry can be reached
  kubectl promote copy oci-archive:cart.tar:v1.2.3 prod.example.com/shop/cart:v1.2.3

  # what would be sent
  kubectl promote copy dev.example.com/shop/cart@sha256:0123... prod.example.com/shop/cart --dry-run`

// New makes kubectl promote copy.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "copy SOURCE DESTINATION",
		Short:   "Copy an image and all that belongs to it to another repository",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
		Args:    cobra.ExactArgs(2),

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&o.options.DryRun, "dry-run", false, "say what would be sent and send nothing")
	cmd.Flags().BoolVar(&o.options.WithoutSignatures, "without-signatures", false, "leave behind signatures, attestations and all else that is attached")
	o.output = cli.AddOutput(cmd)
	cmd.RunE = o.run
	return cmd
}

// options are the flags of copy.
type options struct {
	session *cli.Session
	options imagecopy.CopyOptions
	output  *cli.Output
}

func (o *options) run(cmd *cobra.Command, args []string) error {
	s := o.session
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	client, err := s.Registries()
	if err != nil {
		return err
	}
	bar := s.NewProgress()
	copier := imagecopy.New(imagecopy.Options{Client: client, Progress: func(e imagecopy.Event) {
		bar.ShowBytes("copying", e.Done, e.Total)
	}})
	result, err := copier.Copy(cmd.Context(), args[0], args[1], o.options)
	bar.Clear()
	if err != nil {
		return err
	}
	s.WarnAll(result.Notes)
	if printer != nil {
		return cli.PrintObject(s.Out, printer, "Copy", cli.Object{Name: args[1], Content: result})
	}
	return o.print(result)
}

func (o *options) print(r imagecopy.Result) error {
	sent := "SENT"
	if o.options.DryRun {
		sent = "TO SEND"
	}
	row := []string{r.Destination}
	for _, c := range []imagecopy.Count{r.Sent, r.Mounted, r.Present} {
		row = append(row, fmt.Sprintf("%s, %s, %s", cli.Plural(c.Blobs, "blob"), cli.Plural(c.Manifests, "manifest"), humanize.IBytes(uint64(c.Bytes))))
	}
	return cli.Table(o.session.Out, [][]string{{"COPY", sent, "MOUNTED", "PRESENT", "ATTACHED"}, append(row, fmt.Sprint(len(r.Attached)))})
}
