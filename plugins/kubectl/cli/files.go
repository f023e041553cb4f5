package cli

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
)

// FileOptions name files to be read or edited: -k and -f.
type FileOptions struct {
	dirs  []string
	files []string
}

// AddFlags gives a command the flags -k and -f.
func (o *FileOptions) AddFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&o.dirs, "kustomize", "k", nil, "directory of a kustomization; can be repeated")
	cmd.Flags().StringArrayVarP(&o.files, "filename", "f", nil, "kustomization file, - for the standard input; can be repeated")
	Must(cmd.MarkFlagDirname("kustomize"))
}

// ReadsStdin tells whether the standard input is one of the files.
func (o *FileOptions) ReadsStdin() bool { return slices.Contains(o.files, Stdin) }

// Given tells whether any file or directory is named.
func (o *FileOptions) Given() bool { return len(o.dirs)+len(o.files) > 0 }

// Stdin is the name of the standard input.
const Stdin = "-"

func readTwice() error {
	return &UsageError{Msg: "the standard input is named twice", Hint: "- once, among the arguments or behind -f"}
}

// Input is one parsed file.
type Input struct {
	path string // as given, or the file found in the directory given
	real string // the same file, absolute and through no linked directory
	File *overlay.File
}

// Path is where the file is, absolute and through no linked directory; "" for the
// standard input.
func (i Input) Path() string { return i.real }

// Read parses all files; without any, the kustomization of the directory given.
func (o *FileOptions) Read(s *Session, fallback string) ([]Input, error) {
	if n := slices.Index(o.files, Stdin); n >= 0 && slices.Contains(o.files[n+1:], Stdin) {
		return nil, readTwice()
	}
	dirs := o.dirs
	if !o.Given() {
		dirs = []string{fallback}
	}
	var paths []string
	var errs []error
	for _, d := range dirs {
		p, err := FindKustomization(d)
		errs = append(errs, err)
		paths = append(paths, p)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var inputs []Input
	var warnings []string
	for _, p := range append(paths, o.files...) {
		in, err := parseFile(s, p)
		errs = append(errs, err)
		inputs = append(inputs, in)
		if err == nil {
			warnings = append(warnings, in.File.Warnings()...)
		}
	}
	s.WarnAll(warnings)
	return inputs, errors.Join(errs...)
}

// ReadImages is Read, from the directory of the session, for commands to which a file without an image is odd.
func (o *FileOptions) ReadImages(s *Session) ([]Input, error) {
	inputs, err := o.Read(s, s.Repo)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		for _, w := range in.File.Misreadings() {
			s.Warn("%s", w)
		}
		switch {
		case len(in.File.Pins())+len(in.File.Unread()) > 0:
		case in.path == Stdin:
			// There is no file name to know a kustomization by, and its kind is optional.
			s.Warn("%s: no image in it; a kustomization must have kind: Kustomization here", in.File.Name())
		default:
			s.Warn("%s: no image in it", in.File.Name())
		}
	}
	return inputs, nil
}

// WarnUnread tells of images that are no references.
func (s *Session) WarnUnread(inputs []Input) {
	for _, in := range inputs {
		for _, u := range in.File.Unread() {
			s.Warn("%s:%d:%d: image %q is no image reference and is left out", in.File.Name(), u.Position.Line, u.Position.Col, cmp.Or(u.Text, u.Path))
		}
	}
}

// MaxFile is just more than what the overlay package takes.
const MaxFile = 64<<20 + 1

func parseFile(s *Session, path string) (Input, error) {
	if path == Stdin {
		data, err := io.ReadAll(io.LimitReader(s.Stdin, MaxFile))
		if err != nil {
			return Input{}, &promote.Error{Msg: "reading the standard input", Err: err}
		}
		file, err := overlay.Parse("<stdin>", data)
		return Input{path: path, File: file}, err
	}
	// Reading follows "link/.." where the link leads; what is written must be the
	// same file, so its place is found out once, for both.
	real, err := realPath(path)
	if err != nil {
		return Input{}, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return Input{}, renamed(err, path)
	}
	if info.IsDir() {
		return Input{}, &promote.Error{Msg: path + " is a directory", Hint: "-k " + shell.Path(path)}
	}
	if !info.Mode().IsRegular() {
		return Input{}, &promote.Error{Msg: path + " is not a regular file"}
	}
	data, err := ReadUpTo(real, MaxFile)
	if err != nil {
		return Input{}, renamed(err, path)
	}
	file, err := overlay.Parse(filepath.ToSlash(path), data)
	if err == nil && unknownIn(file) > 0 {
		file = over(file, real, data)
	}
	return Input{path, real, file}, err
}

// unknownIn counts the images of which it is not known where they are.
func unknownIn(f *overlay.File) (n int) {
	for _, p := range f.Images() {
		if !p.Known() {
			n++
		}
	}
	return n
}

// over reads values over those that they are laid over, where these say which images they
// are of: values.yaml beside them, or in the folder of the chart that they lie in.
func over(f *overlay.File, real string, data []byte) *overlay.File {
	dir := filepath.Dir(real)
	for up := range 3 {
		base := filepath.Join(dir, "values.yaml")
		_, err := os.Stat(filepath.Join(dir, "Chart.yaml"))
		if dir = filepath.Dir(dir); up > 0 && err != nil || base == real {
			continue
		}
		info, err := os.Stat(base)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := ReadUpTo(base, MaxFile)
		if err != nil {
			continue
		}
		under, err := overlay.Parse(base, text)
		if err != nil {
			continue
		}
		if o, err := (overlay.Options{Base: under}).Parse(f.Name(), data); err == nil && unknownIn(o) < unknownIn(f) {
			return o
		}
	}
	return f
}

// realPath makes a path absolute and resolves the links that lead to its
// directory; the file itself may be a link, which is not written through.
func realPath(path string) (string, error) {
	if path == "" {
		return "", &UsageError{Msg: "a file with an empty name", Hint: UnsetHint}
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
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return &promote.Error{Msg: path, Err: p.Err}
	}
	return err
}

// FindKustomization gives the kustomization file of a directory, as kustomize
// finds it: exactly one of three names.
func FindKustomization(dir string) (string, error) {
	if dir == "" {
		return "", &UsageError{Msg: "a directory with an empty name", Hint: UnsetHint}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", FileError(err)
	}
	if !info.IsDir() {
		return "", &promote.Error{Msg: dir + " is not a directory", Hint: "-f " + shell.Path(dir)}
	}
	var found []string
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			found = append(found, joinAsGiven(dir, name))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", FileError(err)
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

// ReadBounded reads a small file that the user has named. It does not wait for the
// other end of a pipe.
func ReadBounded(file string) ([]byte, error) {
	const most = 1 << 20
	info, err := os.Stat(file)
	if err != nil {
		return nil, FileError(err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &promote.Error{Msg: file + " is not a regular file"}
	}
	data, err := ReadUpTo(file, most+1)
	switch {
	case err != nil:
		return nil, FileError(err)
	case len(data) > most:
		return nil, &promote.Error{Msg: file + " is larger than 1 MiB"}
	}
	return data, nil
}

// ReadUpTo reads a file, but no more than so many bytes of it.
func ReadUpTo(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// FileError says what is wrong with a file the way the other messages do.
func FileError(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return &promote.Error{Msg: p.Path, Err: p.Err}
	}
	return err
}
