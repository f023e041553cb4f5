package imagecopy_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// fleet is an index of two platforms with all that can belong to one.
type fleet struct {
	index      v1.ImageIndex
	signature  v1.Image // of the index, by tag
	childProof v1.Image // of a platform, a referrer
	sbom       v1.Image // of the index, a referrer
	sbomProof  v1.Image // of the SBOM, a referrer
}

func pushFleet(t *testing.T, repo string) fleet {
	t.Helper()
	images := []v1.Image{registrytest.SampleImage(t, 3000, 2), registrytest.SampleImage(t, 2000, 1)}
	f := fleet{index: registrytest.Platforms(t, images)}
	child := images[0]
	registrytest.Write(t, repo+":v1", f.index)
	root := registrytest.DigestOf(t, f.index)
	f.signature = registrytest.Signature(t, "payload", "one")
	registrytest.Write(t, repo+":"+registrytest.FallbackTag(root)+".sig", f.signature)
	registrytest.Write(t, repo+":"+registrytest.FallbackTag(registrytest.DigestOf(t, child))+".att", registrytest.Signature(t, "statement", "two"))
	f.childProof = registrytest.Referrer(t, registrytest.DescriptorOf(t, child), "child")
	registrytest.Write(t, repo+"@"+registrytest.DigestOf(t, f.childProof), f.childProof)
	f.sbom = registrytest.Referrer(t, registrytest.DescriptorOf(t, f.index), "sbom")
	registrytest.Write(t, repo+"@"+registrytest.DigestOf(t, f.sbom), f.sbom)
	f.sbomProof = registrytest.Referrer(t, registrytest.DescriptorOf(t, f.sbom), "of the sbom")
	registrytest.Write(t, repo+"@"+registrytest.DigestOf(t, f.sbomProof), f.sbomProof)
	return f
}

