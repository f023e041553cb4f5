package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// functionExamples are the examples of the KRM functions, by the directory that is
// built.
var functionExamples = []string{"pin-images", "set-images", "verify-images", "promotion-guard/cart/production", "image-inventory"}

// kustomizeExec builds with functions that are programs.
func (s *shell) kustomizeExec(dir string) string {
	s.Helper()
	return s.run("kustomize", "build", "--enable-alpha-plugins", "--enable-exec", dir)
}

// Functions in process give what the same functions give as programs of kustomize.
func TestFunctionExamples(t *testing.T) {
	for _, example := range functionExamples {
		t.Run(example, func(t *testing.T) {
			s := newShell(t, filepath.Join("..", "examples"))
			theirs := s.kustomizeExec(example)
			if ours := s.run("kubectl-promote", "build", example); ours != theirs || !strings.Contains(ours, "image: ") {
				t.Errorf("kubectl promote build:\n%s\nkustomize build:\n%s", ours, theirs)
			}
		})
	}
}

// Without a function of ours, build writes what kustomize writes, byte for byte.
func TestBuildWithoutFunctions(t *testing.T) {
	overlays, err := filepath.Glob("../examples/ecommerce/repository/apps/*/overlays/*")
	if err != nil || len(overlays) < 10 {
		t.Fatalf("%d overlays, %v", len(overlays), err)
	}
	s := newShell(t, ".")
	for _, dir := range overlays {
		theirs := s.run("kustomize", "build", dir)
		if ours := s.run("kubectl-promote", "build", dir); ours != theirs {
			t.Errorf("%s\nkubectl promote build:\n%s\nkustomize build:\n%s", dir, ours, theirs)
		}
	}
	one := newShell(t, t.TempDir())
	dir, err := filepath.Abs(overlays[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"kustomize", "kubectl-promote"} {
		if err := os.Mkdir(filepath.Join(one.dir, program), 0o755); err != nil {
			t.Fatal(err)
		}
		one.run(program, "build", dir, "-o", program)
	}
	ours, theirs := tree(t, filepath.Join(one.dir, "kubectl-promote")), tree(t, filepath.Join(one.dir, "kustomize"))
	if len(ours) < 2 || len(ours) != len(theirs) {
		t.Errorf("kubectl promote wrote %d files, kustomize %d", len(ours), len(theirs))
	}
	for name, text := range theirs {
		if ours[name] != text {
			t.Errorf("%s:\n%s\nkustomize:\n%s", name, ours[name], text)
		}
	}
}

// tree reads the files of a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, e := range entries {
		files[e.Name()] = read(t, filepath.Join(dir, e.Name()))
	}
	return files
}

// lockedApp writes an application of which a base pins the images, below a folder.
func lockedApp(t *testing.T, dir, function string) {
	t.Helper()
	write(t, filepath.Join(dir, "promotion.yaml"), "")
	write(t, filepath.Join(dir, "images.lock"), "images.lock v1\nregistry.example.com/shop/cart:v1 "+digestOf('a')+" -\n")
	write(t, filepath.Join(dir, "app", "kustomization.yaml"), "resources: [deployment.yaml]\nnamePrefix: shop-\nconfigMapGenerator:\n- {name: settings, literals: [A=1]}\ntransformers: [pin.yaml]\n")
	write(t, filepath.Join(dir, "app", "deployment.yaml"), `apiVersion: apps/v1
kind: Deployment
metadata: {name: cart}
spec:
  template:
    spec:
      containers:
      - name: cart
        image: registry.example.com/shop/cart:v1
        envFrom: [{configMapRef: {name: settings}}]
`)
	write(t, filepath.Join(dir, "app", "pin.yaml"), "apiVersion: kubepromote.dev/v1alpha1\nkind: PinImages\nmetadata:\n  name: pin\n"+function+"spec: {lock: ../images.lock}\n")
	write(t, filepath.Join(dir, "eu", "kustomization.yaml"), "resources: [../app]\nnameSuffix: -eu\nnamespace: eu\nimages:\n- {name: registry.example.com/shop/cart, newName: eu.example.com/cart}\npatches:\n- target: {kind: Deployment, name: cart}\n  patch: '[{\"op\": \"add\", \"path\": \"/spec/replicas\", \"value\": 3}]'\n")
}

const asProgram = "  annotations:\n    config.kubernetes.io/function: \"exec: {path: promote-fn}\"\n"

