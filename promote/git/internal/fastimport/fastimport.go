// Package fastimport makes a commit without a working tree, an index or a branch, by git
// fast-import: one pack in place of a file for each object.
package fastimport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Commit is a commit to be made.
type Commit struct {
	Parent  string
	Files   []promote.File // the parent has them, unless Add says otherwise; they keep their modes
	Message string
	// Author and Committer are each a name, an address and a time, as a commit has them.
	Author, Committer string
	// Ref leads to the commit afterwards: git could clear it away otherwise before
	// a branch leads to it. Nobody else uses the reference at the same time.
	Ref string
	// Store is the directory of the objects, where a failure leaves nothing behind.
	Store string
	// Add permits files that the parent does not have.
	Add bool
}

// File is a file as trees have it: its mode, in octal digits, and the names of
// its blobs in the parent, where that has it, and in the commit.
type File struct{ Mode, Was, Now string }

// ErrNotInParent says that the parent has something else at a path than a file.
var ErrNotInParent = errors.New("not a file of the parent")

// Make makes a commit by git fast-import, which writes one pack, and gives
// its name and its files in their order. The git directory may be that of a bare
// repository: no working tree and no index are looked at, no hook is run, and
// nothing is signed. To move a branch to the commit, and to delete the reference,
// is left to the caller.
func Make(ctx context.Context, gitDir string, c Commit) (string, []File, error) {
	removeNoted(gitDir, c.Store)
	before := tempPacks(c.Store)
	p, err := gitcmd.Start(ctx, gitDir, gitcmd.Call{
		Op: "git fast-import", Talks: true, Env: []string{gitcmd.InEnglish, gitcmd.AsStored},
		// Told to ignore case, it takes one path for another.
		Args: gitcmd.Durably("--git-dir="+gitDir, "-c", "core.ignoreCase=false", "fast-import", "--quiet", "--force", "--done", "--date-format=raw"),
	})
	if err != nil {
		return "", nil, err
	}
	pack := ""
	hash, list, err := importCommit(p, c, func() {
		pack = newPack(c.Store, before)
		notePack(gitDir, pack)
	})
	_ = p.In.Close()
	_, _ = io.Copy(io.Discard, p.Out)
	werr := p.Wait()
	_ = os.Remove(filepath.Join(gitDir, packNote))
	if werr != nil {
		// Git leaves a report, which nobody asked for, and its pack.
		_ = os.Remove(filepath.Join(gitDir, fmt.Sprintf("fast_import_crash_%d", p.Cmd.Process.Pid)))
		if pack != "" {
			_ = os.Remove(pack)
		}
		return "", nil, werr
	}
	if err != nil {
		DeleteRef(ctx, gitDir, c.Ref)
		return "", nil, err
	}
	return hash, list, nil
}

// importCommit talks to git. It sends the blobs and asks for their names, begins
// the commit and asks for the parent's files, and then replaces these
// (https://git-scm.com/docs/git-fast-import). Begun is called once git has begun a pack.
func importCommit(p *gitcmd.Process, c Commit, begun func()) (string, []File, error) {
	asked := gitcmd.Later(func() (struct{}, error) { return struct{}{}, sendFiles(p.In, c) })
	list := make([]File, len(c.Files))
	first := true
	for i := range list {
		if c.Files[i].Gone {
			continue
		}
		if list[i].Now = p.Line(); !gitcmd.IsHash(list[i].Now) {
			return "", nil, p.Unexpected(list[i].Now)
		}
		if first {
			begun()
		}
		first = false
	}
	missing := error(nil)
	for i := range list {
		if c.Files[i].Gone {
			continue
		}
		answer := p.Line() // mode, kind, name, a tab, the path; or "missing", the path
		fields := strings.Fields(answer)
		switch {
		case answer == "":
			return "", nil, p.Unexpected(answer)
		case c.Add && fields[0] == "missing":
			list[i].Mode = "100644"
		case len(fields) < 4 || fields[1] != "blob" || !gitcmd.IsHash(fields[2]) || fields[0] != "100644" && fields[0] != "100755":
			missing = ErrNotInParent
		default:
			list[i].Mode, list[i].Was = fields[0], fields[2]
		}
	}
	if _, err := asked(); err != nil {
		return "", nil, err
	}
	w := bufio.NewWriter(p.In)
	if missing == nil {
		for i, f := range c.Files {
			if f.Gone {
				fmt.Fprintf(w, "D %s\n", quotePath(f.Path))
				continue
			}
			fmt.Fprintf(w, "M %s :%d %s\n", list[i].Mode, i+2, quotePath(f.Path))
		}
	}
	fmt.Fprint(w, "\nget-mark :1\ndone\n")
	if err := w.Flush(); err != nil {
		return "", nil, err
	}
	hash := p.Line()
	if !gitcmd.IsHash(hash) {
		return "", nil, p.Unexpected(hash)
	}
	return hash, list, missing
}

// sendFiles sends all up to the changes of the tree. Mark 1 is the commit, the
// blobs have those after it.
func sendFiles(to io.Writer, c Commit) error {
	w := bufio.NewWriterSize(to, 64<<10)
	for i, f := range c.Files {
		if f.Gone {
			continue
		}
		fmt.Fprintf(w, "blob\nmark :%d\ndata %d\n%s\nget-mark :%d\n", i+2, len(f.Data), f.Data, i+2)
	}
	fmt.Fprintf(w, "commit %s\nmark :1\nauthor %s\ncommitter %s\ndata %d\n%s\nfrom %s\n",
		c.Ref, c.Author, c.Committer, len(c.Message), c.Message, c.Parent)
	for _, f := range c.Files {
		if !f.Gone {
			fmt.Fprintf(w, "ls %s\n", quotePath(f.Path))
		}
	}
	return w.Flush()
}

var pathQuoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// quotePath writes a path for fast-import.
func quotePath(path string) string { return `"` + pathQuoter.Replace(path) + `"` }

// DeleteRef deletes a temporary reference. If it is left, the next commit takes it.
func DeleteRef(ctx context.Context, gitDir, ref string) {
	_, _ = gitcmd.Run(ctx, gitDir, gitcmd.Call{Op: "git update-ref", Args: []string{"--git-dir=" + gitDir, "update-ref", "-d", ref}, Env: []string{gitcmd.InEnglish}})
}
