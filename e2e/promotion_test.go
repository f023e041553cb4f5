package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/e2e/internal/registry"
)

// shop is the ecommerce example on a real registry, with images that the cosign
// CLI has signed.
type shop struct {
	*shell
	registry *registry.Registry
	host     string
	digests  map[string]string // by repository and tag, as crane gives them
}

// images are the repositories of the example and the overlays they are in.
var images = map[string]string{
	"shop/cart":                "cart",
	"shop/catalog":             "catalog",
	"shop/checkout":            "checkout",
	"shop/inventory":           "inventory",
	"shop/payments":            "payments",
	"shop/payments-migrations": "payments",
}

func newShop(t *testing.T) *shop {
	t.Helper()
	r := startRegistry(t)
	s := &shop{shell: newShell(t, t.TempDir()), registry: r, host: r.Host, digests: make(map[string]string)}
	keys := s.in(t.TempDir())
	keys.run("cosign", "generate-key-pair")
	s.copyExample(read(t, filepath.Join(keys.dir, "cosign.pub")))
	bundle := false
	for image := range images {
		for _, tag := range []string{"v1.0.0", "v1.1.0"} {
			ref := s.host + "/" + image + ":" + tag
			layer := filepath.Join(keys.dir, "layer.tar")
			if err := writeLayer(layer, ref); err != nil {
				t.Fatal(err)
			}
			keys.run("crane", "append", "--oci-empty-base", "--new_layer", layer, "--new_tag", ref)
			s.digests[image+":"+tag] = strings.TrimSpace(keys.run("crane", "digest", ref))
			keys.sign(s.host+"/"+image+"@"+s.digests[image+":"+tag], bundle)
			bundle = !bundle // both forms, in turns
		}
	}
	s.run("git", "init", "--quiet")
	s.run("git", "add", "--all")
	s.run("git", "commit", "--quiet", "--message=begin")
	return s
}

// sign signs with cosign.key in the shell's folder.
func (s *shell) sign(ref string, bundle bool) {
	s.Helper()
	args := []string{"sign", "--yes", "--key=cosign.key", "--tlog-upload=false"}
	if bundle {
		args = append(args, "--new-bundle-format", "--use-signing-config=false")
	}
	s.run("cosign", append(args, ref)...)
}

