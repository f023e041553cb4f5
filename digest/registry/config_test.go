package registry_test

import (
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/digest/registry"
)

const someRegistries = `
unqualified-search-registries = ["docker.io"]
short-name-mode = "enforcing"

[[registry]]
prefix = "quay.example.com/shop"
location = "registry.example.com/mirror/shop"
insecure = false

[[registry.mirror]]
location = "mirror.example.com:5000/shop"
insecure = true
pull-from-mirror = "digest-only"

[[registry]] # no one pulls from here
prefix = "*.bad.example.com"
blocked = true

[aliases]
"debian" = "docker.io/library/debian"
`

func TestParseConfigErrors(t *testing.T) {
	if _, err := registry.ParseConfig("registries.conf", []byte(someRegistries)); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ text, want string }{
		{"[[registry]]\nlocation = \"r.example\"\ncolour = \"red\"\n", `c:3: unknown field "registry.colour"`},
		{"[[registry]]\nlocation = \"r.example\"\n[[registry.mirror]]\nlocation = \"m.example\"\npull = \"all\"", `c:5: unknown field "registry.mirror.pull"`},
		{"[[registry]\n", "c:2:11: expected end of table array"},
		{"[[registry]]\nblocked = \"yes\"\n", "c:2: incompatible types: TOML value has type string; destination has type boolean"},
		{"[[registry]]\nlocation = \"a.example\"\n\n[[registry]]\nblocked = true\n", "c:4: registry 2: neither prefix nor location"},
		{"[[registry]]\nprefix = \"https://r.example\"\n", "c:1: registry 1: prefix: a URL, write only host and path"},
		{"[[registry]]\nprefix = \"r.example/Shop\"\n", `c:1: registry 1: prefix: byte 11: upper case letter "S" in the repository`},
		{"[[registry]]\nprefix = \"r_.example\"\n", `c:1: registry 1: prefix: byte 2: character "_" in the registry`},
		{"[[registry]]\nprefix = \"*.r.example\"\nlocation = \"x.example\"\n", `c:1: registry 1: a prefix with "*." cannot have a location`},
		{"[[registry]]\nprefix = \"*.r.example/a\"\n", `c:1: registry 1: a prefix with "*." cannot have a path`},
		{"[[registry]]\nlocation = \"r.example\"\n[[registry.mirror]]\n", "c:1: registry 1: mirror 1: no location"},
		{"[[registry]]\nlocation = \"r.example\"\n[[registry.mirror]]\nlocation=\"m.example/../x\"\n", `c:1: registry 1: mirror 1: byte 11: part of the repository starts with "."`},
		{"[[registry]]\nlocation = \"r.example\"\n[[registry.mirror]]\nlocation=\"m.example\"\npull-from-mirror=\"some\"\n",
			`c:1: registry 1: mirror 1: pull-from-mirror is "some", write all, digest-only or tag-only`},
		{strings.Repeat("#", 1<<20+1), "c: larger than 1 MiB"},
		{strings.Repeat("[[registry]]\nlocation=\"r.example\"\n", 1001), "c: more than 1000 registries"},
	} {
		_, err := registry.ParseConfig("c", []byte(tt.text))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(someRegistries)
	f.Add("[[registry]]\nlocation = \"r.example\"\ncolour = \"red\"\n")
	f.Add("[[registry]]\nprefix = \"*.r.example\"\n[[registry.mirror]]\nlocation = \"m.example/a\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := registry.ParseConfig("registries.conf", []byte(text))
		if (r == nil) == (err == nil) {
			t.Fatalf("%v and %v", r, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "registries.conf:") || strings.Contains(err.Error(), "\n")) {
			t.Fatalf("message %q", err)
		}
		if err == nil && r.Join(r) == nil {
			t.Fatal("joined to nothing")
		}
	})
}
