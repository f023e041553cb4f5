package imagecopy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// A manifest is parsed, or refused with one printable line. What comes out of
// it can be asked for by digest, and has a size that can be added up.
func FuzzCopyManifest(f *testing.F) {
	const some = `{"digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","size":4}`
	for _, s := range []string{
		`{}`, `{"layers":[` + some + `],"config":` + some + `}`, `{"manifests":[` + some + `]}`,
		`{"layers":[{"digest":"sha512:00","size":-1}]}`, `{"subject":null,"config":null}`, `[`, ``,
	} {
		f.Add([]byte(s), string(types.OCIManifestSchema1))
		f.Add([]byte(s), string(types.OCIImageIndex))
	}
	f.Fuzz(func(t *testing.T, body []byte, mediaType string) {
		n, err := newCopyNode(namedSource{}, content.Describe(body, mediaType), body)
		if err != nil {
			if text := err.Error(); text == "" || len(text) > 2*400 || strings.ContainsAny(text, "\n\r\x00") {
				t.Errorf("error %q", text)
			}
			return
		}
		for _, d := range append(n.children, n.blobs...) {
			if _, why := grammar.CheckDigest(d.Digest.String()); why != "" || d.Size < 0 || d.Size > maxBlob {
				t.Errorf("let %v pass: %s", d, why)
			}
		}
		if _, listed := n.desc.MediaType, len(n.children); listed > 0 && !n.desc.MediaType.IsIndex() {
			t.Errorf("%s has children", n.desc.MediaType)
		}
	})
}

// A list that is added to keeps its entries, in order and byte for byte of
// their values, has the new one once, and is not added to a second time.
func FuzzExtendList(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`))
	f.Add([]byte(`{"manifests":[{"digest":"sha256:00","x":1},5,null],"annotations":{"a":"b"}}`))
	f.Add([]byte(`{"manifests":null}`))
	f.Fuzz(func(t *testing.T, list []byte) {
		body := []byte(`{"artifactType":"application/vnd.example"}`)
		node := &copyNode{desc: content.Describe(body, string(types.OCIManifestSchema1)), body: body}
		extended, added, err := extendList(list, []*copyNode{node})
		if err != nil {
			return
		}
		if !added {
			return
		}
		var before, after struct{ Manifests []json.RawMessage }
		if json.Unmarshal(list, &before) != nil || json.Unmarshal(extended, &after) != nil {
			return // another spelling of the key, of which there may be several
		}
		if len(after.Manifests) == len(before.Manifests)+1 {
			for i, m := range before.Manifests {
				if canonicalJSON(m) != canonicalJSON(after.Manifests[i]) {
					t.Errorf("entry %d was %s and is %s", i, m, after.Manifests[i])
				}
			}
		}
		if again, added, err := extendList(extended, []*copyNode{node}); err != nil || added || !bytes.Equal(again, extended) {
			t.Errorf("added again: %s, %v", again, err)
		}
	})
}

func TestNextPage(t *testing.T) {
	for header, want := range map[string]string{
		`</v2/a/referrers/x?n=2>; rel="next"`:                  "n=2",
		`<?n=2>; rel=next`:                                     "n=2",
		`</a>; rel="prev", <?n=3>; title="x"; REL="last Next"`: "n=3",
		`<?n=4>`:               "n=4", // some registries leave the rel out
		`</a>; rel="prev"`:     "",
		``:                     "",
		`/a; rel="next"`:       "malformed",
		`<?n=5`:                "malformed",
		`<>; rel="next"`:       "the same page",
		`</b?n=2>; rel="next"`: "not of the same list",
		`<https://elsewhere.example.com/v2/>; rel="next"`:          "not of the same list",
		`<` + strings.Repeat("<", 100) + `>; rel="next"; rel=prev`: "not of the same list",
	} {
		page := &url.URL{Scheme: "https", Host: "r.example.com", Path: "/v2/a/referrers/x"}
		got, err := registry.NextPage(page, []string{header})
		switch {
		case err != nil:
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("nextPage(%q): %v, want %q", header, err, want)
			}
		case want == "":
			if got != nil {
				t.Errorf("nextPage(%q) = %v, want none", header, got)
			}
		case got == nil || got.RawQuery != want || got.Host != page.Host || got.Path != page.Path:
			t.Errorf("nextPage(%q) = %v, want %q", header, got, want)
		}
	}
}

