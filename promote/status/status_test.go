package status

import (
	"testing"

	"github.com/kubepromote/kubepromote/promote/history"
)

// Whether there is something to promote: digests decide where both sides have one,
// else the tags do.
func TestDiffers(t *testing.T) {
	for _, tc := range []struct {
		name           string
		source, target history.Pin
		want           bool
	}{
		{"the same tag", history.Pin{Tag: "v1"}, history.Pin{Tag: "v1"}, false},
		{"another tag", history.Pin{Tag: "v2"}, history.Pin{Tag: "v1"}, true},
		{"the same digest under another tag", history.Pin{Tag: "v2", Digest: "sha256:1"}, history.Pin{Tag: "v1", Digest: "sha256:1"}, false},
		{"another digest under the same tag", history.Pin{Tag: "v1", Digest: "sha256:2"}, history.Pin{Tag: "v1", Digest: "sha256:1"}, true},
		{"a digest on one side", history.Pin{Tag: "v1", Digest: "sha256:2"}, history.Pin{Tag: "v1"}, false},
		{"a digest against a tag", history.Pin{Digest: "sha256:2"}, history.Pin{Tag: "v1"}, true},
		{"nothing in the source", history.Pin{}, history.Pin{Tag: "v1"}, false},
		{"nothing in the target", history.Pin{Tag: "v1"}, history.Pin{}, true},
	} {
		source := []Image{{Name: "a", Pin: tc.source}}
		target := []Image{{Name: "a", Pin: tc.target}, {Name: "b", Pin: history.Pin{Tag: "x"}}}
		if got := differs(source, target); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if !differs([]Image{{Name: "a", Pin: history.Pin{Tag: "v1"}}}, nil) {
		t.Error("an image that the target does not have")
	}
}
