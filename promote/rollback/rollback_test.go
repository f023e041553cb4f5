package rollback_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/record"
	"github.com/kubepromote/kubepromote/promote/rollback"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// changes makes a history of one image, newest first, of "commit pin" from the oldest on;
// "commit pin of" is a rollback.
func changes(lines ...string) []history.Change {
	var out []history.Change
	old := history.Pin{}
	for n, line := range lines {
		f := strings.Fields(line)
		pin := history.Pin{Tag: f[1], Digest: "sha256:" + f[1]}
		if f[1] == "none" {
			pin = history.Pin{}
		}
		c := history.Change{Commit: f[0], Time: start.Add(time.Duration(n) * time.Hour), Service: "cart", Environment: "production",
			Images: []history.ImageChange{{Name: "cart", Overlay: "o", File: "o/f.yaml", Path: "images[0]", Repository: "cart", Old: old, New: pin}}}
		if len(f) > 2 {
			c.Record = &record.Trailers{RollbackOf: f[2]}
		}
		out = append([]history.Change{c}, out...)
		old = pin
	}
	return out
}

// What moved without any image is no step, and a revision that it made can be gone back to.
func TestWalkAlong(t *testing.T) {
	all := changes("a v1", "b v2", "c v3")
	chart := all[1]
	chart.Commit, chart.Images, chart.Along = "x", nil, []history.AlongChange{{Kind: "chart", Name: "redis", Old: "1", New: "2"}}
	for _, target := range []rollback.Target{{Steps: 1}, {Change: "x"}, {Change: "b"}} {
		w := rollback.NewWalk(target)
		for _, c := range []history.Change{all[0], chart, all[1], all[2]} {
			if !w.Visit(c) {
				break
			}
		}
		found, err := w.Found()
		if err != nil || len(found.Pins) != 1 || found.Pins[0].Tag != "v2" {
			t.Errorf("%+v: %+v, %v", target, found, err)
		}
	}
}

// Where a history leads back to: further each time, and never forward to what was left.
func TestWalk(t *testing.T) {
	three := []string{"a v1", "b v2", "c v3"}
	for _, tc := range []struct {
		name   string
		lines  []string
		target rollback.Target
		tag    string // of the pin; empty where there is an error
		of     string
	}{
		{"one step", three, rollback.Target{Steps: 1}, "v2", "c"},
		{"two steps", three, rollback.Target{Steps: 2}, "v1", "b"},
		{"before the first", three, rollback.Target{Steps: 3}, "", ""},
		{"more than there are", three, rollback.Target{Steps: 4}, "", ""},
		{"nothing", nil, rollback.Target{Steps: 1}, "", ""},
		{"again", append(three, "d v2 c"), rollback.Target{Steps: 1}, "v1", "b"},
		{"and no further", append(three, "d v2 c", "e v1 b"), rollback.Target{Steps: 1}, "", ""},
		{"after a promotion", append(three, "d v2 c", "e v4"), rollback.Target{Steps: 1}, "v2", "e"},
		{"twice after a promotion", append(three, "d v2 c", "e v4"), rollback.Target{Steps: 2}, "v1", "b"},
		{"a rollback that was taken back", append(three, "d v2 c", "e v3 d"), rollback.Target{Steps: 1}, "v2", "c"},
		{"two at once", append(three, "d v1 b", "e v5"), rollback.Target{Steps: 1}, "v1", "e"},
		{"of what is no more", append(three, "d v2 gone"), rollback.Target{Steps: 1}, "", ""},
		{"to a revision", three, rollback.Target{Change: "a"}, "v1", "b"},
		{"forward to a revision", append(three, "d v2 c"), rollback.Target{Change: "c"}, "v3", "d"},
		{"to another history", three, rollback.Target{Change: "x"}, "", ""},
		{"to a time", three, rollback.Target{Time: start.Add(90 * time.Minute)}, "v2", "c"},
		{"to the very moment", three, rollback.Target{Time: start.Add(time.Hour)}, "v2", "c"},
		{"to a time before", three, rollback.Target{Time: start.Add(-time.Hour)}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := rollback.NewWalk(tc.target)
			for _, c := range changes(tc.lines...) {
				if !w.Visit(c) {
					break
				}
			}
			f, err := w.Found()
			switch {
			case tc.tag == "" && err == nil:
				t.Errorf("found %v", f.Pins)
			case tc.tag != "" && err != nil:
				t.Error(err)
			case tc.tag != "" && (len(f.Pins) != 1 || f.Pins[0].Tag != tc.tag || f.Of != tc.of):
				t.Errorf("%v of %s", f.Pins, f.Of)
			}
		})
	}
	w := rollback.NewWalk(rollback.Target{Change: "c"})
	w.Visit(changes(three...)[0])
	if f, err := w.Found(); err != nil || len(f.Taken) != 0 {
		t.Errorf("where it is: %v, %v", f, err)
	}
}

// What does not go back is told, and another registry is no pin.
func TestNotes(t *testing.T) {
	image := func(name string, old, now history.Pin) history.ImageChange {
		return history.ImageChange{Name: name, Overlay: "o", File: "o/f.yaml", Path: name, Old: old, New: now}
	}
	v1, v2 := history.Pin{Tag: "v1"}, history.Pin{Tag: "v2", Digest: "sha256:2"}
	c := history.Change{Commit: "0123456789ab", Record: &record.Trailers{Along: []string{"chart redis=2.0"}}, Images: []history.ImageChange{
		image("cart", v1, v2), image("new", history.Pin{}, v2), image("old", v2, history.Pin{}),
	}}
	w := rollback.NewWalk(rollback.Target{Steps: 1})
	w.Visit(c)
	f, err := w.Found()
	if err != nil || len(f.Pins) != 1 {
		t.Fatalf("%v, %v", f, err)
	}
	want := []string{
		"chart redis moved with the images in commit 012345678, and stays as it is",
		`o/f.yaml: image "cart" was pinned to the tag v1 alone then: what that stands for now is what comes`,
		`o/f.yaml: image "new" had no pin then, and stays at v2`,
		`o/f.yaml: image "old" was pinned to v2 then and has gone since; it does not come back`,
	}
	if got := strings.Join(f.Notes, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%s", got)
	}
	c.Images[0].OldRepository = "elsewhere/cart"
	w = rollback.NewWalk(rollback.Target{Steps: 1})
	w.Visit(c)
	if _, err := w.Found(); err == nil || !strings.Contains(err.Error(), `came from elsewhere/cart before`) {
		t.Error(err)
	}
}
