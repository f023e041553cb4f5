package record

import (
	"testing"
	"time"
)

func TestOverride(t *testing.T) {
	until := time.Date(2026, 11, 28, 19, 2, 0, 0, time.UTC)
	for _, o := range []Override{
		{Gate: "freeze", By: "Ada <ada@example.com>", Until: until, Reason: "INC-12: the fix"},
		{Gate: "freeze", By: "Ada <ada@example.com>", Reason: "one; two; until then"},
	} {
		message := "promote\n\n" + KeyService + ": cart\n" + KeyOverride + ": " + Escape(o.String()) + "\n"
		all := Parse(message)
		if len(all) != 1 || len(all[0].Overrides) != 1 || all[0].Overrides[0] != o {
			t.Errorf("%q is read as %+v", o, all)
		}
	}
	// Nobody else's text becomes a gate or a time.
	for _, text := range []string{"", "freeze", "freeze; because", "freeze; by Ada"} {
		if o := parseOverride(text); o.Gate != "" || o.Reason != text {
			t.Errorf("%q is read as %+v", text, o)
		}
	}
	if o := parseOverride("freeze; by A; until never; x"); !o.Until.IsZero() || o.Reason != "until never; x" {
		t.Errorf("%+v", o)
	}
	if text := (Override{Gate: "g", By: "A; until 2030-01-01T00:00:00Z"}).String(); parseOverride(text).Until.Year() == 2030 {
		t.Errorf("a name has set a time: %s", text)
	}
}
