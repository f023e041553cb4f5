package kubectl

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
)

const copyLong = `Copy an image to another repository, with the same digest.

SOURCE is a reference with a tag or a digest, or an image on disk:
oci:DIRECTORY[:NAME], oci-archive:FILE[:NAME] or docker-archive:FILE[:REF], whose
path ends at the first colon. DESTINATION is a repository, with a tag if the copy
shall have one. An index is copied with all its platforms: one with fewer has
another digest, and is not what was tested.

With the image go its signatures, attestations and SBOMs, and all that refers to
it. What is there already is not sent again, so a copy that was broken off can be
repeated. The tag comes last.`

const copyExample = `  # into production's registry, with all signatures
  kubectl promote copy dev.example.com/shop/cart:v1.2.3 prod.example.com/shop/cart:v1.2.3

  # from a layout that was carried to where no other registry can be reached
  kubectl promote copy oci-archive:cart.tar:v1.2.3 prod.example.com/shop/cart:v1.2.3

  # what would be sent
  kubectl promote copy dev.example.com/shop/cart@sha256:0123... prod.example.com/shop/cart --dry-run`

func newCopyCommand(s *session) *cobra.Command {
	options := imagecopy.CopyOptions{}
	cmd := &cobra.Command{
		Use:     "copy SOURCE DESTINATION",
		Short:   "Copy an image and all that belongs to it to another repository",
		Long:    copyLong,
		Example: copyExample,
		GroupID: groupEdit,
		Args:    cobra.ExactArgs(2),

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&options.DryRun, "dry-run", false, "say what would be sent and send nothing")
	cmd.Flags().BoolVar(&options.WithoutSignatures, "without-signatures", false, "leave behind signatures, attestations and all else that is attached")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		printer, err := out.printer()
		if err != nil {
			return err
		}
		client, err := s.registries.open()
		if err != nil {
			return err
		}
		bar := s.newProgress()
		copier := imagecopy.New(imagecopy.Options{Client: client, Progress: func(e imagecopy.Event) {
			bar.showBytes("copying", e.Done, e.Total)
		}})
		result, err := copier.Copy(cmd.Context(), args[0], args[1], options)
		bar.clear()
		if err != nil {
			return err
		}
		for _, note := range result.Notes {
			s.warn("%s", note)
		}
		if printer != nil {
			return printObject(s.Out, printer, "Copy", object{args[1], result})
		}
		return s.printCopy(result, options.DryRun)
	}
	return cmd
}

func (s *session) printCopy(r imagecopy.Result, dryRun bool) error {
	sent := "SENT"
	if dryRun {
		sent = "TO SEND"
	}
	row := []string{r.Destination}
	for _, c := range []imagecopy.Count{r.Sent, r.Mounted, r.Present} {
		row = append(row, fmt.Sprintf("%s, %s, %s", plural(c.Blobs, "blob"), plural(c.Manifests, "manifest"), humanize.IBytes(uint64(c.Bytes))))
	}
	return table(s.Out, [][]string{{"COPY", sent, "MOUNTED", "PRESENT", "ATTACHED"}, append(row, fmt.Sprint(len(r.Attached)))})
}
