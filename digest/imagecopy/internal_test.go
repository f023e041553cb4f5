package imagecopy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
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
		{"some content and more", right.Size, "", "has more than the 12 bytes"},
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
