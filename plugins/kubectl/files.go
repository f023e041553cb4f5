package kubectl

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
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

func readTwice() error {
	return &usageError{msg: "the standard input is named twice", hint: "- once, among the arguments or behind -f"}
}

// input is one parsed file.
type input struct {
	path string // as given, or the file found in the directory given
	real string // the same file, absolute and through no linked directory
	file *overlay.File
}

// read parses all files; without any, the kustomization of the directory given.
func (o *fileOptions) read(s *session, fallback string) ([]input, error) {
	if n := slices.Index(o.files, stdin); n >= 0 && slices.Contains(o.files[n+1:], stdin) {
		return nil, readTwice()
	}
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
		in, err := parseFile(s, p)
		errs = append(errs, err)
		inputs = append(inputs, in)
		if err == nil {
			for _, w := range in.file.Warnings() {
				s.warn("%s", w)
			}
		}
	}
	return inputs, errors.Join(errs...)
}

// readImages is read for commands to which a file without an image is odd.
func (o *fileOptions) readImages(s *session) ([]input, error) {
	inputs, err := o.read(s, s.repo)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		switch {
		case len(in.file.Pins()) > 0:
		case in.path == stdin:
			// There is no file name to know a kustomization by, and its kind is optional.
			s.warn("%s: no image in it; a kustomization must have kind: Kustomization here", in.file.Name())
		default:
			s.warn("%s: no image in it", in.file.Name())
		}
	}
	return inputs, nil
}

// maxFile is just more than what the overlay package takes.
const maxFile = 64<<20 + 1

func parseFile(s *session, path string) (input, error) {
	if path == stdin {
		data, err := io.ReadAll(io.LimitReader(s.stdin, maxFile))
		if err != nil {
			return input{}, &promote.Error{Msg: "reading the standard input", Err: err}
		}
		file, err := overlay.Parse("<stdin>", data)
		return input{path: path, file: file}, err
	}
	// Reading follows "link/.." where the link leads; what is written must be the
	// same file, so its place is found out once, for both.
	real, err := realPath(path)
	if err != nil {
		return input{}, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return input{}, renamed(err, path)
	}
	if info.IsDir() {
		return input{}, &promote.Error{Msg: path + " is a directory", Hint: "-k " + path}
	}
	if !info.Mode().IsRegular() {
		return input{}, &promote.Error{Msg: path + " is not a regular file"}
	}
	f, err := os.Open(real)
	if err != nil {
		return input{}, renamed(err, path)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return input{}, renamed(err, path)
	}
	file, err := overlay.Parse(filepath.ToSlash(path), data)
	return input{path, real, file}, err
}

// realPath makes a path absolute and resolves the links that lead to its
// directory; the file itself may be a link, which is not written through.
func realPath(path string) (string, error) {
	if path == "" {
		return "", &usageError{msg: "a file with an empty name", hint: unset}
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", renamed(err, path)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", renamed(err, path)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// renamed gives an error of the file system the name that the user has typed.
func renamed(err error, path string) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return &promote.Error{Msg: path, Err: p.Err}
	}
	return err
}

// findKustomization gives the kustomization file of a directory, as kustomize
// finds it: exactly one of three names.
func findKustomization(dir string) (string, error) {
	if dir == "" {
		return "", &usageError{msg: "a directory with an empty name", hint: unset}
	}
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
			found = append(found, joinAsGiven(dir, name))
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

// joinAsGiven adds a name to a directory and leaves "link/.." as it is: only the
// file system knows where that leads.
func joinAsGiven(dir, name string) string {
	if filepath.Clean(dir) == "." {
		return name
	}
	return strings.TrimRight(dir, string(filepath.Separator)) + string(filepath.Separator) + name
}

// writeEdits writes all changed files, or none.
func writeEdits(ctx context.Context, inputs []input, edits []*overlay.Edit) error {
	base := filepath.Dir(inputs[0].real)
	for _, in := range inputs[1:] {
		for !strings.HasPrefix(in.real, strings.TrimSuffix(base, string(filepath.Separator))+string(filepath.Separator)) {
			base = filepath.Dir(base)
		}
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return fileError(err)
	}
	defer root.Close()
	var list []files.File
	for i, e := range edits {
		if !e.Changed() {
			continue
		}
		rel, err := filepath.Rel(base, inputs[i].real)
		if err != nil {
			return fileError(err)
		}
		list = append(list, files.File{Path: filepath.ToSlash(rel), Data: e.After.Bytes(), Old: e.Before.Bytes()})
	}
	if len(list) == 0 {
		return nil
	}
	return files.Write(ctx, root, list)
}
