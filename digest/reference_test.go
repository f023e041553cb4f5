package digest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

func TestParseReference(t *testing.T) {
	for _, tt := range []struct {
		in             string
		want           digest.Reference
		registry, path string
	}{
		{"nginx:1.27", digest.Reference{Repository: "nginx", Tag: "1.27"}, "docker.io", "library/nginx"},
		{"grafana/loki:v3", digest.Reference{Repository: "grafana/loki", Tag: "v3"}, "docker.io", "grafana/loki"},
		{"docker.io/nginx:1", digest.Reference{Repository: "docker.io/nginx", Tag: "1"}, "docker.io", "library/nginx"},
		{"index.docker.io/nginx:1", digest.Reference{Repository: "index.docker.io/nginx", Tag: "1"}, "docker.io", "library/nginx"},
		{"localhost:5000", digest.Reference{Repository: "localhost", Tag: "5000"}, "docker.io", "library/localhost"},
		{"localhost/a:b", digest.Reference{Repository: "localhost/a", Tag: "b"}, "localhost", "a"},
		{"localhost:5000/a:b", digest.Reference{Repository: "localhost:5000/a", Tag: "b"}, "localhost:5000", "a"},
		{"[::1]:5000/a/b:c", digest.Reference{Repository: "[::1]:5000/a/b", Tag: "c"}, "[::1]:5000", "a/b"},
		{"Registry.Example.com/shop/cart:V1", digest.Reference{Repository: "Registry.Example.com/shop/cart", Tag: "V1"}, "Registry.Example.com", "shop/cart"},
		{"r.io/a__b/c---d/e.f:_x.-", digest.Reference{Repository: "r.io/a__b/c---d/e.f", Tag: "_x.-"}, "r.io", "a__b/c---d/e.f"},
		{"r.io/a@" + registrytest.SomeDigest, digest.Reference{Repository: "r.io/a", Digest: registrytest.SomeDigest}, "r.io", "a"},
		{"r.io:1/a:b@" + registrytest.SomeDigest, digest.Reference{Repository: "r.io:1/a", Tag: "b", Digest: registrytest.SomeDigest}, "r.io:1", "a"},
		{"a:" + strings.Repeat("t", 128), digest.Reference{Repository: "a", Tag: strings.Repeat("t", 128)}, "docker.io", "library/a"},
	} {
		got, err := digest.ParseReference(tt.in)
		if err != nil {
			t.Errorf("ParseReference(%q): %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("ParseReference(%q) (-want +got):\n%s", tt.in, diff)
		}
		if got.Registry() != tt.registry || got.Path() != tt.path {
			t.Errorf("%q is %q on %q, want %q on %q", tt.in, got.Path(), got.Registry(), tt.path, tt.registry)
		}
		if got.String() != tt.in {
			t.Errorf("%q prints as %q", tt.in, got.String())
		}
	}
}

func TestParseReferenceFaults(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", `byte 1: empty, write repository:tag or repository@sha256:…`},
		{"ann:secret@r.io/a:b", `byte 1: a user and password do not belong in a reference, log in with docker login`},
		{"ann:secret@r.io:5000/a@" + registrytest.SomeDigest, `byte 1: a user and password do not belong in a reference, log in with docker login`},
		{"https://r.io/a:b", `byte 1: "https://" does not belong in a reference, leave it out`},
		{"shop/cart", `byte 10: neither tag nor digest, "latest" is not assumed: write shop/cart:TAG or shop/cart@sha256:…`},
		{"r.io:5000/cart", `byte 15: neither tag nor digest, "latest" is not assumed: write r.io:5000/cart:TAG or r.io:5000/cart@sha256:…`},
		{" a:b", `byte 1: character " " in the repository`},
		{"shop/Cart:v1", `byte 6: upper case letter "C" in the repository`},
		{"shop/cärt:v1", `byte 7: character "ä" in the repository`},
		{"shop/c\xffrt:v1", `byte 7: character "\xff" in the repository`},
		{"shop//cart:v1", `byte 6: empty part in the repository`},
		{"/cart:v1", `byte 1: empty part in the repository`},
		{"r.io/:v1", `byte 6: empty part in the repository`},
		{":v1", `byte 1: empty part in the repository`},
		{"@" + registrytest.SomeDigest, `byte 1: empty part in the repository`},
		{"-a:v1", `byte 1: part of the repository starts with "-"`},
		{"shop/a-:v1", `byte 7: part of the repository ends with "-"`},
		{"a..b:v1", `byte 2: separator ".." in the repository`},
		{"a___b:v1", `byte 2: separator "___" in the repository`},
		{"r.io/" + strings.Repeat("a", 256) + ":b", `byte 261: repository path longer than 255 bytes`},
		{"r_x.io/a:b", `byte 2: character "_" in the registry`},
		{"r..io/a:b", `byte 3: empty part in the registry`},
		{"-r.io/a:b", `byte 1: part of the registry starts with "-"`},
		{"r-.io/a:b", `byte 2: part of the registry ends with "-"`},
		{":5000/a:b", `byte 1: empty part in the registry`},
		{"r.io:/a:b", `byte 6: port of the registry is not a number from 1 to 65535`},
		{"r.io:0/a:b", `byte 6: port of the registry is not a number from 1 to 65535`},
		{"r.io:65536/a:b", `byte 6: port of the registry is not a number from 1 to 65535`},
		{"r.io:+1/a:b", `byte 6: port of the registry is not a number from 1 to 65535`},
		{"[::g]/a:b", `byte 1: registry is not an IPv6 address in brackets`},
		{"[:0]/0:0", `byte 1: registry is not an IPv6 address in brackets`},
		{"[fe80::1%25eth0]/a:b", `byte 1: registry is not an IPv6 address in brackets`},
		// A host ends in no IPv4 form: no client but this one took it.
		{"[2001:db8:3:4::192.0.2.33]:5000/a:b", `byte 1: registry is not an IPv6 address in brackets`},
		{"[::ffff:192.0.2.33]/a:b", `byte 1: registry is not an IPv6 address in brackets`},
		{"[::1]x/a:b", `byte 6: character "x" in the registry`},
		{"[::1]:x/a:b", `byte 7: port of the registry is not a number from 1 to 65535`},
		{strings.Repeat("a", 256) + ".io/a:b", `byte 256: registry longer than 255 bytes`},
		{"shop/cart:", `byte 11: empty tag`},
		{"shop/cart:@" + registrytest.SomeDigest, `byte 11: empty tag`},
		{"shop/cart:.v1", `byte 11: tag starts with "."`},
		{"shop/cart:v1+2", `byte 13: character "+" in the tag`},
		{"a:" + strings.Repeat("t", 129), `byte 131: tag longer than 128 bytes`},
		{"a@", `byte 3: digest does not start with "sha256:"`},
		{"a@sha512:" + registrytest.SomeHex + registrytest.SomeHex, `byte 3: digest does not start with "sha256:"`},
		{"a@sha256:" + registrytest.SomeHex[1:], `byte 73: digest has 63 hexadecimal digits, not 64`},
		{"a:v1@sha256:" + registrytest.SomeHex + "0", `byte 77: digest has 65 hexadecimal digits, not 64`},
		{"a@sha256:" + strings.ToUpper(registrytest.SomeHex), `byte 20: upper case letter "A" in the digest`},
		{"a@" + registrytest.SomeDigest + "@x", `byte 74: character "@" in the digest`},
		{"a@" + registrytest.SomeDigest + ":v1", `byte 74: character ":" in the digest`},
		{"a:b\n", `byte 4: character "\n" in the tag`},
	} {
		_, err := digest.ParseReference(tt.in)
		var e *digest.Error
		if !errors.As(err, &e) || !errors.Is(err, digest.ErrMalformed) || e.Ref != tt.in {
			t.Errorf("ParseReference(%q): %#v, want a malformed *Error", tt.in, err)
			continue
		}
		if got := e.Err.Error(); got != tt.want {
			t.Errorf("ParseReference(%q):\n got %s\nwant %s", tt.in, got, tt.want)
		}
		if strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("ParseReference(%q): message of several lines: %q", tt.in, err)
		}
	}
	_, err := digest.ParseReference("shop/Cart:v1")
	if got, want := err.Error(), `reference "shop/Cart:v1": byte 6: upper case letter "C" in the repository`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{
		"nginx:1.27", "r.io/a@" + registrytest.SomeDigest, "r.io:1/a:b@" + registrytest.SomeDigest, "[::1]:5000/a/b:c",
		"", "@", ":", "/", "a:", "a@sha256:", "[", "[]/a:b", "[::1/a:b", "a..b:c", "a\x00:b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := digest.ParseReference(s)
		if err != nil {
			if !errors.Is(err, digest.ErrMalformed) || err.Error() == "" {
				t.Fatalf("ParseReference(%q): %v", s, err)
			}
			return
		}
		if ref.String() != s {
			t.Fatalf("%q prints as %q", s, ref)
		}
		again, err := digest.ParseReference(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%q parses again as %#v, %v", s, again, err)
		}
		if ref.Tag == "" && ref.Digest == "" {
			t.Fatalf("%q has neither tag nor digest", s)
		}
		// What is accepted here, the library that asks accepts as well, and
		// takes it for the same.
		theirs, err := name.NewRepository(ref.Repository)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if theirs.RepositoryStr() != ref.Path() {
			t.Fatalf("%q is %q here and %q there", s, ref.Path(), theirs.RepositoryStr())
		}
	})
}

// What somebody writes in front of a registry is in no message.
func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		"a:b":                                 "a:b",
		"r.io/a:b@" + registrytest.SomeDigest: "r.io/a:b@" + registrytest.SomeDigest,
		"a@" + registrytest.SomeDigest:        "a@" + registrytest.SomeDigest,
		"ann:secret@r.io/a:b":                 "…@r.io/a:b",
		"ann:s@cret@r.io/a:b":                 "…@r.io/a:b",
		"https://ann:secret@r.io/a:b":         "https://…@r.io/a:b",
		"docker://ann:secret@r.io/a/b":        "docker://…@r.io/a/b",
		"ann:s/cret@r.io/a:b":                 "…@r.io/a:b",
		"ann:s@cret@r.io":                     "…@r.io",
		"ann:cret@localhost:5000":             "…@localhost:5000",
		"ann:cret@r.io/a@" + registrytest.SomeDigest: "…@r.io/a@" + registrytest.SomeDigest,
		"a:b@sha25:cret": "a:b@sha25:cret",
	} {
		if got := digest.Redact(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if _, err := digest.ParseReference(in); strings.Contains(in, "cret@") && strings.Contains(err.Error(), "cret@") {
			t.Errorf("%q: %v", in, err)
		}
	}
}
