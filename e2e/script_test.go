package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/kubepromote/kubepromote/e2e/internal/registry"
	"github.com/kubepromote/kubepromote/e2e/internal/rekor"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/bcrypt"
)

// TestScripts runs testdata/script/*.txtar. Beside the usual commands they have
// those of scriptCommands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			vars, err := environment(filepath.Join(env.WorkDir, ".home"))
			env.Vars = append(env.Vars, vars...)
			env.Values[registryKey{}] = runningRegistries{}
			return err
		},
		Condition: scriptCondition,
		Cmds:      scriptCommands(),
	})
}

// scriptCondition adds [has:kubectl] and so on: whether the machine has a program.
func scriptCondition(name string) (bool, error) {
	program, ok := strings.CutPrefix(name, "has:")
	if !ok {
		return false, errors.New("unknown condition " + name)
	}
	_, err := exec.LookPath(program)
	return err == nil, nil
}

func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"registry": cmdRegistry,
		"exits":    cmdExits,
		"image":    cmdImage,
		"referrer": cmdReferrer,
		"rekor":    cmdRekor,
		"subst":    cmdSubst,
		"setenv":   cmdSetenv,
	}
}

// registryKey finds the script's runningRegistries among its values.
type registryKey struct{}

// runningRegistries are what ends a script's registries, by the variables that
// have their addresses.
type runningRegistries map[string]func()

const registryUsage = "usage: registry start [referrers | htpasswd USER PASSWORD | token USER PASSWORD] [as VARIABLE] | registry stop [VARIABLE]"

// cmdRegistry: registry start [referrers | htpasswd USER PASSWORD | token USER
// PASSWORD] [as VARIABLE], registry stop [VARIABLE]. It sets $REGISTRY, or the
// variable named. With "referrers" it is go-containerregistry's, which has the
// referrers API; distribution has not, so that clients use the fallback tag.
func cmdRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf(registryUsage)
	}
	running := ts.Value(registryKey{}).(runningRegistries)
	variable := "REGISTRY"
	switch n := len(args); {
	case args[0] == "stop" && n == 2:
		variable = args[1]
	case n > 2 && args[n-2] == "as":
		variable, args = args[n-1], args[:n-2]
	}
	switch args[0] {
	case "stop":
		stop := running[variable]
		if stop == nil {
			ts.Fatalf("no registry runs as $%s", variable)
		}
		stop()
	case "start":
		host, stop := startScriptRegistry(ts, args[1:])
		ts.Defer(stop)
		ts.Setenv(variable, host)
		running[variable] = stop
	default:
		ts.Fatalf(registryUsage)
	}
}

func startScriptRegistry(ts *testscript.TestScript, kind []string) (host string, stop func()) {
	if len(kind) == 1 && kind[0] == "referrers" {
		server := httptest.NewServer(ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0))))
		return server.Listener.Addr().String(), server.Close
	}
	r, err := registry.Start(context.Background(), registryOptions(ts, kind))
	ts.Check(err)
	return r.Host, r.Stop
}

func registryOptions(ts *testscript.TestScript, args []string) registry.Options {
	dir, err := os.MkdirTemp(ts.Getenv("HOME"), "registry-")
	ts.Check(err)
	o := registry.Options{Program: filepath.Join(bin, "registry"), Dir: dir}
	if len(args) == 0 {
		return o
	}
	if len(args) != 3 {
		ts.Fatalf("unknown arguments of registry start: %q", args)
	}
	switch args[0] {
	case "htpasswd":
		o.Auth, err = htpasswd(dir, args[1], args[2])
	case "token":
		server, failed := registry.StartTokenServer(args[1], args[2])
		ts.Check(failed)
		ts.Defer(server.Close)
		o.Auth, err = server.Auth(dir)
	default:
		ts.Fatalf("unknown kind of registry: %q", args[0])
	}
	ts.Check(err)
	return o
}

// htpasswd gives the auth section of a registry that knows one user.
func htpasswd(dir, user, password string) (map[string]any, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "htpasswd")
	section := map[string]any{"htpasswd": map[string]any{"realm": "e2e", "path": file}}
	return section, os.WriteFile(file, []byte(user+":"+string(hash)+"\n"), 0o600)
}

// cmdExits: exits STATUS PROGRAM ARG... runs a program that must end with just
// that status.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdImage: image REFERENCE... pushes a small image of its own under each name.
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: image REFERENCE...")
	}
	for _, ref := range args {
		file := filepath.Join(ts.Getenv("HOME"), "layer.tar")
		ts.Check(writeLayer(file, ref))
		ts.Check(ts.Exec("crane", "append", "--oci-empty-base", "--new_layer", file, "--new_tag", ref))
	}
}

// writeLayer writes an image layer with one file that holds the text.
func writeLayer(file, text string) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: "image", Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// cmdReferrer: referrer IMAGE TYPE pushes an artifact of that type that refers to
// an image, which is named by its digest.
func cmdReferrer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: referrer REPOSITORY@DIGEST TYPE")
	}
	subject, err := name.NewDigest(args[0])
	ts.Check(err)
	d, err := remote.Head(subject)
	ts.Check(err)
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(args[1]))
	artifact = mutate.Subject(artifact, *d).(v1.Image)
	digest, err := artifact.Digest()
	ts.Check(err)
	ts.Check(remote.Write(subject.Digest(digest.String()), artifact))
}

// cmdRekor: rekor start starts a transparency log, sets $REKOR and writes its key
// to rekor.pub.
func cmdRekor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || args[0] != "start" {
		ts.Fatalf("usage: rekor start")
	}
	server, err := rekor.Start()
	ts.Check(err)
	ts.Defer(server.Close)
	ts.Setenv("REKOR", server.URL)
	ts.Check(os.WriteFile(ts.MkAbs("rekor.pub"), server.PublicKey(), 0o644))
}

// exampleRegistry is the registry that files are written for; subst puts the one
// that runs in its place.
const exampleRegistry = "registry.example.com"

// variable is the form in which files name a variable of the script.
var variable = regexp.MustCompile(`\$\{[A-Z]+\}`)

// cmdSubst: subst FILE... puts the address of the registry into files, and the
// values of variables, which stand there as ${NAME}.
func cmdSubst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: subst FILE...")
	}
	for _, file := range args {
		before := ts.ReadFile(file)
		after := strings.ReplaceAll(before, exampleRegistry, ts.Getenv("REGISTRY"))
		after = variable.ReplaceAllStringFunc(after, func(name string) string { return ts.Getenv(name[2 : len(name)-1]) })
		if after == before {
			ts.Fatalf("%s names neither %s nor a variable", file, exampleRegistry)
		}
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(after), 0o644))
	}
}

// cmdSetenv: setenv NAME sets a variable to what the last command printed.
func cmdSetenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: setenv NAME")
	}
	value := strings.TrimSpace(ts.ReadFile("stdout"))
	if value == "" {
		ts.Fatalf("the last command printed nothing")
	}
	ts.Setenv(args[0], value)
}