// referrersOf are the digests that a registry lists for a subject.
func referrersOf(t *testing.T, repo, subject string) map[string]bool {
	t.Helper()
	ref, err := name.NewDigest(repo + "@" + subject)
	if err != nil {
		t.Fatal(err)
	}
	list, err := remote.Referrers(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := list.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, d := range m.Manifests {
		all[d.Digest.String()] = true
		if d.ArtifactType == "" {
			t.Errorf("referrer %s is listed without its artifact type", d.Digest)
		}
	}
	return all
}

func head(t *testing.T, ref string) string {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := remote.Head(parsed)
	if err != nil {
		return ""
	}
	return desc.Digest.String()
}

// Everything arrives between registries of each kind, and a second copy sends
// nothing.
func TestCopyAll(t *testing.T) {
	for name, kind := range map[string]struct{ from, to bool }{
		"referrers":          {true, true},
		"lists":              {false, false},
		"lists to referrers": {false, true},
		"referrers to lists": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, dst := registrytest.NewDepot(t, kind.from), registrytest.NewDepot(t, kind.to)
			f := pushFleet(t, src.Host+"/shop/cart")
			from, to := src.Host+"/shop/cart", dst.Host+"/prod/cart"
			c := newCopier(t, imagecopy.Options{})
			got, err := c.Copy(t.Context(), from+":v1", to+":v2", imagecopy.CopyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkFleet(t, f, to)
			if got.Digest != registrytest.DigestOf(t, f.index) || got.Destination != to+":v2@"+got.Digest || got.Source != from+"@"+got.Digest {
				t.Errorf("got %+v", got)
			}
			if len(got.Attached) != 5 || got.Sent.Manifests != 8 || got.Mounted.Blobs != 0 || len(got.Notes) != 0 {
				t.Errorf("got %+v", got)
			}
			if n := dst.Blobs.Has("prod/cart"); n != got.Sent.Blobs {
				t.Errorf("%d blobs at the destination, %d told", n, got.Sent.Blobs)
			}
			dst.Forget()
			again, err := c.Copy(t.Context(), from+":v1", to+":v2", imagecopy.CopyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if sent := dst.Requests("PUT POST PATCH", ""); len(sent) != 0 || again.Sent != (imagecopy.Count{}) {
				t.Errorf("the second copy sent %q, %+v", sent, again.Sent)
			}
			if again.Present.Bytes != got.Sent.Bytes || again.Present.Blobs != got.Sent.Blobs {
				t.Errorf("sent %+v at first, then present %+v", got.Sent, again.Present)
			}
		})
	}
}

func checkFleet(t *testing.T, f fleet, to string) {
	t.Helper()
	root := registrytest.DigestOf(t, f.index)
	if got := head(t, to+":v2"); got != root {
		t.Errorf("tag v2 is %q, want %s", got, root)
	}
	if got, want := head(t, to+":"+registrytest.FallbackTag(root)+".sig"), registrytest.DigestOf(t, f.signature); got != want {
		t.Errorf("signature is %q, want %s", got, want)
	}
	m, err := f.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	child := m.Manifests[0].Digest.String()
	if head(t, to+":"+registrytest.FallbackTag(child)+".att") == "" {
		t.Error("the attestation of a platform is not there")
	}
	for subject, want := range map[string]v1.Image{child: f.childProof, root: f.sbom, registrytest.DigestOf(t, f.sbom): f.sbomProof} {
		if list := referrersOf(t, to, subject); len(list) != 1 || !list[registrytest.DigestOf(t, want)] {
			t.Errorf("referrers of %s are %v", subject, list)
		}
	}
	ref, err := name.ParseReference(to + ":v2")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
}

func TestCopyMounts(t *testing.T) {
	d := registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 5000, 3)
	registrytest.Write(t, d.Host+"/dev/cart:v1", img)
	d.Forget()
	c := newCopier(t, imagecopy.Options{})
	from, to := d.Host+"/dev/cart@"+registrytest.DigestOf(t, img), d.Host+"/prod/cart"
	plan, err := c.Copy(t.Context(), from, to, imagecopy.CopyOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if sent := d.Requests("PUT POST PATCH", ""); len(sent) != 0 {
		t.Errorf("a dry run sent %q", sent)
	}
	got, err := c.Copy(t.Context(), from, to, imagecopy.CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Mounted.Blobs != 4 || got.Sent.Blobs != 0 || got.Mounted != plan.Mounted || got.Sent != plan.Sent {
		t.Errorf("got %+v, planned %+v", got, plan)
	}
	if n := len(d.Requests("PATCH", "")); n != 0 {
		t.Errorf("%d blobs sent that can be mounted", n)
	}
	if n := len(d.Requests("GET", "/blobs/")); n != 0 {
		t.Errorf("%d blobs fetched that can be mounted", n)
	}
	if head(t, to+"@"+got.Digest) != got.Digest {
		t.Error("not there")
	}
	// No tag was asked for, and none is made.
	if puts := d.Requests("PUT", "/prod/cart/manifests/"); len(puts) != 1 || !strings.HasSuffix(puts[0], got.Digest) {
		t.Errorf("manifests put: %q", puts)
	}
}

// A registry that refuses to mount gets the bytes.
func TestCopyMountRefused(t *testing.T) {
	for _, answer := range []int{http.StatusAccepted, http.StatusForbidden, http.StatusNotFound} {
		d := registrytest.NewDepot(t, true)
		img := registrytest.SampleImage(t, 500, 1)
		registrytest.Write(t, d.Host+"/dev/cart:v1", img)
		d.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("mount") == "" {
				return false
			}
			if answer == http.StatusAccepted {
				w.Header().Set("Location", "/v2/prod/cart/blobs/uploads/77"+r.URL.Query().Get("mount")[7:12])
			}
			w.WriteHeader(answer)
			return true
		})
		got, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), d.Host+"/dev/cart:v1", d.Host+"/prod/cart:v1", imagecopy.CopyOptions{})
		if err != nil || got.Sent.Blobs != 2 || got.Mounted.Blobs != 0 {
			t.Errorf("mount answered with %d: %+v, %v", answer, got, err)
		}
	}
}

