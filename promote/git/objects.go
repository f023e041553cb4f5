package git

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Committed gives the bytes that the head has at each path, as they are stored:
// without the line endings that a checkout may give them. A path where the head
// has no file is left out.
func (r *Repo) Committed(ctx context.Context, paths []string) (map[string][]byte, error) {
	if err := gitcmd.CheckPaths(paths); err != nil {
		return nil, err
	}
	names, paths, err := r.headNames(ctx, paths)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]byte, len(paths))
	err = r.objects(ctx, names, func(i int, o gitcmd.Object) error {
		if o.Kind == "blob" {
			found[paths[i]] = o.Data
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
	out, err := r.run(ctx, gitcmd.Call{Op: "git ls-tree", Args: []string{"ls-tree", "-r", "-z", "--full-tree", "HEAD"}, Reads: true, Env: []string{gitcmd.AsStored}})
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
		if !gitcmd.IsHash(id) {
			return &Error{Msg: "not an object name: " + gitcmd.Clean(id)}
		}
	}
	return r.objects(ctx, ids, func(i int, o gitcmd.Object) error {
		if o.Kind != "blob" {
			msg := "is missing from the repository"
			if o.Kind != "" {
				msg = "is a " + o.Kind + ", not a blob"
			}
			return &Error{Msg: "object " + ids[i] + " " + msg}
		}
		return visit(ids[i], o.Data)
	})
}

// objects reads the named objects with one process. The requests are written
// while the answers are read, by the copying that os/exec does for stdin, so
// that neither side waits for the other for ever.
func (r *Repo) objects(ctx context.Context, names []string, visit func(int, gitcmd.Object) error) error {
	if len(names) == 0 {
		return nil
	}
	p, err := gitcmd.Start(ctx, r.top, gitcmd.Call{
		Op:    "git cat-file",
		Args:  []string{"cat-file", "--batch", "--buffer", "-z"},
		Stdin: strings.NewReader(strings.Join(names, "\x00") + "\x00"),
		Reads: true, Env: r.asStored(),
	})
	if err != nil {
		return err
	}
	for i, name := range names {
		o, err := gitcmd.ReadObject(p.Out, name)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			// Git ended early, and its exit says why.
			if werr := p.Wait(); werr != nil {
				return werr
			}
			return &Error{Op: p.Op, Msg: "the output ended early", Err: io.ErrUnexpectedEOF}
		}
		if err == nil {
			err = visit(i, o)
		}
		if err != nil {
			p.Stop()
			return err
		}
	}
	return p.Wait()
}
