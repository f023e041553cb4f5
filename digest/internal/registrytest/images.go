package registrytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/kubepromote/kubepromote/digest"
)

const (
	// IndexType is the media type of an index, and ManifestType that of an image.
	IndexType    = "application/vnd.oci.image.index.v1+json"
	ManifestType = "application/vnd.oci.image.manifest.v1+json"

	configType = "application/vnd.oci.image.config.v1+json"
)

// PutBlob stores a blob and returns its digest.
func (f *Registry) PutBlob(t testing.TB, repo string, body []byte) string {
	t.Helper()
	f.do(t, http.MethodPost, "/v2/"+repo+"/blobs/uploads/?digest="+Sha(body), "application/octet-stream", body, http.StatusCreated)
	return Sha(body)
}

// PutImage stores an image for one platform under a tag and returns its digest.
func (f *Registry) PutImage(t testing.TB, repo, tag, platform string) string {
	t.Helper()
	p, err := digest.ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Appendf(nil, `{"os":%q,"architecture":%q,"variant":%q}`, p.OS, p.Architecture, p.Variant)
	return f.Put(t, repo, tag, ManifestType, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
		ManifestType, configType, f.PutBlob(t, repo, config), len(config)))
}

// PutIndex stores an index of images, each for a platform, under a tag. The
// platform "index" stands for an index in the index.
func (f *Registry) PutIndex(t testing.TB, repo, tag string, platforms ...string) (index string, images []string) {
	t.Helper()
	type descriptor struct {
		MediaType string            `json:"mediaType"`
		Digest    string            `json:"digest"`
		Size      int               `json:"size"`
		Platform  map[string]string `json:"platform,omitempty"`
	}
	var list []descriptor
	for i, text := range platforms {
		d := descriptor{MediaType: ManifestType, Size: 7}
		if text == "index" {
			d.MediaType, d.Digest = IndexType, f.Put(t, repo, "nested", IndexType, []byte(`{"schemaVersion":2,"manifests":[]}`))
		} else {
			p, err := digest.ParsePlatform(text)
			if err != nil {
				t.Fatal(err)
			}
			d.Platform = map[string]string{"os": p.OS, "architecture": p.Architecture, "variant": p.Variant, "os.version": p.OSVersion}
			d.Digest = f.Push(t, repo, fmt.Sprintf("%s-%d", tag, i), text)
		}
		images = append(images, d.Digest)
		list = append(list, d)
	}
	body, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": IndexType, "manifests": list})
	if err != nil {
		t.Fatal(err)
	}
	return f.Put(t, repo, tag, IndexType, body), images
}
