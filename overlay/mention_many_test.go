package overlay

import (
	"fmt"
	"strings"
	"testing"
)

// A file of many images is asked about each of them. All of it was walked through each
// time: a plan of 16,000 images in one file took a minute.
func TestMentionsOfMany(t *testing.T) {
	var b strings.Builder
	b.WriteString("images:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "- {name: r.example.com/s%d, newTag: v1.0.%d}\n", i, i)
	}
	f, err := Parse("kustomization.yaml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	asked := func() {
		if len(f.Mentions("r.example.com/s7"))+len(f.Versions("v1.0.9")) != 0 {
			t.Fatal("a pin is no mention")
		}
	}
	asked()
	if n := testing.AllocsPerRun(10, asked); n > 50 {
		t.Errorf("%v allocations to ask once more", n)
	}
}
