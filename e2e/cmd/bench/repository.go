package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const oldTag, newTag = "v1.4.2", "v1.5.0"

func service(i int) string { return fmt.Sprintf("service-%05d", i) }

func digest(i int, tag string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(service(i)+tag)))
}

// gitEnvironment keeps the user's settings out: no signing, no hooks.
var gitEnvironment = []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
	"GIT_AUTHOR_NAME=Bench", "GIT_AUTHOR_EMAIL=bench@example.com", "GIT_COMMITTER_NAME=Bench", "GIT_COMMITTER_EMAIL=bench@example.com",
	"GIT_TERMINAL_PROMPT=0"}

// repository is an infrastructure repository with many services. Dev and staging
// run newTag, production oldTag; all pins have digests.
type repository struct {
	dir      string
	services int
}

const start = "refs/bench/start"

func (r *repository) make(ctx context.Context) error {
	fmt.Fprintf(os.Stderr, "making a repository of %d services\n", r.services)
	for i := range r.services {
		if err := r.writeService(i); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(r.dir, "promotion.yaml"), pipeline); err != nil {
		return err
	}
	// No work in the background that would run into the next measurement.
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"config", "gc.auto", "0"}, {"config", "maintenance.auto", "false"},
		{"add", "--all"}, {"commit", "--quiet", "--message=begin"}, {"update-ref", start, "HEAD"}, {"gc", "--quiet"},
	} {
		if _, err := r.git(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// fresh gives a copy, with nothing left to be written to disk. Each round has its
// own: in one that was set back, git would find the objects of the round before,
// and removing those makes the file system slow for a while.
func (r *repository) fresh(ctx context.Context, dir string) (*repository, error) {
	cp := exec.CommandContext(ctx, "cp", "-a", r.dir, dir)
	if out, err := cp.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cp -a: %w\n%s", err, out)
	}
	c := &repository{dir: dir, services: r.services}
	_, err := c.git(ctx, "update-index", "-q", "--refresh")
	flush()
	return c, err
}

// production is the file of a service that is promoted.
func (r *repository) production(i int) string {
	return filepath.Join(r.dir, "apps", service(i), "overlays", "production", "kustomization.yaml")
}

// promoted makes sure that the work was done: the pins in all files, one commit,
// and nothing beside it.
func (r *repository) promoted(ctx context.Context) error {
	for i := range r.services {
		data, err := os.ReadFile(r.production(i))
		if err != nil {
			return err
		}
		if !strings.Contains(string(data), "newTag: "+newTag+"\n") || !strings.Contains(string(data), digest(i, newTag)) {
			return fmt.Errorf("%s: the pin was not set", r.production(i))
		}
	}
	n, err := r.git(ctx, "rev-list", "--count", start+"..HEAD")
	if err != nil {
		return err
	}
	left, err := r.git(ctx, "status", "--porcelain")
	if err == nil && (strings.TrimSpace(n) != "1" || left != "") {
		err = fmt.Errorf("%s: %s commits, and left behind: %q", r.dir, strings.TrimSpace(n), left)
	}
	return err
}

func (r *repository) git(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), gitEnvironment...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", args[0], err, stderr.String())
	}
	return string(out), nil
}

const pipeline = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
metadata: {name: bench}
spec:
  layout:
    path: apps/{service}/overlays/{environment}
  pin: tag+digest
  environments:
  - name: dev
  - name: staging
    from: [dev]
  - name: production
    from: [staging]
`

func (r *repository) writeService(i int) error {
	name := service(i)
	fill := func(text, environment, tag string) string {
		return strings.NewReplacer("NAME", name, "ENV", environment, "TAG", tag, "DIGEST", digest(i, tag)).Replace(text)
	}
	files := map[string]string{}
	for file, text := range baseFiles {
		files[filepath.Join("base", file)] = fill(text, "", "")
	}
	for environment, tag := range map[string]string{"dev": newTag, "staging": newTag, "production": oldTag} {
		for file, text := range overlayFiles {
			files[filepath.Join("overlays", environment, file)] = fill(text, environment, tag)
		}
	}
	for file, text := range files {
		if err := writeFile(filepath.Join(r.dir, "apps", name, file), text); err != nil {
			return err
		}
	}
	return nil
}

var baseFiles = map[string]string{
	"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- deployment.yaml\n- service.yaml\n",
	"deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
spec:
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      containers:
      - name: NAME
        image: shop/NAME
        ports:
        - containerPort: 8080
`,
	"service.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: NAME\nspec:\n  selector: {app: NAME}\n  ports:\n  - port: 80\n    targetPort: 8080\n",
}

var overlayFiles = map[string]string{
	"kustomization.yaml": `# NAME in ENV
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: shop-ENV
resources:
- ../../base

labels:
- pairs:
    environment: ENV

images: # written by promotions
- name: shop/NAME
  newName: registry.example.com/shop/NAME
  newTag: TAG
  digest: DIGEST

configMapGenerator:
- name: NAME-settings
  literals:
  - LOG_LEVEL=info
  - REGION=eu

patches:
- path: replicas.yaml
`,
	"replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: NAME\nspec:\n  replicas: 3\n",
}

func writeFile(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
