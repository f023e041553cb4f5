package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/files"
)

// object is what git cat-file answers. Kind is empty where there is none.
type object struct {
	id, kind string
	data     []byte
}

// Committed gives the bytes that the head has at each path, as they are stored:
// without the line endings that a checkout may give them. A path where the head
// has no file is left out.
func (r *Repo) Committed(ctx context.Context, paths []string) (map[string][]byte, error) {
	if err := checkPaths(paths); err != nil {
		return nil, err
	}
	names, paths, err := r.headNames(ctx, paths)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]byte, len(paths))
	err = r.objects(ctx, names, func(i int, o object) error {
		if o.kind == "blob" {
			found[paths[i]] = o.data
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// headNames gives what to ask for to get the head's files at the paths, and the
// paths that go with it. Git finds each path anew from the top, and that takes
// long in large directories; from some number on, one list of everything is
// cheaper.
func (r *Repo) headNames(ctx context.Context, paths []string) (names, have []string, err error) {
	if len(paths) <= fewPaths {
		for _, p := range paths {
			names = append(names, "HEAD:"+p)
		}
		return names, paths, nil
	}
	out, err := r.run(ctx, call{op: "git ls-tree", args: []string{"ls-tree", "-r", "-z", "--full-tree", "HEAD"}, reads: true, env: []string{asStored}})
	if err != nil && r.unborn(ctx) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	wanted := make(map[string]bool, len(paths))
	for _, p := range paths {
		wanted[p] = true
	}
	for entry := range bytes.SplitSeq(out, []byte{0}) {
		// mode kind id, a tab, the path
		meta, name, _ := bytes.Cut(entry, []byte{'\t'})
		fields := strings.Fields(string(meta))
		if wanted[string(name)] && len(fields) == 3 && fields[1] == "blob" {
			names = append(names, fields[2])
			have = append(have, string(name))
		}
	}
	return names, have, nil
}

// Blobs reads blobs by their object names, in the order given. One that is
// missing, that is no blob or that is larger than 64 MiB is an error; an error
// of visit ends the reading and is returned as it is.
func (r *Repo) Blobs(ctx context.Context, ids []string, visit func(id string, data []byte) error) error {
	for _, id := range ids {
		if !isHash(id) {
			return &Error{Msg: "not an object name: " + clean(id)}
		}
	}
	return r.objects(ctx, ids, func(i int, o object) error {
		if o.kind != "blob" {
			msg := "is missing from the repository"
			if o.kind != "" {
				msg = "is a " + o.kind + ", not a blob"
			}
			return &Error{Msg: "object " + ids[i] + " " + msg}
		}
		return visit(ids[i], o.data)
	})
}

// objects reads the named objects with one process. The requests are written
// while the answers are read, by the copying that os/exec does for stdin, so
// that neither side waits for the other for ever.
func (r *Repo) objects(ctx context.Context, names []string, visit func(int, object) error) error {
	if len(names) == 0 {
		return nil
	}
	p, err := start(ctx, r.top, call{
		op:    "git cat-file",
		args:  []string{"cat-file", "--batch", "--buffer", "-z"},
		stdin: strings.NewReader(strings.Join(names, "\x00") + "\x00"),
		reads: true, env: []string{asStored},
	})
	if err != nil {
		return err
	}
	for i, name := range names {
		o, err := readObject(p.out, name)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			// Git ended early, and its exit says why.
			if werr := p.wait(); werr != nil {
				return werr
			}
			return &Error{Op: p.op, Msg: "the output ended early", Err: io.ErrUnexpectedEOF}
		}
		if err == nil {
			err = visit(i, o)
		}
		if err != nil {
			p.stop()
			return err
		}
	}
	return p.wait()
}

// readObject reads one answer: "id kind size", a newline, the data, a newline.
// What is missing is answered with the name as it was asked for, and that may
// hold blanks and newlines.
func readObject(r *bufio.Reader, name string) (object, error) {
	missing, err := isMissing(r, name)
	if err != nil || missing {
		return object{}, err
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return object{}, err
	}
	fields := strings.Fields(line)
	if len(fields) == 2 && isHash(fields[0]) {
		// A commit of another repository: "id submodule" or "id missing".
		return object{id: fields[0]}, nil
	}
	if len(fields) != 3 || !isHash(fields[0]) {
		return object{}, &Error{Op: "git cat-file", Msg: "unexpected answer: " + clean(line)}
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return object{}, &Error{Op: "git cat-file", Msg: "unexpected answer: " + clean(line)}
	}
	if size > files.MaxSize {
		return object{}, &Error{Msg: "object " + fields[0] + " (" + clean(name) + ") is larger than 64 MiB"}
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(r, data); err != nil {
		return object{}, err
	}
	return object{id: fields[0], kind: fields[1], data: data[:size:size]}, nil
}

// isMissing tells whether the next answer is that there is no such object, and
// consumes that answer. The reader's buffer is larger than any path.
func isMissing(r *bufio.Reader, name string) (bool, error) {
	want := []byte(name + " missing\n")
	if isHash(name) {
		// An answer begins with a hash in any case; only the rest differs.
		have, err := r.Peek(len(want))
		if err != nil || !bytes.Equal(have, want) {
			return false, nil
		}
	} else if have, err := r.Peek(len("HEAD:")); err != nil || string(have) != "HEAD:" {
		return false, err
	}
	have := make([]byte, len(want))
	if _, err := io.ReadFull(r, have); err != nil {
		return false, err
	}
	if !bytes.Equal(have, want) {
		return false, &Error{Op: "git cat-file", Msg: "unexpected answer for " + clean(name)}
	}
	return true, nil
}

// isHash tells whether s is a full object name, SHA-1 or SHA-256.
func isHash(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
