package lint

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/versions"
)

const fixHint = "kubectl promote lint --fix"

// checkVersionsFiles holds the files of versions against the overlays.
func checkVersionsFiles(w *work) {
	names := w.Pipeline.Spec.Record.Versions
	if len(names) == 0 {
		return
	}
	entries, err := versions.All(w.ctx, w.Pipeline, w.Tree)
	if err != nil {
		return // which reading has told
	}
	for _, name := range names {
		data, err := w.Tree.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			w.inPipeline("spec.record.versions", fixHint, "the file of versions %s is not there", name)
			continue
		}
		var f *versions.File
		if err == nil {
			f, err = versions.Parse(name, data)
		}
		var fault *overlay.Error
		switch {
		case errors.As(err, &fault):
			w.at(name, overlay.Position{Line: fault.Line, Col: fault.Col}, fault.Hint, "%s", fault.Msg)
		case err != nil:
			w.at(name, overlay.Position{}, "", "%v", err)
		default:
			for _, d := range versions.Compare(f, entries) {
				w.at(name, overlay.Position{Line: d.Line, Col: 1}, fixHint, "%s in %s is %s here, and %s in the overlays", d.Service, d.Environment, d.File, d.Overlays)
			}
		}
	}
}

// Fix is a file that is to be written: Before, nil where there is none, becomes Data.
type Fix struct {
	File         string
	Before, Data []byte
}

// Fixes gives the files that a rule can write anew: those of versions that differ from
// what the overlays have. What is not such a file is not written over.
func Fixes(ctx context.Context, in Input) ([]Fix, error) {
	if slices.Contains(in.Skip, RuleVersions) || len(in.Pipeline.Spec.Record.Versions) == 0 {
		return nil, nil
	}
	entries, err := versions.All(ctx, in.Pipeline, in.Tree)
	if err != nil {
		return nil, err
	}
	var out []Fix
	var errs []error
	for _, name := range in.Pipeline.Spec.Record.Versions {
		before, err := in.Tree.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			before, err = nil, nil
		}
		var data []byte
		if err == nil {
			data, err = versions.Anew(name, before, entries)
		}
		if errs = append(errs, err); err == nil && (before == nil || !bytes.Equal(before, data)) {
			out = append(out, Fix{name, before, data})
		}
	}
	return out, errors.Join(errs...)
}
