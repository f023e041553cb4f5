package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// manyPaths is from how many files on their objects are written as one pack.
const manyPaths = 50

// packRef is the name that git fast-import wants for the commit that it is given.
// The same stream takes it back before anything is written: no such reference
// ever exists. A further slash would leave an empty directory behind.
const packRef = "refs/kubepromote-pack"

// fewData is up to how many bytes are not compressed: they would take half of the
// time, and a pack has the differences only of files that are alike.
const fewData = 2 << 20

// errNoPack says that the files are better left to git commit.
var errNoPack = errors.New("not packed")

// prewrite writes what a commit of these paths is made of as one pack. Git
// commit would write a file for each blob and each directory, four thousand for
// a thousand services, and that is most of its time; objects that exist already
// it does not write. The commit itself is git commit's, with the user's hooks,
// identity and signature. What goes wrong here costs time and nothing else.
func (r *Repo) prewrite(ctx context.Context, paths []string) {
	filtered := make(chan bool, 1)
	go func() { filtered <- r.filtered(ctx, paths) }()
	stream, err := r.packStream(paths)
	skip := <-filtered
	if err != nil {
		return
	}
	defer drop(stream)
	if !skip {
		r.importPack(ctx, stream)
	}
}

func drop(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// packStream gives what git fast-import is to read, as a file that has no name
// any more: git has all of it then, even if this program is killed.
func (r *Repo) packStream(paths []string) (*os.File, error) {
	f, err := os.CreateTemp(r.gitDir, "kubepromote-pack-")
	if err != nil {
		return nil, err
	}
	// Windows cannot remove an open file: there it is done in the end.
	_ = os.Remove(f.Name())
	w := bufio.NewWriterSize(f, 256<<10)
	err = r.writeStream(w, paths)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		drop(f)
		return nil, err
	}
	return f, nil
}

// writeStream describes a commit that has the paths as they are in the working
// tree.
func (r *Repo) writeStream(w *bufio.Writer, paths []string) error {
	const text = "objects for a promotion that is recorded elsewhere"
	fmt.Fprintf(w, "feature done\ncommit %s\ncommitter kubepromote <> 0 +0000\ndata %d\n%s\nfrom HEAD\n", packRef, len(text), text)
	for _, p := range paths {
		mode, data, err := r.blob(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "M %s inline %s\ndata %d\n", mode, quoteImport(p), len(data))
		w.Write(data)
		w.WriteByte('\n')
	}
	none := strings.Repeat("0", 40)
	if r.sha256 {
		none = strings.Repeat("0", 64)
	}
	// A reference that is set to nothing is taken back.
	_, err := fmt.Fprintf(w, "\nreset %s\nfrom %s\n\ndone\n", packRef, none)
	return err
}

// blob gives a file's mode as git writes it, and the bytes that git would store.
func (r *Repo) blob(name string) (mode string, data []byte, err error) {
	data, perm, ok := r.root.readPlain(name)
	if !ok {
		info, err := r.root.Lstat(name)
		if err != nil {
			return "", nil, err
		}
		if !info.Mode().IsRegular() {
			return "", nil, errNoPack
		}
		if data, err = readRegular(r.root.Root, name); err != nil {
			return "", nil, err
		}
		perm = info.Mode()
	}
	// Git may store such lines otherwise.
	if bytes.Contains(data, []byte("\r\n")) {
		return "", nil, errNoPack
	}
	if perm&0o100 != 0 {
		return "100755", data, nil
	}
	return "100644", data, nil
}

// quoteImport writes a path for git fast-import.
func quoteImport(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(name) + `"`
}

// filtered tells whether git stores the files otherwise than they are. It looks
// at a few of them only, as all have much the same names; being wrong leaves
// objects that nobody needs, which git removes in time.
func (r *Repo) filtered(ctx context.Context, paths []string) bool {
	var some []string
	for i := 0; i < len(paths); i += max(1, len(paths)/4) {
		some = append(some, paths[i])
	}
	out, err := r.run(ctx, call{op: "git check-attr", stdin: strings.NewReader(strings.Join(some, "\x00") + "\x00"),
		args: []string{"check-attr", "--stdin", "-z", "filter", "ident", "working-tree-encoding"}, env: reading()})
	if err != nil {
		return true
	}
	// path, attribute, value, and so on
	fields := strings.Split(string(out), "\x00")
	for i := 2; i < len(fields); i += 3 {
		if fields[i] != "unspecified" && fields[i] != "unset" {
			return true
		}
	}
	return false
}

// importPack has git fast-import read the stream.
func (r *Repo) importPack(ctx context.Context, stream *os.File) {
	// Its default is to unpack small packs; the hooks are for the commit itself.
	args := append(durableObjects(), "-c", "fastimport.unpackLimit=1", "-c", "core.hooksPath="+os.DevNull)
	if info, err := stream.Stat(); err == nil && info.Size() < fewData {
		args = append(args, "-c", "pack.compression=0")
	}
	args = append(args, "fast-import", "--quiet", "--done")
	// Without the padding, the C library gives memory back and takes it again for
	// each object: most of the time would go there.
	env := append(reading(), "MALLOC_TOP_PAD_=67108864")
	p, err := start(ctx, r.top, call{op: "git fast-import", args: args, stdin: stream, env: env})
	if err != nil {
		return
	}
	_, _ = p.out.WriteTo(io.Discard)
	if p.wait() != nil {
		// It leaves a report of what it was doing.
		report := fmt.Sprintf("fast_import_crash_%d", p.cmd.Process.Pid)
		_ = os.Remove(filepath.Join(r.gitDir, report))
	}
}
