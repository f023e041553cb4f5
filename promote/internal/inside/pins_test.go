package inside

import (
	"fmt"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// The first pin counts that is at the path itself or at the same path inside the part,
// as a walk over all of them in their order finds it.
func TestPins(t *testing.T) {
	var pins []overlay.Pin
	for i, path := range []string{"eu.api.image", "us.api.image", "us.web.image", "us.api.image"} {
		format := overlay.HelmValues
		if i == 3 {
			format = overlay.Manifest
		}
		pins = append(pins, overlay.Pin{Name: fmt.Sprint("n", i%3), Format: format, Path: path, Tag: fmt.Sprint(i)})
	}
	for _, c := range []struct {
		part, path string
		format     overlay.Format
		tag        string // of what is found
	}{
		{"", "us.api.image", overlay.HelmValues, "1"},
		{"", "us.api.image", overlay.Manifest, "3"},
		{"us", "us.api.image", overlay.HelmValues, "1"},
		{"us", "eu.api.image", overlay.HelmValues, "0"},
		{"us", "web.image", overlay.HelmValues, ""},
		{"us", "us.db.image", overlay.HelmValues, ""},
	} {
		p := NewPins(c.part, pins, func(p overlay.Pin) string { return p.Path })
		if got, ok := p.At(c.format, c.path); got.Tag != c.tag || ok != (c.tag != "") {
			t.Errorf("%+v: got %q, %v", c, got.Tag, ok)
		}
		if got, ok := p.Named("n0"); !ok || got.Tag != "0" {
			t.Errorf("by name: got %q, %v", got.Tag, ok)
		}
		if _, ok := p.Named("n9"); ok {
			t.Error("a name that no pin has is found")
		}
	}
}

// Every pin of a file is asked for once: what that takes grows with the file, not with
// its square. The paths are worked out once each.
func TestPinsOnce(t *testing.T) {
	pins := make([]overlay.Pin, 10_000)
	asked := 0
	for i := range pins {
		pins[i] = overlay.Pin{Format: overlay.HelmValues, Path: fmt.Sprintf("c%d.image", i)}
	}
	p := NewPins("", pins, func(p overlay.Pin) string { asked++; return p.Path })
	for _, pin := range pins {
		if got, ok := p.At(overlay.HelmValues, pin.Path); !ok || got != pin {
			t.Fatalf("%s: got %v, %v", pin.Path, got, ok)
		}
	}
	if asked != len(pins) {
		t.Errorf("%d paths worked out, want %d", asked, len(pins))
	}
}
