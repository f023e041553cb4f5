package overlay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// kustomizationOf makes a file with a number of images and as many patches.
func kustomizationOf(images int) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../../base\nimages:\n")
	for i := range images {
		fmt.Fprintf(&b, "- name: app-%d # an image\n  newName: registry.example.com/shop/app-%d\n  newTag: v1.2.%d\n", i, i, i)
	}
	b.WriteString("patches:\n")
	for i := range images {
		fmt.Fprintf(&b, "- path: patch-%d.yaml\n  target:\n    kind: Deployment\n    name: app-%d\n", i, i)
	}
	return []byte(b.String())
}

func BenchmarkParseEditProof(b *testing.B) {
	for _, images := range []int{5, 50, 500, 5000} {
		src := kustomizationOf(images)
		b.Run(fmt.Sprintf("lines=%d", strings.Count(string(src), "\n")), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				f, err := overlay.Parse("kustomization.yaml", src)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.Set(overlay.Change{Name: "app-3", Tag: overlay.To("v2")}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
