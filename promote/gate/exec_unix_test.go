//go:build unix

package gate

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"golang.org/x/sys/unix"
)

// working is a working tree with one program, which is committed.
func working(t testing.TB, script string) Deps {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "hack"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "#!/bin/sh\n" + script
	if err := os.WriteFile(filepath.Join(dir, "hack", "gate.sh"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return Deps{Root: dir, Tree: tree("hack/gate.sh", text), AllowExec: func(context.Context) bool { return true }}
}

func TestExec(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"yes", "echo all is well\n", "pass: all is well"},
		{"yes, in silence", "", "pass: gate.sh says yes"},
		{"no", "echo\necho '  the mTLS certificate\tis missing\033[31m'; echo more; exit 3\n", "fail: the mTLS certificate is missing [31m"},
		{"no, in silence", "exit 1\n", "fail: gate.sh says no: exit status 1"},
		{"wait", "echo until five; exit 4\n", "wait: until five"},
		{"wait, in silence", "exit 4\n", "wait: gate.sh asks to wait"},
		{"unknown", "echo the ledger is down; exit 5\n", "unknown: the ledger is down"},
		{"unknown, in silence", "exit 5\n", "unknown: gate.sh cannot tell"},
		{"ended", "kill -9 $$\n", "unknown: gate.sh was ended: signal: killed"},
		{"a flood", "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done\n", "pass: 0123456789012345678901234567890123456789"},
		{"no line", "head -c 200000 /dev/zero | tr '\\0' x\n", "pass: " + strings.Repeat("x", 400) + "…"},
		{"input that is not read", "exec <&-\n", "pass: gate.sh says yes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want(t, ask(t, "- exec: {command: [./hack/gate.sh]}", working(t, tc.script), cart()), tc.want)
		})
	}
}

// The command gets what would be promoted, and of the environment what it is promised.
func TestExecInput(t *testing.T) {
	d := working(t, "cat >input; env >env; pwd >dir; echo \"$1 $2\"\n")
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": "/h", "PROMOTE_A": "a", "PROMOTE_B": "b", "AWS_SECRET_ACCESS_KEY": "hunter2"}
	d.LookupEnv = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	want(t, ask(t, "- exec: {command: [hack/gate.sh, a b, '$HOME'], env: [PROMOTE_A]}", d, cart()), "pass: a b $HOME")
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(d.Root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var q struct {
		APIVersion, Kind string
		promote.GateRequest
	}
	if err := json.Unmarshal([]byte(read("input")), &q); err != nil || q.Kind != "GateRequest" || q.Service != "cart" || q.Images[0].New.Digest != sha("2") || !q.Now.Equal(friday) {
		t.Errorf("%v: %s", err, read("input"))
	}
	if got := read("env"); strings.Contains(got, "hunter2") || strings.Contains(got, "PROMOTE_B") || !strings.Contains(got, "PROMOTE_A=a\n") || !strings.Contains(got, "HOME=/h\n") {
		t.Errorf("environment:\n%s", got)
	}
	if dir, err := filepath.EvalSymlinks(d.Root); err != nil || strings.TrimSpace(read("dir")) != dir {
		t.Errorf("it ran in %s", read("dir"))
	}
}

// What is not allowed, not committed or not there is not run.
func TestExecRefused(t *testing.T) {
	d := working(t, "touch ran\n")
	for _, tc := range map[string]struct {
		change     func(*Deps)
		list, want string
	}{
		"not allowed":      {func(d *Deps) { d.AllowExec = func(context.Context) bool { return false } }, "[hack/gate.sh, x]", "unknown: this clone may not run hack/gate.sh x; hint: git config promote.allowExec true"},
		"nobody can allow": {func(d *Deps) { d.AllowExec = nil }, "[hack/gate.sh]", "unknown: this clone may not run hack/gate.sh; hint: git config promote.allowExec true"},
		"no working tree":  {func(d *Deps) { d.Root = "" }, "[hack/gate.sh]", "unknown: there is no working tree to run a command in"},
		"not as committed": {func(d *Deps) { d.Tree = tree("hack/gate.sh", "#!/bin/sh\n") }, "[hack/gate.sh]", "unknown: hack/gate.sh is not as it is committed; hint: git commit hack/gate.sh, or git stash"},
		"not committed":    {func(d *Deps) { d.Tree = tree() }, "[hack/gate.sh]", "unknown: hack/gate.sh is not committed; hint: git add hack/gate.sh && git commit hack/gate.sh"},
		"not there":        {func(*Deps) {}, "[hack/other.sh]", "unknown: hack/other.sh is not there"},
		// A shell is given what to run, and so are other programs.
		"an argument":           {func(d *Deps) { d.Tree = tree("hack/gate.sh", "#!/bin/sh\n") }, "[sh, hack/gate.sh]", "unknown: hack/gate.sh is not as it is committed; hint: git commit hack/gate.sh, or git stash"},
		"an argument elsewhere": {func(d *Deps) { d.Tree = tree() }, "[sh, -e, ./hack/../hack/gate.sh, x]", "unknown: hack/gate.sh is not committed; hint: git add hack/gate.sh && git commit hack/gate.sh"},
		"a flag's value":        {func(d *Deps) { d.Tree = tree() }, "[env, --file=hack/gate.sh]", "unknown: hack/gate.sh is not committed; hint: git add hack/gate.sh && git commit hack/gate.sh"},
		"not on the PATH":       {func(*Deps) {}, "[no-such-program-here]", "unknown: no-such-program-here is not on the PATH"},
	} {
		here := d
		tc.change(&here)
		want(t, ask(t, "- exec: {command: "+tc.list+"}", here, cart()), tc.want)
	}
	if _, err := os.Stat(filepath.Join(d.Root, "ran")); err == nil {
		t.Error("it was run")
	}
}

// A command that does not end is ended with all that it has started.
func TestExecEndsItsGroup(t *testing.T) {
	d := working(t, "sleep 1000 & echo $! >pid; echo begun; wait\n")
	ctx, cancel := context.WithCancel(t.Context())
	g := gates(t, "- exec: {command: [hack/gate.sh]}", d)[0]
	answer := make(chan promote.Verdict)
	go func() { answer <- g.Check(ctx, cart()) }()
	pid := 0
	for pid == 0 {
		data, _ := os.ReadFile(filepath.Join(d.Root, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		time.Sleep(time.Millisecond) // another program writes it
	}
	cancel()
	want(t, outline(<-answer), "unknown: gate.sh did not end in time")
	// Its parent is gone, and who takes it in may take a moment to bury it.
	for state := "R"; state != "Z" && unix.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
		data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			break
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		state, _, _ = strings.Cut(rest, " ")
	}
}
