package digest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
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
		n, err := newCopyNode(&layoutSource{given: "oci:x"}, describeContent(body, mediaType), body)
		if err != nil {
			if text := err.Error(); text == "" || len(text) > 2*maxMessage || strings.ContainsAny(text, "\n\r\x00") {
				t.Errorf("error %q", text)
			}
			return
		}
		for _, d := range append(n.children, n.blobs...) {
			if _, why := checkDigest(d.Digest.String()); why != "" || d.Size < 0 || d.Size > maxBlob {
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
		node := &copyNode{desc: describeContent(body, string(types.OCIManifestSchema1)), body: body}
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

func TestNextLink(t *testing.T) {
	for header, want := range map[string]string{
		`</v2/a/referrers/x?n=2>; rel="next"`:           "/v2/a/referrers/x?n=2",
		`</a>; rel=next`:                                "/a",
		`</a>; rel="prev", </b>; title="x"; REL="Next"`: "/b",
		`</a>; rel="prev"`:                              "",
		`/a; rel="next"`:                                "",
		`<>; rel="next"`:                                "",
		``:                                              "",
		`<https://elsewhere.example.com/v2/>; rel="next"`: "https://elsewhere.example.com/v2/",
		`<a>; rel="next`: "a",
		`<` + strings.Repeat("<", 100) + `>; rel="next"; rel=prev`: strings.Repeat("<", 100),
	} {
		if got := nextLink([]string{header}); got != want {
			t.Errorf("nextLink(%q) = %q, want %q", header, got, want)
		}
	}
}

// Where a registry may send us, and where not.
func TestResolveLocation(t *testing.T) {
	c := NewCopier(CopierOptions{Transport: http.DefaultTransport})
	for _, tt := range []struct{ registry, location, want string }{
		{"registry.example.com", "/v2/x?a=b", "https://registry.example.com/v2/x?a=b"},
		{"registry.example.com", "https://storage.example.com/x", "https://storage.example.com/x"},
		{"registry.example.com", "http://registry.example.com/x", ""},
		{"registry.example.com", "https://u:p@registry.example.com/x", ""},
		{"registry.example.com", "https://169.254.169.254/latest", ""},
		{"registry.example.com", "https://127.0.0.1/x", ""},
		{"registry.example.com", "https://[::1]/x", ""},
		{"registry.example.com", "https://[::ffff:10.0.0.1]/x", ""},
		{"registry.example.com", "https://localhost:5000/x", ""},
		{"registry.example.com", "file:///etc/passwd", ""},
		{"registry.example.com", "https:///x", ""},
		{"registry.example.com", "://", ""},
		{"127.0.0.1:5000", "http://127.0.0.1:5001/x", "http://127.0.0.1:5001/x"},
		{"10.0.0.1:5000", "http://10.0.0.2/x", "http://10.0.0.2/x"},
	} {
		repo, err := c.newCopyRepo(Reference{Repository: tt.registry + "/a", Tag: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := repo.resolve(repo.url("blobs/uploads/", nil), tt.location)
		if tt.want == "" && err == nil || tt.want != "" && (err != nil || got.String() != tt.want) {
			t.Errorf("%s sends to %s: %v, %v, want %q", tt.registry, tt.location, got, err, tt.want)
		}
	}
}

// A body says what is wrong instead of giving out its last bytes.
func TestBlobBody(t *testing.T) {
	right := describeContent([]byte("some content"), "")
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
