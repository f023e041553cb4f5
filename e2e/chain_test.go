package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// TestChains compares what `images` says of entries that are about one another's names
// with what kustomize builds of them, and what `set NAME=*:TAG` makes of it with what
// is built then.
func TestChains(t *testing.T) {
	t.Parallel()
	s := newShell(t, t.TempDir())
	g := rand.New(rand.NewPCG(uint64(*seed), 13))
	names := []string{"web", "r.example.com/web", "r-example.com/web", "s.example.com/web", "r.example.com/web:v1", "r.example.com/(web|api)"}
	chains := 0
	for range *combinations / 4 {
		perm := g.Perm(len(names))
		var text strings.Builder
		for _, i := range perm[:2+g.IntN(4)] {
			fmt.Fprintf(&text, "- name: %s\n", names[i])
			if g.IntN(2) == 0 {
				fmt.Fprintf(&text, "  newName: %s\n", names[1+g.IntN(3)])
			}
			switch g.IntN(4) {
			case 0:
				fmt.Fprintf(&text, "  digest: sha256:%064d\n", g.IntN(9))
			case 1, 2:
				fmt.Fprintf(&text, "  newTag: v%d\n", 1+g.IntN(3))
			}
		}
		if !strings.Contains(text.String(), "name: web\n") {
			continue
		}
		built := s.build(text.String())
		pin := s.pin(built.file, "web")
		if got := pin.ref("v0"); got != built.image {
			t.Errorf("images says %s, kustomize builds %s of\n%s", got, built.image, text.String())
		}
		status, _, stderr := s.try("kubectl-promote", "set", "-q", "-f", built.file, "web=*:v9")
		if status != 0 {
			t.Errorf("set web=*:v9: exit status %d: %s", status, stderr)
			continue
		}
		after := s.run("kustomize", "build", filepath.Dir(built.file))
		pin.Tag, pin.Digest = "v9", ""
		if want := pin.ref(""); !strings.Contains(after, "image: "+want+"\n") {
			t.Errorf("set web=*:v9 is to give %s; kustomize builds\n%s\nof\n%s", want, after, read(t, built.file))
		}
		if strings.Contains(text.String(), "newName") {
			chains++
		}
	}
	t.Logf("%d with a new name", chains)
}

// builtImage is what becomes of web:v0 in a kustomization.
type builtImage struct{ file, image string }

func (s *shell) build(images string) builtImage {
	s.Helper()
	dir := filepath.Join(s.dir, "overlay")
	write(s.T, filepath.Join(dir, "pod.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"web:v0\"}]}\n")
	b := builtImage{file: filepath.Join(dir, "kustomization.yaml")}
	write(s.T, b.file, "resources: [pod.yaml]\nimages:\n"+images)
	_, rest, _ := strings.Cut(s.run("kustomize", "build", dir), "image: ")
	b.image, _, _ = strings.Cut(rest, "\n")
	return b
}

// listedPin is what `images` says of an image.
type listedPin struct{ Name, NewName, Tag, Digest string }

// ref is the image as it is built; tag is what the manifests have.
func (p listedPin) ref(tag string) string {
	ref := p.Name
	if p.NewName != "" {
		ref = p.NewName
	}
	if p.Tag != "" || p.Digest != "" {
		tag = p.Tag
	}
	if tag != "" {
		ref += ":" + tag
	}
	if p.Digest != "" {
		ref += "@" + p.Digest
	}
	return ref
}

func (s *shell) pin(file, name string) listedPin {
	s.Helper()
	var list struct{ Items []listedPin }
	if err := json.Unmarshal([]byte(s.run("kubectl-promote", "images", "-q", "-f", file, "-o", "json")), &list); err != nil {
		s.Fatal(err)
	}
	for _, p := range list.Items {
		if p.Name == name {
			return p
		}
	}
	s.Fatalf("images does not list %s of %s", name, file)
	return listedPin{}
}