// A function in a base: what is above it finds names and references as always.
func TestFunctionInBase(t *testing.T) {
	dir := t.TempDir()
	lockedApp(t, dir, asProgram)
	s := newShell(t, dir)
	theirs := s.kustomizeExec("eu")
	if ours := s.run("kubectl-promote", "build", "eu"); ours != theirs {
		t.Errorf("kubectl promote build:\n%s\nkustomize build:\n%s", ours, theirs)
	}
	for _, want := range []string{"name: shop-cart-eu", "replicas: 3", "image: eu.example.com/cart:v1@" + digestOf('a')} {
		if !strings.Contains(theirs, want) {
			t.Errorf("no %q in\n%s", want, theirs)
		}
	}
}

// As an older plugin of kustomize: by its path, without an annotation.
func TestFunctionAsLegacyPlugin(t *testing.T) {
	dir := t.TempDir()
	lockedApp(t, dir, "")
	write(t, filepath.Join(dir, "app", "verify.yaml"), "apiVersion: kubepromote.dev/v1alpha1\nkind: VerifyImages\nmetadata: {name: verify}\n")
	write(t, filepath.Join(dir, "open", "kustomization.yaml"), "resources: [../app/deployment.yaml]\nvalidators: [../app/verify.yaml]\n")
	home := filepath.Join(dir, "plugins")
	for _, kind := range []string{"PinImages", "VerifyImages"} {
		folder := filepath.Join(home, "kubepromote.dev", "v1alpha1", strings.ToLower(kind))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program("promote-fn"), filepath.Join(folder, kind)); err != nil {
			t.Fatal(err)
		}
	}
	s := newShell(t, dir)
	s.env = append(s.env, "KUSTOMIZE_PLUGIN_HOME="+home)
	theirs := s.run("kustomize", "build", "--enable-alpha-plugins", "eu")
	if ours := s.run("kubectl-promote", "build", "eu"); ours != theirs || !strings.Contains(ours, digestOf('a')) {
		t.Errorf("kubectl promote build:\n%s\nkustomize build:\n%s", ours, theirs)
	}
	stdout, stderr := s.exits(1, "kustomize", "build", "--enable-alpha-plugins", "--load-restrictor", "LoadRestrictionsNone", "open")
	if stdout != "" || !strings.Contains(stderr, `Deployment cart: spec.template.spec.containers[0].image: image "registry.example.com/shop/cart:v1" is not pinned by digest`) {
		t.Errorf("%s%s", stdout, stderr)
	}
}

// As a container, by the configuration that the guide shows. No containers are run here: a
// program stands for docker, which gives the function its mounts below a root of its own, and
// looks at what kustomize asks of it.
func TestFunctionInContainer(t *testing.T) {
	dir := t.TempDir()
	lockedApp(t, dir, "")
	_, config, found := strings.Cut(read(t, "../docs/functions.md"), "```yaml\napiVersion: kubepromote.dev/v1alpha1\nkind: PinImages\n")
	config, _, _ = strings.Cut(config, "```")
	if !found || !strings.Contains(config, "container:") {
		t.Fatal("the guide shows no function in a container")
	}
	app := filepath.Join(dir, "app")
	write(t, filepath.Join(app, "pin.yaml"), "apiVersion: kubepromote.dev/v1alpha1\nkind: PinImages\n"+config)
	write(t, filepath.Join(app, "kustomization.yaml"), "resources: [deployment.yaml]\ntransformers: [pin.yaml]\n")
	write(t, filepath.Join(app, "locks", "images.lock"), read(t, filepath.Join(dir, "images.lock")))
	docker := filepath.Join(t.TempDir(), "docker")
	write(t, docker, `#!/bin/sh
case $* in "run --rm -i "*" --network none --user nobody "*",readonly "*" ghcr.io/kubepromote/promote-fn:v"*) ;; *) echo "$*" >&2; exit 1 ;; esac
root=$(mktemp -d)
for word; do
  case $word in type=bind,*) source=${word#*source=}; target=${word#*target=}; cp -R "${source%%,*}" "$root${target%%,*}" ;; esac
done
cd "$root" && exec promote-fn
`)
	if err := os.Chmod(docker, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newShell(t, dir)
	for i, v := range s.env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			s.env[i] = "PATH=" + filepath.Dir(docker) + string(filepath.ListSeparator) + path
		}
	}
	if got := s.run("kustomize", "build", "--enable-alpha-plugins", "app"); !strings.Contains(got, digestOf('a')) {
		t.Errorf("nothing is pinned:\n%s", got)
	}
	t.Log("the image itself is not run: that needs a container runtime")
}
