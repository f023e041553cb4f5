package sources_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/sources"
)

const (
	a = "abc1234abc1234abc1234abc1234abc1234abc12"
	b = "def5678def5678def5678def5678def5678def56"
)

func ExampleBetween() {
	c, ok := sources.Between(sources.Of{URL: "https://github.com/shop/cart", Revision: a}, sources.Of{URL: "git@github.com:shop/cart.git", Revision: b}, nil)
	fmt.Println(ok, c)
	fmt.Println(c.Compare)
	// Output:
	// true https://github.com/shop/cart abc1234..def5678
	// https://github.com/shop/cart/compare/abc1234abc1234abc1234abc1234abc1234abc12...def5678def5678def5678def5678def5678def56
}

// Each host has its form, and of an unknown one there is none.
func TestCompare(t *testing.T) {
	more := map[string]sources.Kind{"git.example.com:3000": sources.Gitea}
	for address, want := range map[string]string{
		"https://gitlab.com/a/b/c":           "https://gitlab.com/a/b/c/-/compare/" + a + "..." + b,
		"https://github.com/a/b/c":           "",
		"https://github.com/a":               "",
		"https://codeberg.org/a/b.git":       "https://codeberg.org/a/b/compare/" + a + "..." + b,
		"ssh://git@bitbucket.org:22/a/b":     "https://bitbucket.org/a/b/branches/compare/" + b + "%0D" + a,
		"git+https://shop.ghe.com/a/b":       "https://shop.ghe.com/a/b/compare/" + a + "..." + b,
		"http://git.example.com:3000/a/b":    "http://git.example.com:3000/a/b/compare/" + a + "..." + b,
		"https://git.example.com/a/b":        "",
		"https://github.com/a/b?tab=x#where": "https://github.com/a/b/compare/" + a + "..." + b,
	} {
		c, ok := sources.Between(sources.Of{URL: address, Revision: a}, sources.Of{URL: address, Revision: b}, more)
		if !ok || c.Compare != want {
			t.Errorf("%s: %v %q", address, ok, c.Compare)
		}
	}
	same, ok := sources.Between(sources.Of{URL: "https://github.com/a/b", Revision: a}, sources.Of{URL: "https://github.com/a/b", Revision: a}, nil)
	if !ok || same.Compare != "" || same.String() != "https://github.com/a/b abc1234, the same commit" {
		t.Errorf("%v %+v", ok, same)
	}
	tags, ok := sources.Between(sources.Of{URL: "https://github.com/a/b", Revision: "v1.2"}, sources.Of{URL: "https://github.com/a/b", Revision: a}, nil)
	if !ok || tags.Compare != "" || tags.String() != "https://github.com/a/b v1.2..abc1234" {
		t.Errorf("%v %+v", ok, tags)
	}
}

// Labels are anybody's text: what is no plain address or revision, or is said by one image
// alone, claims nothing.
func TestHostile(t *testing.T) {
	good := sources.Of{URL: "https://github.com/a/b", Revision: a}
	for _, bad := range []sources.Of{
		{}, {URL: good.URL}, {Revision: a}, {URL: "https://github.com/a/other", Revision: a},
		{URL: "javascript:alert(1)", Revision: a}, {URL: "file:///etc/passwd", Revision: a}, {URL: "https://github.com/a/b\n", Revision: a},
		{URL: "https://github.com/a/../b", Revision: a}, {URL: "https://github.com/a/[b](x)", Revision: a}, {URL: "https://github.com//a/b", Revision: a},
		{URL: "https://gith\x1bub.com/a/b", Revision: a}, {URL: "https://" + strings.Repeat("a/", 200), Revision: a},
		{URL: good.URL, Revision: "abc 123"}, {URL: good.URL, Revision: "--all"}, {URL: good.URL, Revision: "a..b"}, {URL: good.URL, Revision: "a\nb"}, {URL: good.URL, Revision: strings.Repeat("a", 129)},
	} {
		if c, ok := sources.Between(good, bad, nil); ok {
			t.Errorf("%+v: %+v", bad, c)
		}
		if c, ok := sources.Between(bad, bad, nil); ok && bad.URL != "https://github.com/a/other" {
			t.Errorf("%+v twice: %+v", bad, c)
		}
	}
	if c, ok := sources.Between(good, sources.Of{URL: "https://user:secret@github.com/a/b", Revision: b}, nil); !ok || strings.Contains(fmt.Sprint(c, c.Compare), "secret") {
		t.Errorf("%v %+v", ok, c)
	}
}
