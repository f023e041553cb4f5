package hold_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

const begin = "apiVersion: kubepromote.dev/v1alpha1\nkind: Holds\nholds:\n"

const cart = "- service: cart\n  environment: production\n  reason: v2 loses orders\n  by: Ann\n  since: 2026-11-29T12:00:00Z\n"

var cartHold = hold.Hold{Service: "cart", Environment: "production", Reason: "v2 loses orders", By: "Ann", Since: noon}

// What is added and removed again leaves the file as it was, byte for byte, in every form
// that a person may have written it in.
func TestEdit(t *testing.T) {
	web := "- service: web\n  reason: x\n  by: Bob\n  since: 2026-01-02\n"
	for _, tc := range []struct{ name, before, after string }{
		{"empty list", strings.TrimSuffix(begin, "\n") + " [] # none\n", strings.TrimSuffix(begin, "\n") + " # none\n" + cart},
		{"one", begin + web, begin + web + cart},
		{"comments stay where they are", "# top\n" + begin + "# the web\n" + web + "  # inside\n\n# bottom\n", "# top\n" + begin + "# the web\n" + web + "  # inside\n" + cart + "\n# bottom\n"},
		{"indented", begin + "  - {reason: x, by: Bob, since: 2026-01-02}\n", begin + "  - {reason: x, by: Bob, since: 2026-01-02}\n  " + strings.TrimSuffix(strings.ReplaceAll(cart, "\n", "\n  "), "  ")},
		{"not the last key", "apiVersion: kubepromote.dev/v1alpha1\nholds:\n" + web + "\nkind: Holds\n", "apiVersion: kubepromote.dev/v1alpha1\nholds:\n" + web + cart + "\nkind: Holds\n"},
		{"windows", strings.ReplaceAll(begin+web, "\n", "\r\n"), strings.ReplaceAll(begin+web+cart, "\n", "\r\n")},
		{"dash on its own line", begin + "-\n  reason: x\n  by: Bob\n  since: 2026-01-02\n", begin + "-\n  reason: x\n  by: Bob\n  since: 2026-01-02\n" + cart},
		{"the end of the document", begin + web + "...\n", begin + web + cart + "...\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := hold.Add([]byte(tc.before), cartHold)
			if err != nil || string(got) != tc.after {
				t.Fatalf("added: %v\n%s", err, got)
			}
			back, gone, err := hold.Remove(got, func(h hold.Hold) bool { return h.Service == "cart" })
			if err != nil || string(back) != tc.before || len(gone) != 1 || gone[0].Reason != "v2 loses orders" {
				t.Fatalf("removed: %v %v\n%s", err, gone, back)
			}
		})
	}
	first, _, err := hold.Remove([]byte(begin+cart+"# web\n"+web), func(h hold.Hold) bool { return h.Service == "cart" })
	if err != nil || string(first) != begin+"# web\n"+web {
		t.Errorf("the first of two: %v\n%s", err, first)
	}
}

// A file that an edit would not fit into is left alone, and so is one that is malformed.
func TestEditRefused(t *testing.T) {
	for _, data := range []string{
		strings.TrimSuffix(begin, "\n") + " [{service: web, reason: x, by: Bob, since: 2026-01-02}]\n",
		"{apiVersion: kubepromote.dev/v1alpha1, kind: Holds, holds: []}\n",
		"{apiVersion: kubepromote.dev/v1alpha1, kind: Holds}\n",
		"kind: Pipeline\n",
		begin + "- service: web\n",
		begin + "- &a {service: web, reason: x, by: Bob, since: 2026-01-02}\n- *a\n",
	} {
		if got, err := hold.Add([]byte(data), cartHold); err == nil {
			t.Errorf("%s\nbecame\n%s", data, got)
		}
	}
}

// No text of a hold can be taken for another field or another hold.
func TestAddText(t *testing.T) {
	for _, reason := range []string{"a: b", "x\n- service: web", "# no", "\"", "'", "yes", "12", "- x", "\x00\x1b[31m", "ü\u2028z", "%41", strings.Repeat("long ", 100), "null", "{}", " edge "} {
		h := cartHold
		h.Reason, h.By = reason, "Ann <"+reason+">"
		data, err := hold.Add(nil, h)
		if err != nil {
			t.Fatalf("%q: %v", reason, err)
		}
		l, err := hold.Parse(hold.FileName, data, nil)
		if err != nil || len(l.Holds) != 1 || strings.ContainsAny(l.Holds[0].Reason, "\n\x00\x1b") {
			t.Errorf("%q: %v\n%s", reason, err, data)
		}
	}
}

