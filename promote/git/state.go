package git

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Few paths are given to git status, which then looks at nothing else. It
// compares each file with each path, so that many are slower than all files.
const (
	fewPaths = 100
	fewBytes = 16 << 10
)

// State tells where the repository stands and which of the paths differ from
// its head. Paths need not exist. A path behind a symbolic link is an error: git would
// never see it change.
func (r *Repo) State(ctx context.Context, paths []string) (promote.State, error) {
	if err := gitcmd.CheckPaths(paths); err != nil {
		return promote.State{}, err
	}
	index, err := r.indexMark()
	if err != nil {
		return promote.State{}, err
	}
	if len(paths) == 0 {
		if state, err := r.where(ctx); err == nil {
			state.Busy, state.Index = r.busy(), index
			return state, nil
		}
	}
	args := []string{"status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--no-ahead-behind",
		"--ignore-submodules=all"}
	switch {
	case len(paths) == 0:
		// Only the branch is wanted: one path that cannot be there.
		args = append(args, "--untracked-files=no", "--", ".git/none")
	case few(paths):
		args = append(args, "--untracked-files=all", "--ignored=matching", "--")
		args = append(args, paths...)
	default:
		args = append(args, "--untracked-files=no")
	}
	env, specs := []string{gitcmd.Literally, gitcmd.AsStored}, paths
	if !few(paths) {
		// A few patterns, and git need not look at the other files.
		specs = covering(paths)
		args, env = append(append(args, "--"), specs...), []string{gitcmd.AsStored}
	}
	tracked := func() (map[string]byte, error) { return nil, nil }
	if len(paths) > 0 {
		tracked = r.listTracked(ctx, specs, env)
	}
	out, err := r.run(ctx, gitcmd.Call{Op: "git status", Args: args, Reads: true, Env: env})
	known, lerr := tracked()
	if err = cmp.Or(err, lerr); err != nil {
		return promote.State{}, err
	}
	state, all := parseStatus(out)
	state.Busy, state.Index = r.busy(), index
	state.Dirty = pick(all, paths)
	for _, p := range paths {
		if tag := known[p]; (tag == 'S' || tag >= 'a' && tag <= 'z') && state.Dirty[p] == "" {
			state.Dirty[p] = "hidden"
		}
	}
	// What git knows and finds as it is lies where it seems to.
	doubtful := paths
	if !few(paths) {
		doubtful = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return known[p] != 0 && state.Dirty[p] == "" })
	}
	foreign, err := r.foreign(doubtful)
	if err != nil {
		return promote.State{}, err
	}
	for p, is := range foreign {
		if is {
			state.Dirty[p] = "foreign"
		}
	}
	// Where git ignores case, it does not list a file beside another that it knows by
	// nearly the same name.
	doubtful = slices.DeleteFunc(slices.Clone(doubtful), func(p string) bool { return known[p] != 0 || foreign[p] })
	return state, r.addUntracked(ctx, doubtful, state.Dirty)
}

// where tells the head and its branch, without a look at the index as git status
// takes it. Before the first commit it is an error.
func (r *Repo) where(ctx context.Context) (promote.State, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: append([]string{"rev-parse"}, strings.Fields(whereabouts)...), Reads: true})
	lines := strings.Split(string(out), "\n")
	if err == nil && len(lines) != 3 {
		err = &Error{Op: "git rev-parse", Msg: "unexpected answer: " + gitcmd.Clean(string(out))}
	}
	if err != nil {
		return promote.State{}, err
	}
	return standing(lines[0], lines[1]), nil
}

// whereabouts are the words that have git rev-parse tell the head and its branch.
const whereabouts = "HEAD --symbolic-full-name HEAD"

// standing is what git rev-parse has told of them.
func standing(head, name string) promote.State {
	state := promote.State{Head: head, Dirty: map[string]string{}}
	if name != "HEAD" { // it is detached
		state.Branch = strings.TrimPrefix(name, "refs/heads/")
	}
	return state
}

// indexMark gives what tells one content of git's index from another: its size,
// its time, and its last bytes, which are a checksum. It is empty where there is
// none. What is no regular file is an error, as git would wait for a named pipe.
func (r *Repo) indexMark() (string, error) {
	info, err := os.Stat(r.index)
	if err != nil {
		return "", nil
	}
	if !info.Mode().IsRegular() {
		return "", &Error{Msg: "git's index is not a regular file: " + gitcmd.Clean(r.index)}
	}
	f, err := os.Open(r.index)
	if err != nil {
		return "", nil
	}
	defer f.Close()
	end := make([]byte, 32)
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return "", nil
	}
	return fmt.Sprintf("%d %d %x", info.Size(), info.ModTime().UnixNano(), end), nil
}

