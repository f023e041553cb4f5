package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The targets for KRM functions.
const (
	functionTimes     = 1.3  // as long as a function that does nothing, at most
	functionResources = 100  // for which that holds
	inProcessTime     = 1.0  // seconds, beyond what kustomize takes by itself
	inProcess         = 1000 // resources for which that holds
)

// functions measures what a function adds to a build: as a program that kustomize
// runs, beside one that does nothing (cat), and in process.
func (b *bench) functions(ctx context.Context) error {
	few, err := b.manifests(functionResources)
	if err != nil {
		return err
	}
	build := func(dir string) command {
		return command{dir: dir, name: b.kustomize, args: []string{"build", "--enable-alpha-plugins", "--enable-exec", "."}, path: filepath.Dir(b.product)}
	}
	ours, nothing := build(filepath.Join(few, "verify")), build(filepath.Join(few, "cat"))
	f, c, err := inTurns(ctx, b.rounds, ours.run, nothing.run)
	if err != nil {
		return err
	}
	alone := build(filepath.Join(few, "none"))
	n, _, err := inTurns(ctx, b.rounds, alone.run, alone.run)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("function, %d", functionResources)
	b.report(what, "kustomize with VerifyImages", f)
	b.report("", "kustomize with cat as a function", c)
	b.report("", "kustomize without", n)
	b.most(what, (f.wall()-n.wall())/(c.wall()-n.wall()), "× what cat adds", functionTimes, f)
	return b.functionsInProcess(ctx)
}

func (b *bench) functionsInProcess(ctx context.Context) error {
	many, err := b.manifests(inProcess)
	if err != nil {
		return err
	}
	in := command{dir: filepath.Join(many, "verify"), name: b.product, args: []string{"build", "."}}
	none := command{dir: filepath.Join(many, "none"), name: b.product, args: []string{"build", "."}}
	f, n, err := inTurns(ctx, b.long, in.run, none.run)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("in process, %d", inProcess)
	b.report(what, "promote build with VerifyImages", f)
	b.report("", "promote build without", n)
	b.most(what, f.wall()-n.wall(), "s more", inProcessTime, f)
	return nil
}

const benchDeployment = `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  labels: {app: NAME}
spec:
  replicas: 3
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      initContainers:
      - name: migrate
        image: registry.example.com/tools/migrate:v1@DIGEST
      containers:
      - name: NAME
        image: registry.example.com/shop/NAME:v1@DIGEST
        ports:
        - containerPort: 8080
        resources:
          limits: {memory: 1Gi}
`

// manifests writes three kustomizations of the same resources: with a function of
// ours, with one that does nothing, and without.
func (b *bench) manifests(n int) (string, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("functions-%d", n))
	var all strings.Builder
	for i := range n {
		all.WriteString(strings.NewReplacer("NAME", service(i), "DIGEST", digest(i, newTag)).Replace(benchDeployment))
	}
	// The list is transformers: in validators kustomize refuses every program, since
	// it takes the paths that it notes on the resources itself for changes.
	for name, program := range map[string]string{"verify": "promote-fn", "cat": "cat", "none": ""} {
		files := map[string]string{"all.yaml": all.String(), "kustomization.yaml": "resources: [all.yaml]\n"}
		if program != "" {
			files["kustomization.yaml"] += "transformers: [function.yaml]\n"
			files["function.yaml"] = "apiVersion: kubepromote.dev/v1alpha1\nkind: VerifyImages\nmetadata:\n  name: verify\n  annotations:\n    config.kubernetes.io/function: \"exec: {path: " + program + "}\"\n"
		}
		for file, text := range files {
			if err := writeFile(filepath.Join(dir, name, file), text); err != nil {
				return "", err
			}
		}
	}
	return dir, nil
}

// withPath gives the environment with a folder in front of PATH.
func withPath(dir string) []string {
	if dir == "" {
		return os.Environ()
	}
	return append(os.Environ(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}
