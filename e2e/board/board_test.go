// Package board draws the page of kubectl promote board in a real browser: it is measured,
// typed at and looked for what must not be in it.
package board

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build builds the program under test, unless $KUBECTL_PROMOTE is one.
func build(t *testing.T) string {
	t.Helper()
	if program := os.Getenv("KUBECTL_PROMOTE"); program != "" {
		return program
	}
	program := filepath.Join(t.TempDir(), "kubectl-promote")
	cmd := exec.Command("go", "build", "-o", program, "./cmd/kubectl-promote")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

const pipeline = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: apps/{service}/overlays/{environment}
  environments:
  - name: dev
  - {name: staging, from: [dev]}
  - {name: preprod, from: [staging]}
  - {name: production, from: [preprod]}
`

// repository makes one with so many services, a third of them behind, by somebody with
// a hostile name.
func repository(t *testing.T, services int) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("promotion.yaml", pipeline)
	for i := range services {
		name := fmt.Sprintf("service-%04d", i)
		for n, env := range []string{"dev", "staging", "preprod", "production"} {
			version := 5 + i%5
			if i%3 == 0 {
				version -= n
			}
			digest := sha256.Sum256(fmt.Append(nil, name, version))
			write(filepath.Join("apps", name, "overlays", env, "kustomization.yaml"),
				fmt.Sprintf("images:\n- {name: %s, newName: registry.example.com/shop/%s, newTag: v1.%d.0, digest: \"sha256:%x\"}\n", name, name, version, digest))
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"config", "user.email", "eve@example.com"}, {"config", "gc.auto", "0"}, {"config", "core.fsync", "none"},
		{"config", "user.name", `</script><img src=x onerror="document.title=1">`}, {"add", "--all"}, {"commit", "--quiet", "--message=start"},
	} {
		git(t, dir, args...)
	}
	write("apps/service-0001/overlays/production/kustomization.yaml",
		fmt.Sprintf("images:\n- {name: service-0001, newName: registry.example.com/shop/service-0001, newTag: v1.9.0, digest: \"sha256:%x\"}\n", sha256.Sum256([]byte("v1.9.0"))))
	git(t, dir, "commit", "--quiet", "--all", "--message=production: service-0001 v1.9.0")
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// page writes the page of a repository, and gives its address and its size.
func page(t *testing.T, program, dir string) (string, int) {
	t.Helper()
	cmd := exec.Command(program, "board", "-o", "html", "-C", dir)
	cmd.Stderr = os.Stderr
	html, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "board.html")
	if err := os.WriteFile(file, html, 0o644); err != nil {
		t.Fatal(err)
	}
	return "file://" + file, len(html)
}

// The page of a large repository is there at once, and is used without a mouse.
func TestPage(t *testing.T) {
	program := build(t)
	address, size := page(t, program, repository(t, 3000))
	if size > 3_000_000 {
		t.Errorf("%d bytes", size)
	}
	b := start(t, 1200, 700, address)
	drawn := 1e9
	for range 3 { // a machine may be busy with other things once
		b.value("window.old = true")
		b.call("Page.reload", map[string]any{}, nil)
		b.await("!window.old && document.documentElement?.dataset.drawn !== undefined")
		drawn = min(drawn, b.value("+document.documentElement.dataset.drawn").(float64))
	}
	if t.Logf("%d bytes, drawn after %.0f ms", size, drawn); drawn > 1000 {
		t.Errorf("drawn after %.0f ms", drawn)
	}
	b.shoot("light-3000")
	b.call("Page.bringToFront", map[string]any{}, nil)
	if n := b.value("document.querySelectorAll('#board tbody tr').length").(float64); n > 100 {
		t.Errorf("%.0f rows are drawn of which a screen shows twenty", n)
	}
	b.press("End")
	b.await("document.querySelector('#at')?.dataset.row === '2999'")
	b.press("/")
	for _, letter := range "no such" {
		b.press(string(letter))
	}
	b.await("document.querySelector('#count').textContent === '0 of 3000'")
	b.press("Escape")
	b.press("/")
	for _, letter := range "service-0042" {
		b.press(string(letter))
	}
	b.await("document.querySelector('#count').textContent === '1 of 3000'")
	b.press("Enter")
	b.press("ArrowRight")
	b.press("Enter")
	b.await("document.querySelector('#detail').open")
	about := b.value("document.querySelector('#detail').innerText").(string)
	for _, want := range []string{"service-0042 in staging", "v1.6.0", "sha256:", "apps/service-0042/overlays/staging/kustomization.yaml", "History"} {
		if !strings.Contains(about, want) {
			t.Errorf("a cell's details lack %q:\n%s", want, about)
		}
	}
	b.shoot("detail-3000")
	b.press("Escape")
	b.await("!document.querySelector('#detail').open")
	b.value("document.querySelector('#search').value = ''; document.querySelector('#search').dispatchEvent(new Event('input')); dispatchEvent(new Event('beforeprint'))")
	if n := b.value("document.querySelectorAll('#board tbody tr').length").(float64); n != 3000 {
		t.Errorf("%.0f rows are printed", n)
	}
}

// What stands in a commit is text on the page, in the light and in the dark.
func TestPageHostile(t *testing.T) {
	address, _ := page(t, build(t), repository(t, 3))
	b := start(t, 420, 760, address)
	if n := b.value("document.querySelectorAll('img, iframe, object, link').length + document.scripts.length").(float64); n != 2 {
		t.Errorf("%.0f elements, not two scripts", n)
	}
	if title := b.value("document.title").(string); !strings.HasSuffix(title, ": board") {
		t.Errorf("the title is %q", title)
	}
	b.call("Page.bringToFront", map[string]any{}, nil)
	b.press("f")
	b.await("document.querySelector('#detail').open")
	about := b.value("document.querySelector('#detail').innerText + document.querySelector('.bars')?.ariaLabel").(string)
	for _, want := range []string{"Figures since", "production\t1\t0.1", "Deployments of each week: 0; "} {
		if !strings.Contains(about, want) {
			t.Errorf("the figures lack %q:\n%s", want, about)
		}
	}
	b.shoot("figures-3")
	b.press("Escape")
	b.await("!document.querySelector('#detail').open")
	back := "getComputedStyle(document.body).backgroundColor"
	light := b.value(back)
	b.shoot("narrow-3")
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	if dark := b.value(back); dark == light {
		t.Errorf("the page is %v in the dark as well", dark)
	}
	b.shoot("dark-3")
}