// Where a registry may send a copy, and where not: the Transport says so.
func TestCopyGoesTo(t *testing.T) {
	for _, tt := range []struct{ registry, location, want string }{
		{"registry.example.com", "/v2/x?a=b", "https://registry.example.com/v2/x?a=b"},
		{"registry.example.com", "https://storage.example.com/x", "https://storage.example.com/x"},
		{"registry.example.com", "http://storage.example.com/x", ""},
		{"registry.example.com", "http://registry.example.com/x", "https://registry.example.com/x"},
		{"registry.example.com", "https://u:p@registry.example.com/x", ""},
		{"registry.example.com", "https://169.254.169.254/latest", ""},
		{"registry.example.com", "https://127.0.0.1/x", ""},
		{"registry.example.com", "https://[::1]/x", ""},
		{"registry.example.com", "https://[::ffff:10.0.0.1]/x", ""},
		{"registry.example.com", "https://localhost:5000/x", ""},
		{"registry.example.com", "file:///etc/passwd", ""},
		{"registry.example.com", "https:///x", ""},
		{"registry.example.com", "://", ""},
		{"127.0.0.1:5000", "https://127.0.0.1:5001/x", "https://127.0.0.1:5001/x"},
		{"10.0.0.1:5000", "https://10.0.0.2/x", "https://10.0.0.2/x"},
	} {
		base := &pointing{registry: tt.registry, location: tt.location}
		c := New(Options{Transport: base, Keychain: authn.NewMultiKeychain()})
		repo, err := c.newCopyRepo(digest.Reference{Repository: tt.registry + "/a", Tag: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		body, err := repositorySource{repo}.blob(t.Context(), grammar.DigestPrefix+strings.Repeat("0", grammar.DigestHexLen))
		if err == nil {
			body.Close()
		}
		if base.went != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s sends to %s: went to %q, %v, want %q", tt.registry, tt.location, base.went, err, tt.want)
		}
	}
}

// pointing answers as a registry that sends those who ask for a blob elsewhere.
type pointing struct{ registry, location, went string }

// RoundTrip implements [http.RoundTripper].
func (p *pointing) RoundTrip(req *http.Request) (*http.Response, error) {
	switch {
	case req.URL.Host == p.registry && req.URL.Path == "/v2/":
		return registry.EmptyAnswer(req, http.StatusOK), nil
	case req.URL.Host == p.registry && strings.Contains(req.URL.Path, "/blobs/"):
		resp := registry.EmptyAnswer(req, http.StatusTemporaryRedirect)
		resp.Header.Set("Location", p.location)
		return resp, nil
	}
	p.went = req.URL.String()
	return registry.EmptyAnswer(req, http.StatusOK), nil
}

// A body says what is wrong instead of giving out its last bytes.
func TestBlobBody(t *testing.T) {
	right := content.Describe([]byte("some content"), "")
	for _, tt := range []struct {
		content string
		size    int64
		want    string
		failed  string
	}{
		{"some content", right.Size, "some content", ""},
		{"some content and more", right.Size, "some content", ""},
		{"some conte", right.Size, "some conte", "unexpected EOF"},
		{"same length!", right.Size, "", "content has another digest"},
		{"some content", right.Size - 1, "", "content has another digest"},
		{"some content", right.Size + 1, "some content", "unexpected EOF"},
		{"", right.Size, "", "unexpected EOF"},
		{"", 0, "", "content has another digest"},
	} {
		var moved int
		body := newBlobBody(v1.Descriptor{Digest: right.Digest, Size: tt.size})
		body.content, body.moved = strings.NewReader(tt.content), func(n int) { moved += n }
		got, err := io.ReadAll(body)
		failed := ""
		if err != nil {
			failed = body.failed.Error()
		}
		if string(got) != tt.want || !strings.HasPrefix(failed, tt.failed) || (tt.failed == "") != (failed == "") || moved != len(got) {
			t.Errorf("%q of %d bytes: got %q, %q, %d moved", tt.content, tt.size, got, failed, moved)
		}
		if body.complete() != (tt.failed == "") {
			t.Errorf("%q of %d bytes: complete is %v", tt.content, tt.size, body.complete())
		}
		body.stop(context.Background())
		if n, err := body.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("read %d bytes after the end, %v", n, err)
		}
	}
}

// namedSource is a source that is only named in messages.
type namedSource struct{ copySource }

func (namedSource) String() string { return "oci:x" }
