package registry_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// serveAs answers all requests about manifests with 200, a media type and a body.
func serveAs(mediaType, body string, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return registrytest.OnManifest(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		if mediaType != "" {
			w.Header().Set("Content-Type", mediaType)
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			io.WriteString(w, body)
		}
	})
}

// The port of a repository manager for people, or a login page behind a redirect,
// answers everything with 200: its pages were hashed and pinned as images.
func TestPageIsNoManifest(t *testing.T) {
	const page = "<!DOCTYPE html><html><body>Log in</body></html>"
	const jsonError = `{"errors":[{"code":"UNAUTHORIZED","message":"log in"}]}`
	nothing := registrytest.Sha(nil)
	for name, tt := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request) bool
		want  string
	}{
		"page":                       {serveAs("text/html", page), "does not answer as a registry (text/html)"},
		"page with a charset":        {serveAs("Text/HTML; charset=utf-8", page), "does not answer as a registry (Text/HTML)"},
		"page with a digest":         {serveAs("text/html", page, "Docker-Content-Digest", registrytest.Sha([]byte(page))), "does not answer as a registry (text/html)"},
		"page with another digest":   {serveAs("text/html", page, "Docker-Content-Digest", registrytest.SomeDigest), "does not answer as a registry (text/html)"},
		"page of XML":                {serveAs("application/xhtml+xml", page), "does not answer as a registry (application/xhtml+xml)"},
		"page with a manifest in it": {serveAs("text/html", string(registrytest.Manifest("x"))), "does not answer as a registry (text/html)"},
		"page as a manifest":         {serveAs(registrytest.ManifestType, page), "answered with something else than a manifest (" + registrytest.ManifestType + ")"},
		"text":                       {serveAs("text/plain", "OK"), "does not answer as a registry (text/plain)"},
		"no type":                    {serveAs("", "OK"), "does not answer as a registry (no media type)"},
		"error":                      {serveAs("application/json", jsonError), "does not answer as a registry (application/json)"},
		"error as a manifest":        {serveAs(registrytest.ManifestType, jsonError), "answered with something else than a manifest (" + registrytest.ManifestType + ")"},
		"error as an index":          {serveAs(registrytest.IndexType, jsonError), "answered with something else than a manifest (" + registrytest.IndexType + ")"},
		"other JSON":                 {serveAs("application/json", `{"schemaVersion":2,"label":"build"}`), "does not answer as a registry (application/json)"},
		"JSON text":                  {serveAs(registrytest.ManifestType, `"OK"`), "answered with something else than a manifest (" + registrytest.ManifestType + ")"},
		"null":                       {serveAs(registrytest.ManifestType, "null"), "answered with something else than a manifest (" + registrytest.ManifestType + ")"},
		"two values":                 {serveAs(registrytest.ManifestType, string(registrytest.Manifest("x"))+"{}"), "answered with something else than a manifest (" + registrytest.ManifestType + ")"},
		"nothing":                    {serveAs("", ""), "does not answer as a registry (no media type)"},
		"nothing as a manifest":      {serveAs(registrytest.ManifestType, ""), "answered with an empty manifest (" + registrytest.ManifestType + ")"},
		"nothing with its digest":    {serveAs(registrytest.ManifestType, "", "Docker-Content-Digest", nothing), "answered with an empty manifest (" + registrytest.ManifestType + ")"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			f.SetFault(tt.fault)
			r := registrytest.NewResolver(t, registrytest.Options{})
			ref := f.Host + "/shop/cart:v1"
			_, resolved := r.Resolve(t.Context(), ref)
			_, created := r.Created(t.Context(), ref)
			_, platforms := r.Platforms(t.Context(), ref)
			for asked, err := range map[string]error{"resolve": resolved, "created": created, "platforms": platforms} {
				if want := f.Host + `: tag "v1" of "shop/cart": ` + tt.want; !errors.Is(err, digest.ErrUnknown) || errors.Is(err, digest.ErrNotFound) || err.Error() != want {
					t.Errorf("%s:\ngot  %v\nwant %s", asked, err, want)
				}
			}
		})
	}
}

// A manifest is known by its form where a server or a proxy has lost its media type.
func TestManifestByForm(t *testing.T) {
	for name, body := range map[string]string{
		"media type":          string(registrytest.Manifest("x")),
		"index":               `{"schemaVersion":2,"manifests":[]}`,
		"image":               `{"schemaVersion":2,"config":{"digest":"` + registrytest.SomeDigest + `"},"layers":[]}`,
		"artifact of a draft": `{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}`,
		"schema 1":            `{"schemaVersion":1,"fsLayers":[],"history":[]}`,
	} {
		for _, mediaType := range []string{"", "text/plain", "application/json; charset=utf-8", "application/octet-stream"} {
			f := registrytest.New(t)
			f.SetFault(serveAs(mediaType, body))
			got, err := registrytest.NewResolver(t, registrytest.Options{}).Resolve(t.Context(), f.Host+"/a:b")
			if err != nil || got.Digest != registrytest.Sha([]byte(body)) {
				t.Errorf("%s as %q: %+v, %v", name, mediaType, got, err)
			}
		}
	}
}

// A page at a mirror does not decide: the registry behind it is asked.
func TestPageAtMirror(t *testing.T) {
	origin, copies := registrytest.New(t), registrytest.New(t)
	want := origin.Push(t, "origin/cart", "v1", "one")
	copies.SetFault(serveAs("text/html", "<html>"))
	got, err := mirrored(t, origin, "all", copies).Resolve(t.Context(), "quay.example/shop/cart:v1")
	if err != nil || got.Digest != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A server that answers every request with a page has neither blobs nor takes it
// manifests: a copy to it must not end well.
func TestPageTakesNothing(t *testing.T) {
	f := registrytest.New(t)
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html>")
		return true
	})
	repo := newRepository(t, registry.Options{}, f.Host+"/a")
	if there, err := repo.HasBlob(t.Context(), hashOf(t, registrytest.SomeDigest)); there || err == nil {
		t.Errorf("a blob is there: %v, %v", there, err)
	}
	if _, err := repo.PutManifest(t.Context(), "v1", registrytest.ManifestType, registrytest.Manifest("x")); err == nil || !strings.Contains(err.Error(), "does not answer as a registry (text/html)") {
		t.Errorf("a manifest is stored: %v", err)
	}
}