// Which holds are for a service in an environment.
func TestFor(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec: {environments: [{name: dev}, {name: eu, group: production, from: [dev]}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	eu, _ := p.Environment("eu")
	who := ", reason: r, by: b, since: 2026-01-02"
	for _, tc := range []struct {
		entry, service string
		held           bool
	}{
		{"service: cart, environment: eu", "cart", true},
		{"service: cart, environment: eu", "web", false},
		{"service: cart, environment: dev", "cart", false},
		{"service: cart, environment: production", "cart", true},
		{"service: cart", "cart", true},
		{"service: cart", "shop/cart", true},
		{"service: shop/cart", "team/cart", false},
		{"environment: eu", "web", true},
		{"environment: eu, except: [web, 'legacy-*']", "web", false},
		{"environment: eu, except: [web, 'legacy-*']", "legacy-a", false},
		{"environment: eu, except: [web, 'legacy-*']", "cart", true},
		{"environment: eu, until: 2026-11-29T12:00:00Z", "cart", false},
		{"environment: eu, until: 2026-11-29T12:00:01Z", "cart", true},
	} {
		l, err := hold.Parse(hold.FileName, []byte(begin+"- {"+tc.entry+who+"}\n"), p)
		if err != nil {
			t.Fatal(err)
		}
		if _, held := l.For(tc.service, eu, noon); held != tc.held {
			t.Errorf("%s: %s is held: %v", tc.entry, tc.service, held)
		}
	}
	l, err := hold.Parse(hold.FileName, []byte(begin+"- {reason: short, by: b, since: 2026-01-02, until: 2027-01-01}\n- {reason: open, by: b, since: 2026-01-02}\n- {reason: long, by: b, since: 2026-01-02, until: 2028-01-01}\n"), p)
	if err != nil {
		t.Fatal(err)
	}
	if h, _ := l.For("cart", eu, noon); h.Reason != "open" {
		t.Errorf("%v decides", h)
	}
}

// Every fault has its place; an environment that nobody knows would hold nothing.
func TestParseFaults(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec: {environments: [{name: production}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for entry, want := range map[string]string{
		"{reason: r, by: b, since: 2026-01-02, enviroment: x}":           `unknown field "holds[0].enviroment"`,
		"{reason: r, by: b, since: 2026-01-02, environment: prodution}":  `4:54: unknown environment "prodution", so nothing would be held`,
		"{by: b, since: 2026-01-02}":                                     "the hold has no reason",
		"{reason: r, since: 2026-01-02}":                                 "the hold has no by",
		"{reason: r, by: b}":                                             "the hold has no since",
		"{reason: r, by: b, since: yesterday}":                           `"yesterday" is no time`,
		"{reason: r, by: b, since: 2026-01-02, service: ../x}":           `service name "../x" is malformed`,
		"{reason: r, by: b, since: 2026-01-02, service: a, except: [b]}": "the hold of one service has exceptions",
		"{reason: r, by: b, since: 2026-01-02, except: ['[']}":           `service "[" is malformed`,
	} {
		if _, err := hold.Parse(hold.FileName, []byte(begin+"- "+entry+"\n"), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

// An edit of any file either is refused or keeps what stood there, and can be taken back.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(begin+cart), "why")
	f.Add([]byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Holds\nholds: [] # none"), "a: b")
	f.Add([]byte(strings.ReplaceAll(begin+"  - {reason: |\n", "\n", "\r\n")), "x")
	f.Add([]byte(begin+"- reason: |+\n    a\n\n    # b\n\n  by: b\n  since: 2026-01-02\n\n"), "'")
	f.Fuzz(func(t *testing.T, data []byte, reason string) {
		before, err := hold.Parse(hold.FileName, data, nil)
		if err != nil {
			return
		}
		after, err := hold.Add(data, hold.Hold{Service: "fuzzed", Reason: "r " + reason, By: "b", Since: noon})
		if err != nil {
			return
		}
		l, err := hold.Parse(hold.FileName, after, nil)
		if err != nil || len(l.Holds) != len(before.Holds)+1 {
			t.Fatalf("%v\n%s", err, after)
		}
		back, gone, err := hold.Remove(after, func(h hold.Hold) bool { return h.Service == "fuzzed" && h.Since.Equal(noon) })
		if err != nil || len(gone) == 0 {
			t.Fatalf("%v\n%s", err, after)
		}
		if len(gone) == 1 && len(before.Holds) > 0 && !bytes.Equal(bytes.TrimRight(back, "\r\n"), bytes.TrimRight(data, "\r\n")) {
			t.Fatalf("%q\nbecame\n%q", data, back)
		}
	})
}
