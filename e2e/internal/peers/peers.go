// Package peers builds the programs that the end-to-end tests run: the project's
// own binary, and the registry, cosign, crane, krew, kustomize, Gitea and the API server
// of Kubernetes with its etcd from their published modules, in the versions that e2e/go.mod and the go.mod files below
// e2e/peers name.
package peers

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Product is the name of the project's own program.
const Product = "kubectl-promote"

// Function is the name of the project's KRM functions. They are always those of
// the sources.
const Function = "promote-fn"

// ProductVariable names a program to be tested in place of what the sources
// give: a release's.
const ProductVariable = "E2E_KUBECTL_PROMOTE"

// tool is a peer: the name of its program, its package and its module.
type tool struct {
	name, pkg, module string
	// dir is the folder of the go.mod that names it, below e2e. A module that replaces
	// others has one to itself.
	dir string
	// flags are those of go build.
	flags []string
	// c tells that the program has parts in C.
	c bool
}

// tools are the tool directives of the go.mod files.
var tools = []tool{
	{name: "registry", pkg: "github.com/distribution/distribution/v3/cmd/registry", module: "github.com/distribution/distribution/v3"},
	{name: "cosign", pkg: "github.com/sigstore/cosign/v2/cmd/cosign", module: "github.com/sigstore/cosign/v2"},
	{name: "crane", pkg: "github.com/google/go-containerregistry/cmd/crane", module: "github.com/google/go-containerregistry"},
	{name: "kubectl-krew", pkg: "sigs.k8s.io/krew/cmd/krew", module: "sigs.k8s.io/krew"},
	{name: "validate-krew-manifest", pkg: "sigs.k8s.io/krew/cmd/validate-krew-manifest", module: "sigs.k8s.io/krew"},
	{name: "kustomize", pkg: "sigs.k8s.io/kustomize/kustomize/v5", module: "sigs.k8s.io/kustomize/kustomize/v5"},
	{name: Gitea, pkg: giteaModule, module: giteaModule, dir: giteaDir, flags: []string{"-tags", "sqlite sqlite_unlock_notify"}, c: true},
	{name: APIServer, pkg: "k8s.io/kubernetes/cmd/kube-apiserver", module: "k8s.io/kubernetes", dir: kubernetesDir},
	{name: Etcd, pkg: "go.etcd.io/etcd/server/v3", module: "go.etcd.io/etcd/server/v3", dir: kubernetesDir},
}

// The names of the programs that are Kubernetes, as far as its API goes.
const (
	APIServer     = "kube-apiserver"
	Etcd          = "etcd"
	kubernetesDir = "peers/kubernetes"
)

// Gitea is the name of Gitea's program.
const (
	Gitea       = "gitea"
	giteaModule = "code.gitea.io/gitea"
	giteaDir    = "peers/gitea"
)

// GiteaSources gives the folder of the sources that Gitea is built from, where its
// templates are.
func GiteaSources(ctx context.Context) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	return goCommand(ctx, filepath.Join(root, giteaDir), "list", "-m", "-f", "{{.Dir}}", giteaModule)
}

// buildLimit is how long one build may take; a cold one takes two minutes on two
// cores.
const buildLimit = 20 * time.Minute

// Build builds what is missing or out of date into the folder bin of this module
// and returns that folder: all programs, or those that are named. A peer is out of date when go.mod names another
// version than the one it was built from; the project's own program is built
// anew each time, which the build cache makes short. What takes long is told to
// log.
func Build(ctx context.Context, log io.Writer, names ...string) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	wanted := make(map[string]bool)
	for _, n := range names {
		wanted[n] = true
	}
	for _, t := range tools {
		if len(names) > 0 && !wanted[t.name] {
			continue
		}
		dir := filepath.Join(root, filepath.FromSlash(t.dir))
		version, err := goCommand(ctx, dir, "list", "-m", "-f", "{{.Version}}", t.module)
		if err != nil {
			return "", err
		}
		target := filepath.Join(bin, exe(t.name))
		if builtFrom(target, t.module) == version {
			continue
		}
		if err := build(ctx, log, dir, t, target, version); err != nil {
			return "", err
		}
	}
	if len(names) == 0 || wanted[Function] {
		if err := build(ctx, log, filepath.Dir(root), tool{pkg: "./cmd/" + Function}, filepath.Join(bin, exe(Function)), ""); err != nil {
			return "", err
		}
	}
	if len(names) > 0 && !wanted[Product] {
		return bin, nil
	}
	target := filepath.Join(bin, exe(Product))
	if given := os.Getenv(ProductVariable); given != "" {
		fmt.Fprintf(log, "testing %s\n", given)
		return bin, replaceWithCopy(given, target)
	}
	return bin, build(ctx, log, filepath.Dir(root), tool{pkg: "./cmd/" + Product}, target, "")
}

func replaceWithCopy(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	temp := fmt.Sprintf("%s.%d.tmp", to, os.Getpid())
	defer os.Remove(temp)
	if err := os.WriteFile(temp, data, 0o755); err != nil {
		return err
	}
	return os.Rename(temp, to)
}

func exe(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// builtFrom gives the version of the module that a program was built from, or
// "" when there is no such program.
func builtFrom(file, module string) string {
	info, err := buildinfo.ReadFile(file)
	if err != nil || info.Main.Path != module || info.GoVersion != runtime.Version() {
		return ""
	}
	return info.Main.Version
}

// build writes the program under another name first, so that an interrupted
// build leaves no half of a program behind.
func build(ctx context.Context, log io.Writer, dir string, t tool, target, version string) error {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	name := filepath.Base(target)
	if version != "" {
		fmt.Fprintf(log, "building %s %s\n", name, version)
	}
	started := time.Now()
	temp := fmt.Sprintf("%s.%d.tmp", target, os.Getpid())
	defer os.Remove(temp)
	var env []string
	if t.c {
		env = []string{"CGO_ENABLED=1"}
	}
	if _, err := goIn(ctx, dir, env, slices.Concat([]string{"build", "-o", temp}, t.flags, []string{t.pkg})...); err != nil {
		return fmt.Errorf("building %s: %w", name, err)
	}
	if version != "" || time.Since(started) > 10*time.Second {
		fmt.Fprintf(log, "built %s in %s\n", name, time.Since(started).Round(time.Second))
	}
	return os.Rename(temp, target)
}

// moduleRoot is the folder e2e, asked from it, or from a module below it that
// requires it.
func moduleRoot(ctx context.Context) (string, error) {
	dir, err := goCommand(ctx, "", "list", "-m", "-f", "{{.Dir}}", "github.com/kubepromote/kubepromote/e2e")
	if err != nil {
		return "", fmt.Errorf("run this inside the folder e2e: %w", err)
	}
	return dir, nil
}

func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	return goIn(ctx, dir, nil, args...)
}

// goIn runs go with more in its environment.
func goIn(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{"GOWORK=off"}, env)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// Module downloads a published module that is only read, and gives its folder. sum is the
// hash that it must have, as go.sum files have it.
func Module(ctx context.Context, module, version, sum string) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	out, err := goCommand(ctx, root, "mod", "download", "-json", module+"@"+version)
	if err != nil {
		return "", err
	}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		return "", err
	}
	if got.Sum != sum {
		return "", fmt.Errorf("%s@%s has the hash %s, and %s is wanted", module, version, got.Sum, sum)
	}
	return got.Dir, nil
}
