package kubectl

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubepromote/kubepromote/plugins/kubectl/completioncmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/internal/loopback"
)

var update = flag.Bool("update", false, "write what the scripts' commands print now into the scripts")

func TestMain(m *testing.M) {
	run := func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		os.Exit(noted(func(errOut io.Writer) int {
			return RunToSignal(ctx, os.Args, genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: errOut})
		}))
	}
	testscript.Main(m, map[string]func(){"kubectl-promote": run, completioncmd.Completer: run})
}

// TestScript runs the scripts of testdata/script. See scriptCommands for what
// they can do beyond testscript's own commands. What they have the program say is looked up
// in the guide at the end.
func TestScript(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	messages := t.TempDir()
	var run atomic.Int32
	t.Cleanup(func() {
		if !t.Failed() {
			checkMessages(t, messages, int(run.Load()) == len(scripts))
		}
	})
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			run.Add(1)
			env.Setenv(messagesVariable, messages)
			return setupScript(env)
		},
		Cmds: scriptCommands,
	})
}

// TestStories runs the scripts of examples/stories, which are there to be read.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../examples/stories",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds:                scriptCommands,
	})
}

func setupScript(env *testscript.Env) error {
	// Git must not find the configuration of whoever runs the tests.
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("XDG_CONFIG_HOME", home)
	env.Setenv("CACHE", cacheBelow(home, env.Setenv))
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	// Built with the race detector, every command would sleep a second before it ends.
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	env.Setenv("DOCKER_CONFIG", home)
	env.Setenv("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
	env.Setenv("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
	program, err := exec.LookPath(completioncmd.Plugin)
	if err != nil {
		return err
	}
	env.Setenv("KUBECTL_PROMOTE", program)
	env.Values[keysValue] = map[string]*loopback.Key{}
	return os.Chmod(env.WorkDir, 0o755)
}

// cacheBelow has the cache of the commands below home, whatever the system, and
// gives its directory.
func cacheBelow(home string, setenv func(key, value string)) string {
	dir := filepath.Join(home, "cache")
	switch runtime.GOOS {
	case "windows":
		setenv("LocalAppData", dir)
	case "darwin":
		dir = filepath.Join(home, "Library", "Caches") // of $HOME
	default:
		setenv("XDG_CACHE_HOME", dir)
	}
	return filepath.Join(dir, "kubepromote")
}

const keysValue = "keys"

// registries are the ones that scripts have started, by address.
var registries = struct {
	sync.Mutex
	byHost map[string]*loopback.Registry
	logs   map[string]*requestLog
}{byHost: map[string]*loopback.Registry{}, logs: map[string]*requestLog{}}

// scriptCommands are the scripts' own commands.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"repo":     cmdRepo,
	"registry": cmdRegistry,
	"image":    cmdImage,
	"labeled":  cmdLabeled,
	"index":    cmdIndex,
	"private":  cmdPrivate,
	"retag":    cmdRetag,
	"key":      cmdKey,
	"expand":   cmdExpand,
	"status":   cmdStatus,
	"redact":   cmdRedact,
	"unpriv":   cmdUnpriv,
	"requests": cmdRequests,
	"damage":   cmdDamage,
	"typed":    cmdTyped,
	"server":   cmdServer,
}

// repo: make the working directory a Git repository and commit all of it.
func cmdRepo(ts *testscript.TestScript, neg bool, args []string) {
	for _, a := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "user.name", "Ada"}, {"config", "user.email", "ada@example.com"},
		{"add", "--all"}, {"commit", "--quiet", "--message=start"},
	} {
		ts.Check(ts.Exec("git", a...))
	}
}

// registry start|stop: run an OCI registry on the loopback interface; its
// address is in $REGISTRY.
func cmdRegistry(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case len(args) == 1 && args[0] == "start":
		log := &requestLog{}
		r, err := loopback.Start(log.handle)
		ts.Check(err)
		ts.Defer(r.Stop)
		ts.Setenv("REGISTRY", r.Host)
		registries.Lock()
		defer registries.Unlock()
		registries.byHost[r.Host], registries.logs[r.Host] = r, log
	case len(args) == 1 && args[0] == "stop":
		scriptRegistry(ts).Stop()
	default:
		ts.Fatalf("usage: registry start|stop")
	}
}

func scriptRegistryHost(ts *testscript.TestScript) string { return ts.Getenv("REGISTRY") }

func scriptRegistry(ts *testscript.TestScript) *loopback.Registry {
	registries.Lock()
	defer registries.Unlock()
	r := registries.byHost[scriptRegistryHost(ts)]
	if r == nil {
		ts.Fatalf("no registry was started")
	}
	return r
}

// image REPOSITORY:TAG [KEY]: push an image, signed with a key if one is named.
// Its digest is in $DIGEST.
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: image REPOSITORY:TAG [KEY]")
	}
	repository, tag, _ := strings.Cut(args[0], ":")
	var key *loopback.Key
	if len(args) == 2 {
		key = scriptKey(ts, args[1])
	}
	digest, err := scriptRegistry(ts).Push(context.Background(), repository, tag, key)
	ts.Check(err)
	ts.Setenv("DIGEST", digest.String())
}

