package layout

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	maxArchiveEntries = 50_000
	maxArchiveName    = 512
)

// archive is a tar archive whose files have been found, and are read in place.
type archive struct {
	ctx   context.Context
	f     *os.File
	size  int64
	files map[string]archived
}

// archived is a file in an archive, or a symbolic link to one.
type archived struct {
	offset, size int64
	link         string // where it leads, from the top of the archive
}

// openArchive finds the files of an archive in one pass over its headers.
func openArchive(ctx context.Context, file string) (*archive, error) {
	// Opening a pipe would wait for its other end.
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.Text("the archive is not a regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	a := &archive{ctx: ctx, f: f, files: make(map[string]archived)}
	if err := a.scan(); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

func (a *archive) scan() error {
	info, err := a.f.Stat()
	if err != nil {
		return err
	}
	a.size = info.Size()
	if err := a.checkMagic(); err != nil {
		return err
	}
	in := boundReader{a.ctx, a.f}
	tr := tar.NewReader(in)
	for count := 0; ; count++ {
		header, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case a.ctx.Err() != nil:
			return a.ctx.Err()
		case err != nil:
			return fault.Text("the archive is not a tar archive, or is damaged")
		case count == maxArchiveEntries:
			return fault.Text(fmt.Sprintf("the archive has more than %d entries", maxArchiveEntries))
		}
		// The reader takes whole headers only, so this is where the file starts.
		offset, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if err := a.add(header, offset); err != nil {
			return err
		}
	}
}

func (a *archive) checkMagic() error {
	magic := make([]byte, 4)
	n, err := a.f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for kind, start := range map[string]string{"gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd", "xz": "\xfd7zX"} {
		if bytes.HasPrefix(magic[:n], []byte(start)) {
			return fault.WithHint(fault.Text("the archive is compressed with "+kind), kind+" -d "+a.f.Name())
		}
	}
	return nil
}

func (a *archive) add(header *tar.Header, offset int64) error {
	if len(header.Name) > maxArchiveName || len(header.Linkname) > maxArchiveName {
		return fault.Text(fmt.Sprintf("the archive has a name longer than %d bytes", maxArchiveName))
	}
	entry := archived{offset: offset, size: header.Size}
	file := path.Clean(header.Name)
	switch header.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg:
		// A sparse file claims a size that it does not have.
		sparse := false
		for key := range header.PAXRecords {
			sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
		}
		if sparse || header.Size < 0 || header.Size > a.size-offset {
			return fault.Text(fmt.Sprintf("entry %q of the archive is sparse or cut short", file))
		}
	case tar.TypeSymlink:
		entry.link = path.Join(path.Dir(file), header.Linkname)
		if path.IsAbs(header.Linkname) || !isInside(entry.link) {
			return fault.Text(fmt.Sprintf("link %q leads out of the archive", file))
		}
	default:
		return fault.Text(fmt.Sprintf("entry %q of the archive is neither a file nor a directory", file))
	}
	if !isInside(file) {
		return fault.Text(fmt.Sprintf("entry %q is outside the archive", header.Name))
	}
	if _, twice := a.files[file]; twice {
		return fault.Text(fmt.Sprintf("entry %q stands twice in the archive", file))
	}
	a.files[file] = entry
	return nil
}

// isInside tells a clean path that stays below where it starts.
func isInside(p string) bool {
	return !path.IsAbs(p) && p != "." && p != ".." && !strings.HasPrefix(p, "../")
}

// open implements fileStore: a layout has no links.
func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	entry, ok := a.files[name]
	switch {
	case !ok:
		return nil, 0, missing(name)
	case entry.link != "":
		return nil, 0, fault.Text(name + " is not a regular file")
	}
	return boundReader{a.ctx, io.NewSectionReader(a.f, entry.offset, entry.size)}, entry.size, nil
}

// Close implements [io.Closer].
func (a *archive) Close() error { return a.f.Close() }
