package resolvecmd

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// finish writes what was resolved into the lock and the files, or prints it.
// Neither is written unless all references could be resolved.
func (o *options) finish(cmd *cobra.Command, printer printers.ResourcePrinter, lock *lockFile, inputs []cli.Input, results []resolved, unknown error) error {
	errs := []error{unknown}
	for _, r := range results {
		errs = append(errs, r.problem(inputs))
	}
	failed := errors.Join(errs...)
	if failed == nil && lock != nil && !o.locked {
		if err := o.saveLock(cmd, lock); err != nil {
			return err
		}
	}
	switch {
	case !o.pin:
		o.session.Part = cli.PartOf(o.shard, failed)
		return errors.Join(o.print(printer, results), failed)
	case failed != nil:
		return failed
	}
	return o.writePins(cmd, inputs, results)
}

func (o *options) saveLock(cmd *cobra.Command, lock *lockFile) error {
	s := o.session
	changed, err := lock.save(cmd.Context())
	if err == nil && !s.Quiet {
		word := "unchanged"
		if changed {
			word = cli.Plural(len(lock.lock.Refs()), "image") + " locked"
		}
		fmt.Fprintln(s.ErrOut, cli.Clean(lock.path+": "+word))
	}
	return err
}

// writePins writes the digests into the files that the references come from.
func (o *options) writePins(cmd *cobra.Command, inputs []cli.Input, results []resolved) error {
	requests := make([]overlay.Request, len(inputs))
	for _, r := range results {
		if r.file >= 0 && r.pin.Digest != r.Digest {
			requests[r.file].Changes = append(requests[r.file].Changes, overlay.Change{Path: r.pin.Path, Digest: overlay.To(r.Digest)})
		}
	}
	edits := make([]*overlay.Edit, len(inputs))
	var errs []error
	for i, in := range inputs {
		edit, err := in.File.Edit(requests[i])
		errs = append(errs, err)
		edits[i] = edit
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return o.session.FinishEdits(cmd, inputs, edits, o.dryRun)
}

// resolvedRef is the answer for one reference, as an API object.
type resolvedRef struct {
	digest.Resolution
	Error string `json:"error,omitempty"`
}

// digestAlone is the output of nothing but digests, one a line; what has none is told as an
// error and has no line.
const digestAlone = "digest"

func (o *options) print(printer printers.ResourcePrinter, results []resolved) error {
	if o.output.Is(digestAlone) {
		var lines strings.Builder
		for _, r := range results {
			if r.Digest != "" && r.Err == nil {
				lines.WriteString(r.Digest + "\n")
			}
		}
		_, err := io.WriteString(o.session.Out, lines.String())
		return err
	}
	rows := [][]string{{"REFERENCE", "DIGEST"}}
	if o.output.Wide() {
		rows[0] = append(rows[0], "MEDIA TYPE", "TAG'S DIGEST")
	}
	items := []cli.Object{}
	for _, r := range results {
		item := resolvedRef{Resolution: r.Resolution}
		item.Ref = digest.Redact(r.Ref)
		if r.Err != nil {
			item.Error = r.Err.Error()
		}
		items = append(items, cli.Object{Name: item.Ref, Content: item})
		row := []string{item.Ref, cli.Dash(r.Digest)}
		if o.output.Wide() {
			row = append(row, cli.Dash(r.MediaType), cli.Dash(r.TagDigest))
		}
		rows = append(rows, row)
	}
	return o.session.Print(printer, "Resolution", items, rows)
}