// Entries of others in a list of referrers stay, as they are.
func TestCopyExtendsList(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, false)
	img := registrytest.SampleImage(t, 100, 1)
	from, to := src.Host+"/a", dst.Host+"/a"
	registrytest.Write(t, from+":v1", img)
	ours := registrytest.Referrer(t, registrytest.DescriptorOf(t, img), "ours")
	registrytest.Write(t, from+"@"+registrytest.DigestOf(t, ours), ours)
	theirs := registrytest.Referrer(t, registrytest.DescriptorOf(t, img), "theirs")
	registrytest.Write(t, to+"@"+registrytest.DigestOf(t, theirs), theirs)
	// Another writer puts the list back to what it was, once.
	tag := registrytest.FallbackTag(registrytest.DigestOf(t, img))
	var once sync.Once
	before := head(t, to+":"+tag)
	dst.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, tag) {
			return false
		}
		lost := false
		once.Do(func() { lost = true; w.WriteHeader(http.StatusCreated) })
		return lost
	})
	if _, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), from+":v1", to+":v1", imagecopy.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	list := referrersOf(t, to, registrytest.DigestOf(t, img))
	if len(list) != 2 || !list[registrytest.DigestOf(t, ours)] || !list[registrytest.DigestOf(t, theirs)] {
		t.Errorf("referrers are %v", list)
	}
	if before == "" || before == head(t, to+":"+tag) {
		t.Errorf("the list was %q and is %q", before, head(t, to+":"+tag))
	}
}

// Signatures under cosign's tag that only the destination has are kept.
func TestCopyJoinsSignatures(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 100, 1)
	from, to := src.Host+"/a", dst.Host+"/a"
	tag := ":" + registrytest.FallbackTag(registrytest.DigestOf(t, img)) + ".sig"
	registrytest.Write(t, from+":v1", img)
	shared := registrytest.Signature(t, "payload", "shared")
	registrytest.Write(t, from+tag, registrytest.Sign(t, shared, "payload", "ours"))
	registrytest.Write(t, to+tag, registrytest.Sign(t, shared, "payload", "theirs"))
	c := newCopier(t, imagecopy.Options{})
	got, err := c.Copy(t.Context(), from+":v1", to+":v1", imagecopy.CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "destination's own") {
		t.Errorf("notes: %q", got.Notes)
	}
	ref, err := name.ParseReference(to + tag)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := joined.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := joined.ConfigFile()
	if err != nil || len(config.RootFS.DiffIDs) != len(m.Layers) || len(config.History) != len(m.Layers) {
		t.Fatalf("configuration %+v for %d layers, %v", config, len(m.Layers), err)
	}
	var texts []string
	for i, l := range m.Layers {
		if config.RootFS.DiffIDs[i] != l.Digest {
			t.Errorf("layer %d is %s, in the configuration %s", i, l.Digest, config.RootFS.DiffIDs[i])
		}
		texts = append(texts, l.Annotations["dev.cosignproject.cosign/signature"])
	}
	if got := strings.Join(texts, " "); got != "shared theirs ours" {
		t.Errorf("signatures: %s", got)
	}
	dst.Forget()
	if _, err := c.Copy(t.Context(), from+":v1", to+":v1", imagecopy.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if sent := dst.Requests("PUT POST PATCH", ""); len(sent) != 0 {
		t.Errorf("the second copy sent %q", sent)
	}
}

// An SBOM takes the place of the one before, as with cosign. What is no
// signature is not written over with one.
func TestCopyOverTags(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 100, 1)
	from, to, tag := src.Host+"/a", dst.Host+"/a", ":"+registrytest.FallbackTag(registrytest.DigestOf(t, img))
	registrytest.Write(t, from+":v1", img)
	registrytest.Write(t, from+tag+".sbom", registrytest.Signature(t, "new", "sbom"))
	registrytest.Write(t, to+tag+".sbom", registrytest.Signature(t, "old", "sbom"))
	c := newCopier(t, imagecopy.Options{})
	if _, err := c.Copy(t.Context(), from+":v1", to+":v1", imagecopy.CopyOptions{}); err != nil || head(t, to+tag+".sbom") != registrytest.DigestOf(t, registrytest.Signature(t, "new", "sbom")) {
		t.Errorf("the SBOM is %s, %v", head(t, to+tag+".sbom"), err)
	}
	registrytest.Write(t, from+tag+".sig", registrytest.Signature(t, "payload", "ours"))
	other := registrytest.Platforms(t, []v1.Image{registrytest.SampleImage(t, 1, 1)})
	registrytest.Write(t, to+tag+".sig", other)
	_, err := c.Copy(t.Context(), from+":v1", to+":v2", imagecopy.CopyOptions{})
	if !errors.Is(err, imagecopy.ErrNotWritten) || !strings.Contains(err.Error(), "cannot be joined") {
		t.Errorf("got %v", err)
	}
	if head(t, to+tag+".sig") != registrytest.DigestOf(t, other) || head(t, to+":v2") != "" {
		t.Error("a tag was moved by a copy that failed")
	}
}