// labeled REPOSITORY:TAG LABEL=VALUE...: push an image with labels; created=TIME is when it was
// made. Its digest is in $DIGEST.
func cmdLabeled(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: labeled REPOSITORY:TAG LABEL=VALUE...")
	}
	labels := make(map[string]string)
	for _, text := range args[1:] {
		label, value, _ := strings.Cut(text, "=")
		labels[label] = value
	}
	config := &v1.ConfigFile{Config: v1.Config{Labels: labels}}
	if at, ok := labels["created"]; ok {
		made, err := time.Parse(time.RFC3339, at)
		ts.Check(err)
		config.Created = v1.Time{Time: made}
	}
	img, err := mutate.ConfigFile(empty.Image, config)
	ts.Check(err)
	ref, err := name.ParseReference(scriptRegistry(ts).Host + "/" + args[0])
	ts.Check(err)
	ts.Check(remote.Write(ref, img))
	digest, err := img.Digest()
	ts.Check(err)
	ts.Setenv("DIGEST", digest.String())
}

// retag REPOSITORY:TAG REPOSITORY:TAG: let the second stand for what the first does.
func cmdRetag(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: retag REPOSITORY:TAG REPOSITORY:TAG")
	}
	host := scriptRegistry(ts).Host + "/"
	from, err := name.ParseReference(host + args[0])
	ts.Check(err)
	to, err := name.NewTag(host + args[1])
	ts.Check(err)
	desc, err := remote.Get(from)
	ts.Check(err)
	ts.Check(remote.Tag(to, desc))
}

// index REPOSITORY:TAG OS/ARCHITECTURE...: push an index with an image for each
// platform. Its digest is in $DIGEST.
func cmdIndex(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: index REPOSITORY:TAG OS/ARCHITECTURE...")
	}
	var index v1.ImageIndex = empty.Index
	for _, text := range args[1:] {
		platform, err := v1.ParsePlatform(text)
		ts.Check(err)
		img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant})
		ts.Check(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platform}})
	}
	ref, err := name.ParseReference(scriptRegistry(ts).Host + "/" + args[0])
	ts.Check(err)
	ts.Check(remote.WriteIndex(ref, index))
	digest, err := index.Digest()
	ts.Check(err)
	ts.Setenv("DIGEST", digest.String())
}

// key NAME FILE: write the public half of a key; the key is made when it is
// first named.
func cmdKey(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: key NAME FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), scriptKey(ts, args[0]).Public, 0o644))
}

// private NAME FILE: write the private half of a key.
func cmdPrivate(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: private NAME FILE")
	}
	der, err := x509.MarshalPKCS8PrivateKey(scriptKey(ts, args[0]).Private)
	ts.Check(err)
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

func scriptKey(ts *testscript.TestScript, name string) *loopback.Key {
	keys := ts.Value(keysValue).(map[string]*loopback.Key)
	if keys[name] == nil {
		k, err := loopback.NewKey()
		ts.Check(err)
		keys[name] = k
	}
	return keys[name]
}

// expand FILE...: replace ${VARIABLE} in files.
func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	for _, a := range args {
		text := os.Expand(ts.ReadFile(a), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(a), []byte(text), 0o644))
	}
}

// typed N [PLACEHOLDER=VALUE...]: type the first command of the last command's hint,
// and demand an exit status.
func cmdTyped(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: typed N [PLACEHOLDER=VALUE...]")
	}
	_, hint, _ := strings.Cut(ts.ReadFile("stderr"), "hint: ")
	hint, _, _ = strings.Cut(hint, "\n")
	lines := commandsIn(hint)
	if len(lines) == 0 {
		ts.Fatalf("no command in the hint %q", hint)
	}
	for _, a := range args[1:] {
		from, to, _ := strings.Cut(a, "=")
		lines[0] = strings.ReplaceAll(lines[0], from, to)
	}
	cmdStatus(ts, neg, append([]string{args[0], "kubectl-promote"}, strings.Fields(lines[0])...))
}

// status N COMMAND...: run a command and demand an exit status.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		got = -1
		if exit, ok := err.(*exec.ExitError); ok {
			got = exit.ExitCode()
		}
	}
	if want := args[0]; fmt.Sprint(got) != want {
		ts.Fatalf("exit status %d, want %s", got, want)
	}
}

// redact stdout|stderr FILE: write what the last command printed, with what
// differs from run to run replaced: $WORK, the registry's address, digests of
// images and the hashes of commits.
func cmdRedact(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: redact stdout|stderr FILE")
	}
	text := ts.ReadFile(args[0])
	for from, to := range map[string]string{ts.Getenv("WORK"): "$WORK", ts.Getenv("REGISTRY"): "$REGISTRY", ts.Getenv("SERVER"): "$SERVER"} {
		if from != "" {
			text = strings.ReplaceAll(text, from, to)
		}
	}
	text = commitHash.ReplaceAllString(text, "COMMIT")
	text = branchHash.ReplaceAllString(text, "[$1 COMMIT]")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

var (
	commitHash = regexp.MustCompile(`\b[0-9a-f]{40}\b`)
	branchHash = regexp.MustCompile(`\[([\w./-]+) [0-9a-f]{9}\]`)
)

// unpriv COMMAND...: run a command as a user whom file modes stop; the tests may
// be run by root, whom they do not.
func cmdUnpriv(ts *testscript.TestScript, neg bool, args []string) {
	// The test binary stands in a folder that only its owner may enter.
	dir := ts.MkAbs("unpriv.bin")
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(os.Chmod(filepath.Dir(ts.Getenv("WORK")), 0o755))
	self, err := os.Executable()
	ts.Check(err)
	path := filepath.Join(dir, args[0])
	ts.Check(os.Link(self, path))
	c := exec.Command(path, args[1:]...)
	c.Dir = ts.MkAbs(".")
	c.Env = []string{"HOME=/nonexistent", "PATH=" + ts.Getenv("PATH")}
	asNobody(c)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err = c.Run()
	ts.Check(os.WriteFile(ts.MkAbs("unpriv.out"), out.Bytes(), 0o644))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || (err != nil) != neg {
		ts.Fatalf("%v\n%s", err, out.String())
	}
}
