package doctorcmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/git"
)

// The oldest git whose plumbing is used.
const (
	gitMajor = 2
	gitMinor = 38
)

var gitVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^git version (\d+)\.(\d+)`) })

// git looks at the program.
func (d *doctor) git(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "git", "version").Output()
	if err != nil {
		d.missing("git", "install git from https://git-scm.com", "there is no git on PATH that runs")
		return false
	}
	text := strings.TrimSpace(string(out))
	m := gitVersion().FindStringSubmatch(text)
	if m == nil {
		d.unknown("git", "", "which version it is, %q does not tell", text)
		return true
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < gitMajor || major == gitMajor && minor < gitMinor {
		d.missing("git", "install git 2.38 or newer from https://git-scm.com", "%s is older than 2.38", strings.TrimPrefix(text, "git version "))
		return false
	}
	d.ok("git", "%s", strings.TrimPrefix(text, "git version "))
	return true
}

// ask has git answer in the repository; "" where there is nothing to tell, which git says
// by exit status 1. Where it fails otherwise, that is noted, and nothing is known.
func (d *doctor) ask(ctx context.Context, repo *git.Repo, check string, args ...string) (answer string, known bool) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", repo.Root()}, args...)...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && !(ok && failed.ExitCode() == 1) {
		why := err.Error()
		if ok && len(failed.Stderr) > 0 {
			why, _, _ = strings.Cut(string(failed.Stderr), "\n")
		}
		d.unknown(check, "", "git %s: %s", strings.Join(args, " "), fault.OneLine(why))
		return "", false
	}
	return strings.TrimSpace(string(out)), true
}

// settings looks at what git knows of the user and of the clone.
func (d *doctor) settings(ctx context.Context, repo *git.Repo) {
	for _, one := range []struct{ key, variable, example string }{
		{"user.name", "NAME", "'YOUR NAME'"}, {"user.email", "EMAIL", "YOU@EXAMPLE.COM"},
	} {
		value, known := d.ask(ctx, repo, "identity", "config", "--get", one.key)
		switch {
		case value != "" || os.Getenv("GIT_AUTHOR_"+one.variable) != "" && os.Getenv("GIT_COMMITTER_"+one.variable) != "":
			d.ok("identity", "%s is set", one.key)
		case known:
			d.missing("identity", "git config --global "+one.key+" "+one.example, "%s is not set: nothing can be committed", one.key)
		}
	}
	switch shallow, known := d.ask(ctx, repo, "history", "rev-parse", "--is-shallow-repository"); {
	case shallow == "true":
		d.missing("history", "git fetch --unshallow", "the clone is shallow: soaking, history and rollback do not see all")
	case known:
		d.ok("history", "the clone has all of it")
	}
	if promisors, _ := d.ask(ctx, repo, "history", "config", "--get-regexp", `^remote\..*\.promisor$`); promisors != "" {
		d.ok("history", "the clone is partial: what it lacks is fetched when it is read")
	}
	d.upstream(ctx, repo)
}

func (d *doctor) upstream(ctx context.Context, repo *git.Repo) {
	all, known := d.ask(ctx, repo, "upstream", "remote")
	branch, attached := d.ask(ctx, repo, "upstream", "symbolic-ref", "--quiet", "--short", "HEAD")
	follows, told := d.ask(ctx, repo, "upstream", "for-each-ref", "--format=%(upstream:short)", "refs/heads/"+branch)
	remotes := strings.Fields(all)
	switch {
	case !known || !attached || !told:
	case len(remotes) == 0:
		d.missing("upstream", "git remote add origin URL", "there is no remote: nothing can be pushed or proposed")
	case branch == "":
		d.ok("upstream", "no branch is checked out: the remote's default branch counts, or --branch")
	case follows == "":
		d.missing("upstream", "git push --set-upstream "+shell.Quote(remotes[0])+" "+shell.Quote(branch), "branch %s follows none of the remote", branch)
	default:
		d.ok("upstream", "%s follows %s", branch, follows)
	}
}

// The programs that kubectl looks for on PATH.
const (
	plugin    = "kubectl-promote"
	completer = "kubectl_complete-promote"
)

func (d *doctor) completion() {
	if _, err := exec.LookPath(plugin); err != nil {
		d.missing("plugin", onPath(os.Executable()), "%s is not on PATH, where kubectl would find it", plugin)
		return
	}
	if _, err := exec.LookPath(completer); err != nil {
		d.missing("completion", "kubectl promote completion install", "kubectl completes nothing of kubectl promote")
		return
	}
	d.ok("completion", "kubectl completes kubectl promote")
}

// onPath is a command that has a shell find this program, which runs by its path.
func onPath(program string, err error) string {
	if err != nil {
		return "put " + plugin + " into a directory of PATH"
	}
	dir := filepath.Dir(program)
	if strings.TrimSuffix(filepath.Base(program), ".exe") == plugin {
		return "export PATH=" + shell.Quote(dir) + `:"$PATH"`
	}
	return "mkdir -p ~/.local/bin && cp " + shell.Quote(program) + " ~/.local/bin/" + plugin
}

// program looks for one that something in the repository needs.
func (d *doctor) program(name, why string) {
	if _, err := exec.LookPath(name); err != nil {
		d.missing(name, "install "+name, "it is not on PATH, and %s", why)
		return
	}
	d.ok(name, "it is on PATH")
}
