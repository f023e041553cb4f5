package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var testEntries = []entry{
	{"kubectl-promote", 0o755, bytes.Repeat([]byte("program "), 100_000)},
	{"LICENSE", 0o644, []byte("licence\n")},
	{"man/man1/kubectl-promote.1", 0o644, nil},
}

// What is packed comes out again, sorted, as nobody's, and of no time.
func TestPackTar(t *testing.T) {
	packed, err := pack(platform{"linux", "amd64"}, testEntries)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || !z.ModTime.IsZero() {
		t.Errorf("gzip's header has the name %q and the time %v", z.Name, z.ModTime)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		want := testEntries[slices.IndexFunc(testEntries, func(e entry) bool { return e.name == h.Name })]
		if !bytes.Equal(data, want.data) || h.Mode != want.mode || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || !h.ModTime.Equal(entryTime) {
			t.Errorf("%+v, %d bytes", h, len(data))
		}
	}
	if want := []string{"LICENSE", "kubectl-promote", "man/man1/kubectl-promote.1"}; !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
}

func TestPackZip(t *testing.T) {
	packed, err := pack(platform{"windows", "amd64"}, testEntries)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(testEntries) {
		t.Errorf("%d files", len(z.File))
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		want := testEntries[slices.IndexFunc(testEntries, func(e entry) bool { return e.name == f.Name })]
		if err != nil || !bytes.Equal(data, want.data) || int64(f.Mode()) != want.mode || !f.Modified.Equal(entryTime) {
			t.Errorf("%s: %v, mode %v, time %v", f.Name, err, f.Mode(), f.Modified)
		}
	}
}

// The order in which files are found does not matter.
func TestPackIsReproducible(t *testing.T) {
	reversed := slices.Clone(testEntries)
	slices.Reverse(reversed)
	for _, p := range []platform{{"linux", "amd64"}, {"windows", "amd64"}} {
		a, err := pack(p, testEntries)
		if err != nil {
			t.Fatal(err)
		}
		b, err := pack(p, reversed)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two archives of the same files differ: %v", p, err)
		}
	}
}

func TestWriteChecksums(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b", "a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeChecksums(dir, []string{"b", "a"}); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join(dir, checksumsFile))
	want := "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a\n3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d  b\n"
	if err != nil || string(have) != want {
		t.Errorf("%v\n%s", err, have)
	}
	if err := writeChecksums(dir, []string{"missing"}); err == nil {
		t.Error("a missing file has a checksum")
	}
}