func (s *shop) copyExample(publicKey string) {
	s.Helper()
	example := os.DirFS(filepath.Join("..", "examples", "ecommerce", "repository"))
	err := fs.WalkDir(example, ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(example, file)
		text := strings.ReplaceAll(string(data), exampleRegistry, s.host)
		if strings.HasSuffix(file, "cosign.pub") {
			text = publicKey
		}
		write(s.T, filepath.Join(s.dir, file), text)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}

// renderers are the two programs that users render overlays with.
var renderers = map[string][]string{
	"kustomize": {"build"},
	"kubectl":   {"kustomize"},
}

// render gives what a renderer makes of each service's overlay.
func (s *shop) render(program, environment string) map[string]string {
	s.Helper()
	out := make(map[string]string)
	for _, service := range images {
		if out[service] == "" {
			dir := filepath.Join("apps", service, "overlays", environment)
			out[service] = s.run(program, append(renderers[program], dir)...)
		}
	}
	return out
}

// TestPromotion takes the example from dev to production, as a user would: two
// commits, which change one line for each pin and are read by kustomize and by
// kubectl just so.
func TestPromotion(t *testing.T) {
	needs(t, "kubectl", "the overlays are rendered with kubectl kustomize, too")
	s := newShop(t)
	before := make(map[string]map[string]string)
	for program := range renderers {
		before[program] = s.render(program, "production")
	}

	s.promote("staging")
	s.promote("production")

	for program := range renderers {
		after := s.render(program, "production")
		for image, service := range images {
			want := "image: " + s.host + "/" + image + ":v1.1.0@" + s.digests[image+":v1.1.0"] + "\n"
			if !strings.Contains(after[service], want) {
				t.Errorf("%s of %s in production lacks %s\n%s", program, service, want, after[service])
			}
		}
		for service, text := range after {
			onlyImagesDiffer(t, program+" of "+service, before[program][service], text)
		}
	}
	// Both environments have the very same pins.
	for service := range before["kustomize"] {
		overlay := func(environment string) []string {
			return imageEntry.FindAllString(read(t, filepath.Join(s.dir, "apps", service, "overlays", environment, "kustomization.yaml")), -1)
		}
		if got, want := strings.Join(overlay("production"), "\n"), strings.Join(overlay("staging"), "\n"); got != want || got == "" {
			t.Errorf("the pins of %s in production are\n%s\nin staging\n%s", service, got, want)
		}
	}
	s.again()
}

var imageEntry = regexp.MustCompile(`(?m)^- \{name: shop/.*\}$`)

// promote promotes everything with a commit and looks at that commit.
func (s *shop) promote(environment string) {
	s.Helper()
	parent := s.run("git", "rev-parse", "HEAD")
	stdout, stderr := s.exits(0, "kubectl-promote", "--all", "--to", environment)
	if strings.Count(stdout, "committed") != len(images) || stderr != "" {
		s.Errorf("promotion to %s:\n%s%s", environment, stdout, stderr)
	}
	if got := s.run("git", "rev-parse", "HEAD^"); got != parent {
		s.Errorf("the promotion to %s is not one commit on top of the head", environment)
	}
	if left := s.run("git", "status", "--porcelain", "--ignored"); left != "" {
		s.Errorf("the promotion to %s leaves behind\n%s", environment, left)
	}
	files := 0
	for line := range strings.Lines(s.run("git", "show", "--numstat", "--format=", "HEAD")) {
		files++
		got, want := strings.Fields(line), "1"
		if strings.Contains(line, "/payments/") {
			want = "2" // images
		}
		if got[0] != want || got[1] != want {
			s.Errorf("the promotion to %s changes +%s −%s lines of %s, want %s", environment, got[0], got[1], got[2], want)
		}
		if !strings.HasSuffix(got[2], "/overlays/"+environment+"/kustomization.yaml") {
			s.Errorf("the promotion to %s changes %s", environment, got[2])
		}
	}
	if files != 5 {
		s.Errorf("the promotion to %s changes %d files, not one for each of the 5 services", environment, files)
	}
}

// again runs the last promotion once more: there is nothing to do.
func (s *shop) again() {
	s.Helper()
	head := s.run("git", "rev-parse", "HEAD")
	stdout, _ := s.exits(0, "kubectl-promote", "--all", "--to", "production")
	if got := s.run("git", "rev-parse", "HEAD"); got != head || strings.Count(stdout, "unchanged") != len(images) {
		s.Errorf("the second promotion to production:\n%s", stdout)
	}
}

// onlyImagesDiffer compares two texts line by line.
func onlyImagesDiffer(t *testing.T, what, before, after string) {
	t.Helper()
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	if len(a) != len(b) {
		t.Errorf("%s has %d lines, had %d", what, len(b), len(a))
		return
	}
	differ := 0
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		differ++
		indentA, _, okA := strings.Cut(a[i], "image: ")
		indentB, _, okB := strings.Cut(b[i], "image: ")
		if !okA || !okB || indentA != indentB {
			t.Errorf("%s differs in line %d:\n%s\n%s", what, i+1, a[i], b[i])
		}
	}
	if differ == 0 {
		t.Errorf("%s is the same as before", what)
	}
}

// TestRefusedPromotion promotes an image that somebody else has signed, and one
// while the registry is gone: neither leaves a trace.
func TestRefusedPromotion(t *testing.T) {
	s := newShop(t)
	other := s.in(t.TempDir())
	other.run("cosign", "generate-key-pair")
	ref := s.host + "/shop/cart:v1.2.0"
	layer := filepath.Join(other.dir, "layer.tar")
	if err := writeLayer(layer, ref); err != nil {
		t.Fatal(err)
	}
	other.run("crane", "append", "--oci-empty-base", "--new_layer", layer, "--new_tag", ref)
	other.sign(s.host+"/shop/cart@"+strings.TrimSpace(other.run("crane", "digest", ref)), false)
	s.run("kubectl-promote", "set", "shop/cart=*:v1.2.0", "-k", "apps/cart/overlays/dev")
	s.run("git", "commit", "--quiet", "--all", "--message=dev: cart v1.2.0")
	head := s.run("git", "rev-parse", "HEAD")

	check := func(stderr, want string) {
		t.Helper()
		if !strings.Contains(stderr, want) {
			t.Errorf("the message lacks %q:\n%s", want, stderr)
		}
		if got := s.run("git", "rev-parse", "HEAD"); got != head {
			t.Errorf("there is a commit")
		}
		if left := s.run("git", "status", "--porcelain"); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
	}
	_, stderr := s.exits(3, "kubectl-promote", "--all", "--to", "staging")
	check(stderr, "another key")

	s.registry.Stop()
	_, stderr = s.exits(5, "kubectl-promote", "--all", "--to", "staging")
	check(stderr, "connection refused")
}
