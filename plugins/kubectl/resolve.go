package kubectl

import (
	"errors"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/spf13/cobra"
)

const resolveExample = `  # the digest that a tag stands for now
  kubectl promote resolve registry.example.com/shop/cart:v1.2.3

  # the digests of all images of an overlay
  kubectl promote resolve -k apps/cart/overlays/dev`

func newResolveCommand(s *session) *cobra.Command {
	files := &fileOptions{}
	cmd := &cobra.Command{
		Use:     "resolve [REF...]",
		Short:   "Find out which digests tags stand for",
		Long:    "Ask registries which digest each reference stands for now. A reference is\nREPOSITORY:TAG, REPOSITORY@DIGEST or REPOSITORY:TAG@DIGEST.",
		Example: resolveExample,
		GroupID: groupEdit,
		Args:    cobra.ArbitraryArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	files.addFlags(cmd)
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return s.resolve(cmd, files, out, args) }
	return cmd
}

// resolvedRef is the answer for one reference.
type resolvedRef struct {
	digest.Resolution
	Error string `json:"error,omitempty"`
}

func (s *session) resolve(cmd *cobra.Command, files *fileOptions, out *output, refs []string) error {
	printer, err := out.printer()
	if err != nil {
		return err
	}
	if refs, err = s.refs(cmd, files, refs); err != nil {
		return err
	}
	bar, n := s.newProgress(), 0
	results := digest.NewResolver(digest.Options{UserAgent: userAgent()}).ResolveAll(cmd.Context(), refs, func(digest.Result) {
		n++
		bar.show("resolving", n, len(refs))
	})
	bar.clear()
	rows := [][]string{{"REFERENCE", "DIGEST"}}
	if out.wide() {
		rows[0] = append(rows[0], "MEDIA TYPE", "TAG'S DIGEST")
	}
	items, errs := []object{}, []error{}
	for _, r := range results {
		item := resolvedRef{Resolution: r.Resolution}
		if r.Err != nil {
			item.Error = r.Err.Error()
			errs = append(errs, r.Err)
		}
		items = append(items, object{r.Ref, item})
		row := []string{r.Ref, dash(r.Digest)}
		if out.wide() {
			row = append(row, dash(r.MediaType), dash(r.TagDigest))
		}
		rows = append(rows, row)
	}
	if printer != nil {
		err = printList(s.Out, printer, "Resolution", items)
	} else {
		err = table(s.Out, rows)
	}
	return errors.Join(append([]error{err}, errs...)...)
}

// refs gives the references named, and those in the files named.
func (s *session) refs(cmd *cobra.Command, files *fileOptions, refs []string) ([]string, error) {
	if len(refs) == 0 && !files.given() {
		return nil, &usageError{msg: "no reference named", command: cmd.CommandPath()}
	}
	if !files.given() {
		return refs, nil
	}
	inputs, err := files.read(s, s.repo)
	if err != nil {
		return nil, err
	}
	refs = append([]string(nil), refs...)
	for _, in := range inputs {
		for _, i := range in.file.Images() {
			if i.Tag == "" && i.Digest == "" {
				s.warn("%s:%d:%d: image %q has neither tag nor digest here", in.file.Name(), i.Position.Line, i.Position.Col, i.Name)
				continue
			}
			refs = append(refs, i.Ref())
		}
	}
	return refs, nil
}
