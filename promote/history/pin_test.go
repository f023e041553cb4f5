package history

import (
	"slices"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// An image that stands in two containers was told to be new in the second one whenever
// another image of the file changed.
func TestImageChangesOfOneNameTwice(t *testing.T) {
	pin := func(name, tag, path string) overlay.Pin {
		return overlay.Pin{Type: overlay.TypeImage, Name: name, Tag: tag, Path: path}
	}
	old := []overlay.Pin{pin("web", "v1", "a"), pin("web", "v1", "b"), pin("proxy", "v1", "c"), pin("gone", "v1", "d"), pin("gone", "v1", "e")}
	now := []overlay.Pin{pin("web", "v1", "a"), pin("web", "v1", "b"), pin("proxy", "v2", "c")}
	var got []string
	for _, c := range ImageChanges("file.yaml", old, now) {
		got = append(got, c.Name+" "+c.Old.Short()+" "+c.New.Short()+" "+c.Path)
	}
	want := []string{"proxy v1 v2 c", "gone v1 none d", "gone v1 none e"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
