package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"
)

// readme is what the archives say about themselves.
//
//go:embed readme.txt
var readme []byte

// entry is one file of an archive.
type entry struct {
	name string // with slashes
	mode int64
	data []byte
}

// entryTime is the time of every file in an archive: the first one that a zip
// can hold. Nothing is known from the time of a build.
var entryTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// archive is one archive that was made.
type archive struct {
	platform    platform
	file        string // its name, without a folder
	sha256      string
	size        int64
	programSize int64
}

func (r *releaser) archiveName(p platform) string {
	return fmt.Sprintf("%s_%s_%s_%s%s", program, r.version, p.os, p.arch, p.extension())
}

// archives builds the program for the platforms and packs it, with one archive
// for all platforms that it serves.
func (r *releaser) archives(ctx context.Context, dir string) ([]archive, error) {
	if runtime.Version() != r.toolchain {
		return nil, fmt.Errorf("%s packs otherwise than %s\nhint: GOTOOLCHAIN=%s go run ./cmd/release", runtime.Version(), r.toolchain, r.toolchain)
	}
	common, err := commonEntries(ctx)
	if err != nil {
		return nil, err
	}
	var out []archive
	done := make(map[platform]bool)
	for _, p := range r.platforms {
		if p = p.built(); done[p] {
			continue
		}
		done[p] = true
		a, err := r.archive(ctx, dir, p, common)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (r *releaser) archive(ctx context.Context, dir string, p platform, common []entry) (archive, error) {
	name := p.exe(program)
	target := filepath.Join(dir, "bin", p.os+"_"+p.arch, name)
	if err := r.build(ctx, p, "./cmd/"+program, target); err != nil {
		return archive{}, err
	}
	data, err := os.ReadFile(target)
	if err != nil {
		return archive{}, err
	}
	packed, err := pack(p, append([]entry{{name, 0o755, data}}, common...))
	if err != nil {
		return archive{}, err
	}
	a := archive{platform: p, file: r.archiveName(p), sha256: sum(packed), size: int64(len(packed)), programSize: int64(len(data))}
	return a, os.WriteFile(filepath.Join(dir, a.file), packed, 0o644)
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// commonEntries are the files that all archives have: the licence, the manual
// pages and a few words.
func commonEntries(ctx context.Context) ([]entry, error) {
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "man-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "go", "run", "./docs/gen", "-man", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("writing the manual pages: %w\n%s", err, out)
	}
	entries := []entry{{"LICENSE", 0o644, licence}, {"README", 0o644, readme}}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		page, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		entries = append(entries, entry{path.Join("man", "man1", name), 0o644, page})
		return err
	})
	return entries, err
}

// pack makes an archive of the platform's kind. The same files give the same
// bytes, in whatever order they come.
func pack(p platform, entries []entry) ([]byte, error) {
	sorted := append([]entry(nil), entries...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].name < sorted[j].name })
	if p.extension() == ".zip" {
		return packZip(sorted)
	}
	return packTar(sorted)
}

func packTar(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(writeTar(z, entries), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// writeTar writes the files as root's, in the oldest format that does.
func writeTar(w io.Writer, entries []entry) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.data)), ModTime: entryTime, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		if _, err := t.Write(e.data); err != nil {
			return err
		}
	}
	return t.Close()
}

func packZip(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: entryTime}
		header.SetMode(fs.FileMode(e.mode))
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// writeChecksums writes the hashes of files in a folder, as sha256sum does.
func writeChecksums(dir string, names []string) error {
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s  %s\n", sum(data), name)
	}
	return os.WriteFile(filepath.Join(dir, checksumsFile), []byte(b.String()), 0o644)
}

const checksumsFile = "checksums.txt"
