package kubectl

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/spf13/cobra"
)

// fileOptions name files to be read or edited: -k and -f.
type fileOptions struct {
	dirs  []string
	files []string
}

func (o *fileOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&o.dirs, "kustomize", "k", nil, "directory of a kustomization; can be repeated")
	cmd.Flags().StringArrayVarP(&o.files, "filename", "f", nil, "kustomization file, - for the standard input; can be repeated")
	must(cmd.MarkFlagDirname("kustomize"))
}

func (o *fileOptions) given() bool { return len(o.dirs)+len(o.files) > 0 }

// stdin is the name of the standard input.
const stdin = "-"

// input is one parsed file.
type input struct {
	path string // as given, or the file found in the directory given
	file *overlay.File
}

// read parses all files; without any, the kustomization of the directory given.
func (o *fileOptions) read(s *session, fallback string) ([]input, error) {
	dirs := o.dirs
	if !o.given() {
		dirs = []string{fallback}
	}
	var paths []string
	var errs []error
	for _, d := range dirs {
		p, err := findKustomization(d)
		errs = append(errs, err)
		paths = append(paths, p)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var inputs []input
	for _, p := range append(paths, o.files...) {
		f, err := parseFile(s, p)
		errs = append(errs, err)
		inputs = append(inputs, input{p, f})
	}
	return inputs, errors.Join(errs...)
}

func parseFile(s *session, path string) (*overlay.File, error) {
	const most = 64<<20 + 1
	if path == stdin {
		data, err := io.ReadAll(io.LimitReader(s.In, most))
		if err != nil {
			return nil, fileError(err)
		}
		return overlay.Parse("<stdin>", data)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(err)
	}
	if info.IsDir() {
		return nil, &promote.Error{Msg: path + " is a directory", Hint: "-k " + path}
	}
	if !info.Mode().IsRegular() {
		return nil, &promote.Error{Msg: path + " is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fileError(err)
	}
	return overlay.Parse(filepath.ToSlash(path), data)
}

// findKustomization gives the kustomization file of a directory, as kustomize
// finds it: exactly one of three names.
func findKustomization(dir string) (string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", fileError(err)
	}
	if !info.IsDir() {
		return "", &promote.Error{Msg: dir + " is not a directory", Hint: "-f " + dir}
	}
	var found []string
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			found = append(found, filepath.Join(dir, name))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fileError(err)
		}
	}
	switch len(found) {
	case 0:
		return "", &promote.Error{Msg: dir + " has no kustomization file", Hint: "-k DIR, or -f FILE"}
	case 1:
		return found[0], nil
	}
	return "", &promote.Error{Msg: dir + " has several kustomization files: " + strings.Join(found, ", "), Hint: "keep one of them"}
}

// writeEdits writes all changed files, or none.
func writeEdits(ctx context.Context, inputs []input, edits []*overlay.Edit) error {
	var abs []string
	for _, in := range inputs {
		a, err := filepath.Abs(in.path)
		if err != nil {
			return fileError(err)
		}
		abs = append(abs, a)
	}
	base := filepath.Dir(abs[0])
	for _, a := range abs[1:] {
		for !strings.HasPrefix(a, strings.TrimSuffix(base, string(filepath.Separator))+string(filepath.Separator)) {
			base = filepath.Dir(base)
		}
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return fileError(err)
	}
	defer root.Close()
	var files []promote.File
	for i, e := range edits {
		if !e.Changed() {
			continue
		}
		rel, err := filepath.Rel(base, abs[i])
		if err != nil {
			return fileError(err)
		}
		files = append(files, promote.File{Path: filepath.ToSlash(rel), Data: e.After.Bytes()})
	}
	if len(files) == 0 {
		return nil
	}
	return git.WriteFiles(ctx, root, files)
}
