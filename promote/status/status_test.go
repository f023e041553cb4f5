package status

import (
	"errors"
	"slices"
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
		// A digest alone never was behind a target without a pin.
		{"a digest against nothing", history.Pin{Digest: "sha256:2"}, history.Pin{}, true},
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

// A source that cannot be read was one with nothing to promote.
func TestUnknownFrom(t *testing.T) {
	pinned := func(tag string, err error) Environment {
		return Environment{Exists: true, err: err, Images: []Image{{Name: "a", Pin: history.Pin{Tag: tag}}}}
	}
	at := map[string]Environment{"none": {}, "same": pinned("v1", nil), "newer": pinned("v2", nil), "unread": {Exists: true, err: errors.New("x")}, "half": pinned("v2", errors.New("x"))}
	for _, tc := range []struct {
		from, unknown []string
		differs       bool
	}{
		{[]string{"same"}, nil, false},
		{[]string{"none"}, nil, false},
		{[]string{"unread"}, []string{"unread"}, false},
		{[]string{"half"}, []string{"half"}, true},
		{[]string{"unread", "newer"}, []string{"unread"}, true},
		{[]string{"unread", "same"}, nil, false},
		{[]string{"newer", "same", "unread"}, nil, false},
	} {
		e := pinned("v1", nil)
		if e.compare(tc.from, at); e.Differs != tc.differs || !slices.Equal(e.UnknownFrom, tc.unknown) {
			t.Errorf("%v: differs %v, unknown %v", tc.from, e.Differs, e.UnknownFrom)
		}
	}
}