// listTracked begins to list the paths that git knows, of those that the
// pathspecs match, with git's letters for them: S where it is told to skip the
// working tree, and a small one where it is to take the file for unchanged. The
// function that it returns waits for the list.
func (r *Repo) listTracked(ctx context.Context, specs, env []string) func() (map[string]byte, error) {
	return gitcmd.Later(func() (map[string]byte, error) {
		args := append([]string{"ls-files", "-v", "-z", "--"}, specs...)
		out, err := r.run(ctx, gitcmd.Call{Op: "git ls-files", Args: args, Reads: true, Env: env})
		tracked := map[string]byte{}
		for name := range strings.SplitSeq(string(out), "\x00") {
			if letter, path, ok := strings.Cut(name, " "); ok {
				tracked[path] = letter[0]
			}
		}
		return tracked, err
	})
}

// addUntracked finds the paths that git does not know but that exist. To have
// git status do that would mean to read every directory of the tree.
func (r *Repo) addUntracked(ctx context.Context, paths []string, dirty map[string]string) error {
	var found []string
	for _, p := range paths {
		if dirty[p] != "" {
			continue
		}
		if info, err := r.root.Lstat(p); err == nil && !info.IsDir() {
			dirty[p] = "untracked"
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil
	}
	// This command refuses literal pathspecs; "./" does the same.
	out, err := r.run(ctx, gitcmd.Call{Op: "git check-ignore", Args: []string{"check-ignore", "-z", "--stdin"},
		Stdin: strings.NewReader("./" + strings.Join(found, "\x00./") + "\x00"), Reads: true})
	// The status is 1 where nothing is ignored.
	if err != nil && gitcmd.ExitCode(err) != 1 {
		return err
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name != "" {
			dirty[strings.TrimPrefix(name, "./")] = "ignored"
		}
	}
	return nil
}

func few(paths []string) bool {
	size := 0
	for _, p := range paths {
		size += len(p) + 1
	}
	return len(paths) <= fewPaths && size <= fewBytes
}

// parseStatus reads git's porcelain format, version 2.
func parseStatus(out []byte) (promote.State, map[string]string) {
	var state promote.State
	dirty := map[string]string{}
	for field := range bytes.SplitSeq(out, []byte{0}) {
		line := string(field)
		if len(line) < 2 {
			continue
		}
		rest := line[2:]
		switch line[0] {
		case '#':
			parseBranch(rest, &state)
		case '1':
			// XY sub mH mI mW hH hI path
			if parts := strings.SplitN(rest, " ", 8); len(parts) == 8 && len(parts[0]) == 2 {
				dirty[parts[7]] = kind(parts[0])
			}
		case 'u':
			// XY sub m1 m2 m3 mW h1 h2 h3 path
			if parts := strings.SplitN(rest, " ", 10); len(parts) == 10 {
				dirty[parts[9]] = "conflicted"
			}
		case '?', '!':
			// A file deleted from the index that still exists comes twice.
			if _, known := dirty[rest]; !known {
				dirty[rest] = map[byte]string{'?': "untracked", '!': "ignored"}[line[0]]
			}
		}
	}
	return state, dirty
}

func parseBranch(line string, state *promote.State) {
	key, value, _ := strings.Cut(line, " ")
	switch {
	case key == "branch.oid" && value != "(initial)":
		state.Head = value
	case key == "branch.head" && value != "(detached)":
		state.Branch = value
	}
}

// kind gives the word for the two letters that stand for the index against the
// head and for the working tree against the index.
func kind(xy string) string {
	switch {
	case xy[0] == 'D' || xy[1] == 'D':
		return "deleted"
	case xy[1] == 'M' || xy[1] == 'T':
		return "modified"
	}
	return "staged"
}

// pick keeps the paths asked for. Git names an ignored directory, or another
// repository, once and not each file in it.
func pick(all map[string]string, paths []string) map[string]string {
	dirty := map[string]string{}
	if len(all) == 0 {
		return dirty
	}
	for _, p := range paths {
		if how, ok := all[p]; ok {
			dirty[p] = how
			continue
		}
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if how, ok := all[dir+"/"]; ok {
				dirty[p] = how
				break
			}
		}
	}
	return dirty
}

// busy names an operation that is not finished, by the files git keeps for it.
func (r *Repo) busy() string {
	for _, mark := range []struct{ file, name string }{
		{"rebase-merge", "rebase"},
		{"rebase-apply", "rebase"},
		{"MERGE_HEAD", "merge"},
		{"CHERRY_PICK_HEAD", "cherry-pick"},
		{"REVERT_HEAD", "revert"},
	} {
		if _, err := os.Lstat(filepath.Join(r.gitDir, mark.file)); err == nil {
			return mark.name
		}
	}
	return ""
}
