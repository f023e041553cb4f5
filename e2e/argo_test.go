package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// argoImages reads the images of an Application: each a string that Argo CD gives
// to `kustomize edit set image` as it is.
func argoImages(t *testing.T, file string) map[string]types.Image {
	t.Helper()
	var app struct {
		Spec struct {
			Source struct{ Kustomize struct{ Images []string } }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, file)), &app); err != nil {
		t.Fatal(err)
	}
	images := make(map[string]types.Image)
	for _, text := range app.Spec.Source.Kustomize.Images {
		name, ref, renamed := strings.Cut(text, "=")
		if !renamed {
			ref = text
		}
		parts := pinned.FindStringSubmatch(ref)
		i := types.Image{Name: parts[1], NewTag: strings.TrimPrefix(parts[2], ":"), Digest: strings.TrimPrefix(parts[3], "@")}
		if renamed {
			i.Name, i.NewName = name, parts[1]
		}
		images[i.Name] = i
	}
	return images
}

// TestSetArgo sets images in an Application's list, and the same images in a
// kustomization with kustomize: the entries must mean the same.
func TestSetArgo(t *testing.T) {
	t.Parallel()
	const port = "reg.example.com:5000/web"
	d := newDifferential(t)
	application := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec:\n  source:\n    repoURL: https://git.example.com/shop.git\n    kustomize:\n      images: # three forms\n" +
		fmt.Sprintf("      - web=%s:v1 # renamed\n      - api:v1@%s\n      - 'db@%s'\n", port, digestOf('1'), digestOf('2'))
	kustomization := fmt.Sprintf("images:\n- {name: web, newName: %q, newTag: v1}\n- {name: api, newTag: v1, digest: %q}\n- {name: db, digest: %q}\n", port, digestOf('1'), digestOf('2'))
	ours, theirs := filepath.Join(d.dir, "app.yaml"), filepath.Join(d.dir, "theirs", "kustomization.yaml")
	compared := 0
	for _, name := range []string{"web", "api", "db"} {
		for _, value := range []string{"", "=*", "=new", "=" + port} {
			for _, pin := range []string{":v2", "@" + digestOf('3'), ":v2@" + digestOf('3'), ":*@" + digestOf('3'), ":v2@*", ""} {
				if value+pin == "" {
					continue
				}
				arg := name + value + pin
				write(t, ours, application)
				write(t, theirs, kustomization)
				d.run("kubectl-promote", "set", "-q", "-f", ours, arg)
				d.in(filepath.Dir(theirs)).run("kustomize", "edit", "set", "image", arg)
				want, _, err := meaning(theirs)
				if err != nil {
					t.Fatal(err)
				}
				if got := argoImages(t, ours); !maps.Equal(got, want) {
					t.Errorf("set %s:\ngot  %v\nwant %v", arg, got, want)
				}
				compared++
			}
		}
	}
	t.Logf("%d arguments compared", compared)
}