func TestCopyWithoutSignatures(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	f := pushFleet(t, src.Host+"/a")
	src.Forget()
	got, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1",
		imagecopy.CopyOptions{WithoutSignatures: true})
	if err != nil || len(got.Attached) != 0 || got.Sent.Manifests != 3 || got.Digest != registrytest.DigestOf(t, f.index) {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := len(src.Requests("GET HEAD", "/referrers/")); n != 0 {
		t.Errorf("%d questions for referrers", n)
	}
}

// Layers that registries do not keep stay where they are.
func TestCopyForeignLayer(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img, err := mutate.Append(registrytest.SampleImage(t, 100, 1), mutate.Addendum{
		Layer: static.NewLayer([]byte("licensed"), types.DockerForeignLayer), MediaType: types.DockerForeignLayer,
		URLs: []string{"https://example.com/layer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	registrytest.Write(t, src.Host+"/a:v1", img)
	got, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	if err != nil || got.Sent.Blobs != 2 || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "must not be distributed") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCopyReferences(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 100, 1)
	registrytest.Write(t, src.Host+"/a:v1", img)
	c := newCopier(t, imagecopy.Options{})
	for _, tt := range []struct {
		src, dst string
		kind     error
		text     string
	}{
		{src.Host + "/a", dst.Host + "/a:v1", digest.ErrMalformed, "neither tag nor digest"},
		{src.Host + "/a:v1", dst.Host + "/A:v1", digest.ErrMalformed, "upper case"},
		{src.Host + "/a:v1", dst.Host + "/a:v1@" + registrytest.SomeDigest, digest.ErrMalformed, "not the digest of the destination"},
		{src.Host + "/a:v2", dst.Host + "/a:v1", digest.ErrNotFound, `tag "v2" of "a" not found`},
		{src.Host + "/a@" + registrytest.SomeDigest, dst.Host + "/a:v1", digest.ErrNotFound, "manifest " + registrytest.SomeDigest},
		{"127.0.0.1:1/a:v1", dst.Host + "/a:v1", digest.ErrUnknown, "connection refused"},
		{src.Host + "/a:v1", "127.0.0.1:1/a:v1", digest.ErrUnknown, "connection refused"},
	} {
		_, err := c.Copy(t.Context(), tt.src, tt.dst, imagecopy.CopyOptions{})
		var e *digest.Error
		if !errors.As(err, &e) || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("Copy(%s, %s): %v, want %v with %q", tt.src, tt.dst, err, tt.kind, tt.text)
		}
	}
	if n := dst.Blobs.Has("a"); n != 0 {
		t.Errorf("%d blobs sent by copies that failed at once", n)
	}
	got, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1@"+registrytest.DigestOf(t, img), imagecopy.CopyOptions{})
	if err != nil || got.Digest != registrytest.DigestOf(t, img) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Done ends at Total, which never changes, and calls do not overlap.
func TestCopyProgress(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	pushFleet(t, src.Host+"/a")
	var events []imagecopy.Event
	c := newCopier(t, imagecopy.Options{Progress: func(e imagecopy.Event) { events = append(events, e) }})
	for range 2 {
		events = nil
		got, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		last := events[len(events)-1]
		if last.Done != last.Total || last.Total != got.Sent.Bytes+got.Present.Bytes || last.Ref != dst.Host+"/a:v1" {
			t.Errorf("ends with %+v, sent %+v, present %+v", last, got.Sent, got.Present)
		}
		for _, e := range events {
			if e.Total != last.Total || e.Done > e.Total || e.Done < 0 || e.Digest == "" {
				t.Errorf("%+v before %+v", e, last)
			}
		}
	}
}

func newCopier(t testing.TB, o imagecopy.Options) *imagecopy.Copier {
	t.Helper()
	if o.Client == nil {
		o.Client = registry.New(registry.Options{Keychain: registrytest.Anonymous{}})
	}
	c := imagecopy.New(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}
