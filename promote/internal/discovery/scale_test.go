package discovery

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// large writes a repository of n services in four layouts with three environments.
func large(t testing.TB, n int) string {
	t.Helper()
	root := t.TempDir()
	write := func(at, what string) {
		at = filepath.Join(root, filepath.FromSlash(at))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content(t, what)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		name := fmt.Sprintf("service-%05d", i)
		for _, e := range []string{"dev", "staging", "production"} {
			switch i % 4 {
			case 0:
				write("apps/"+name+"/overlays/"+e+"/kustomization.yaml", "kustomization:"+name)
			case 1:
				write("charts/"+name+"/values-"+e+".yaml", "block:"+name)
			case 2:
				write("clusters/"+e+"/infrastructure/"+name+".yaml", "patch:"+name)
			case 3:
				write("environments/"+e+"/"+name+"/values.yaml", "tag")
			}
		}
		if i%4 == 0 {
			write("apps/"+name+"/base/kustomization.yaml", "resources")
			write("apps/"+name+"/base/deployment.yaml", "deployment:"+name)
		}
	}
	return root
}

// prelisted is a tree whose files git knows.
type prelisted struct {
	Tree
	files []string
}

func (p prelisted) Files(context.Context) ([]string, error) { return p.files, nil }

func asTree(root string) Tree { return os.DirFS(root).(Tree) }

func TestDiscoverLarge(t *testing.T) {
	r, err := Discover(context.Background(), asTree(large(t, 400)))
	if err != nil || len(r.Shapes) != 4 || len(r.Environments) != 3 || len(r.Left) != 0 {
		t.Fatalf("%s%v", told(r), err)
	}
	for _, s := range r.Shapes {
		if s.Services != 100 || s.Pins != 100 {
			t.Errorf("%s: %d services with %d pins", s.Path, s.Services, s.Pins)
		}
	}
}

func BenchmarkDiscover(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		root := large(b, n)
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Discover(context.Background(), asTree(root)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(heap(), "MB-heap")
		})
		b.Run(fmt.Sprintf("%d/walk", n), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := Files(context.Background(), asTree(root)); err != nil {
					b.Fatal(err)
				}
			}
		})
		files, _, err := Files(context.Background(), asTree(root))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%d/listed", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Discover(context.Background(), prelisted{asTree(root), files}); err != nil {
					b.Fatal(err)
				}
			}
		})
		// What a status does at the least.
		b.Run(fmt.Sprintf("%d/parse", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parseAll(b, root)
			}
		})
	}
}

// heap is what the process has from the system for its heap, in megabytes.
func heap() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapSys-m.HeapReleased) / 1e6
}

func parseAll(t testing.TB, root string) {
	err := filepath.WalkDir(root, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(at)
		if err == nil {
			_, err = overlay.Parse(at, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
