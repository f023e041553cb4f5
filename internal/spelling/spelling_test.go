package spelling

import (
	"fmt"
	"strings"
	"testing"
)

func ExampleNearest() {
	environments := []string{"dev", "staging", "production"}
	fmt.Println(Nearest("stagin", environments))
	fmt.Println(Nearest("canary", environments) == "")
	// Output:
	// staging
	// true
}

func TestNearest(t *testing.T) {
	words := []string{"newTag", "newName", "digest", "authorities", "pin", "from"}
	for word, want := range map[string]string{
		"newtag":                               "newTag",      // capitals alone
		"newTga":                               "newTag",      // two letters swapped
		"ditgest":                              "digest",      // one too many
		"igest":                                "digest",      // one left out
		"authority":                            "authorities", // a third of it
		"form":                                 "from",
		"pins":                                 "pin",
		"":                                     "",
		"xx":                                   "",
		"environment":                          "",
		strings.Repeat("a", 1<<20):             "",
		strings.Repeat("d", maxWord) + "igest": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%.20q: got %q, want %q", word, got, want)
		}
	}
	if got := Nearest("word", []string{strings.Repeat("w", 1<<20)}); got != "" {
		t.Errorf("got %.20q", got)
	}
}

func TestNearestOfServices(t *testing.T) {
	names := []string{"cart", "catalog", "checkout", "payments", "web"}
	for name, want := range map[string]string{
		"crat": "cart", "chekout": "checkout", "payment": "payments", "wbe": "web", "zzz": "", "": "", "catalogue": "catalog",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

// Where two are as near, the one that is listed first is meant: the order is that
// of the file or of the documentation.
func TestNearestIsStable(t *testing.T) {
	if got := Nearest("dex", []string{"dev", "des"}); got != "dev" {
		t.Errorf("got %q", got)
	}
}

func TestMeant(t *testing.T) {
	if got := Meant("pni", []string{"pin", "copy"}); got != "did you mean pin?" {
		t.Errorf("got %q", got)
	}
	if got := Meant("gates", []string{"pin", "copy"}); got != "known here: pin, copy" {
		t.Errorf("got %q", got)
	}
}

// Many names are counted.
func TestHint(t *testing.T) {
	many := strings.Split("aa,bb,cc,dd,ee,ff,gg,hh,ii,jj,kk,ll", ",")
	for _, tc := range []struct {
		name  string
		names []string
		want  string
	}{
		{"stagin", []string{"dev", "staging"}, "did you mean staging?"},
		{"zzzz", []string{"dev", "staging"}, "known are dev, staging"},
		{"zzzz", many, "known are aa, bb, cc, dd, ee, ff, gg, hh, ii, jj and 2 more"},
		{"zzzz", nil, ""},
	} {
		if got := Hint(tc.name, tc.names); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
