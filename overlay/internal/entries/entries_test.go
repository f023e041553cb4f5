package entries

import (
	"fmt"
	"testing"
)

// What kustomize 5.8 builds of an image web:v0 with the entries; e2e compares the two
// on random ones.
func TestMake(t *testing.T) {
	t.Parallel()
	const digest = "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3"
	for name, test := range map[string]struct {
		entries []Entry
		want    string
	}{
		"one":              {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}}, "{r/web v1   [] 0}"},
		"chain":            {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}, {Name: "r/web", Tag: "v2"}}, "{r/web v2   [1] 1}"},
		"renamed again":    {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}, {Name: "r/web", NewName: "s/web"}}, "{s/web v1   [1] 0}"},
		"three":            {[]Entry{{Name: "web", NewName: "r/web"}, {Name: "r/web", NewName: "s/web", Tag: "v1"}, {Name: "s/web", Digest: digest}}, "{s/web  " + digest + "  [1 2] 2}"},
		"order counts":     {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}, {Name: "a"}}, "{r/web v1   [] 0}"},
		"tag drops digest": {[]Entry{{Name: "web", NewName: "r/web", Digest: digest}, {Name: "r/web", Tag: "v2"}}, "{r/web v2   [1] 1}"},
		"name with tag":    {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}, {Name: "r/web:v1", Tag: "v2"}}, "{r/web v2   [1] 1}"},
		"another tag":      {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}, {Name: "r/web:v2", Tag: "v3"}}, "{r/web v1   [] 0}"},
		"tag not known":    {[]Entry{{Name: "web", NewName: "r/web"}, {Name: "r/web:v0", Tag: "v3"}}, "{r/web    [] 0}"},
		"own name":         {[]Entry{{Name: "r/web:dev", Tag: "v1"}, {Name: "r/web", Tag: "v2"}}, "{r/web v2   [1] 1}"},
		"dot":              {[]Entry{{Name: "web", NewName: "r-x/web", Tag: "v1"}, {Name: "r.x/web", Tag: "v2"}}, "{r-x/web v2   [1] 1}"},
		"dot at the end":   {[]Entry{{Name: "web", NewName: "r/node-js", Tag: "v1"}, {Name: "r/node.js", Tag: "v2"}}, "{r/node-js v2   [1] 1}"},
		"pattern":          {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}, {Name: "r/(web|api)", Tag: "v2"}}, "{r/web v2   [1] 1}"},
		"malformed":        {[]Entry{{Name: "web", NewName: "r/[web", Tag: "v1"}, {Name: "r/[web", Tag: "v2"}}, "{r/[web v1   [] 0}"},
		"longer name":      {[]Entry{{Name: "web", NewName: "r/web2", Tag: "v1"}, {Name: "r/web", Tag: "v2"}}, "{r/web2 v1   [] 0}"},
		"port is no tag":   {[]Entry{{Name: "web", NewName: "r:5000/web", Tag: "v1"}, {Name: "r", Tag: "v2"}}, "{r:5000/web v1   [] 0}"},
		"suffix":           {[]Entry{{Name: "web", NewName: "r/web", Tag: "v1"}, {Name: "r/web", Suffix: "-a"}}, "{r/web v1-a   [1] 1}"},
		"suffix unknown":   {[]Entry{{Name: "web", NewName: "r/web"}, {Name: "r/web", Suffix: "-a"}}, "{r/web   -a [1] 1}"},
		"suffix dropped":   {[]Entry{{Name: "web", NewName: "r/web", Suffix: "-a"}, {Name: "r/web", Tag: "v2"}}, "{r/web v2   [1] 1}"},
	} {
		t.Run(name, func(t *testing.T) {
			l, ok := NewList(test.entries)
			if !ok {
				t.Fatal("too many patterns")
			}
			if got := fmt.Sprint(l.Make(0)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestTooManyPatterns(t *testing.T) {
	t.Parallel()
	if _, ok := NewList(make([]Entry, 2*maxPatterns)); !ok {
		t.Error("plain names are refused")
	}
	many := make([]Entry, maxPatterns+1)
	for i := range many {
		many[i].Name = fmt.Sprintf("web%d.*", i)
	}
	if _, ok := NewList(many); ok {
		t.Error("any number of patterns is taken")
	}
}
