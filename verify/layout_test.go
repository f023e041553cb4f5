package verify

import (
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

const (
	refAnnotation  = "org.opencontainers.image.ref.name"
	kindAnnotation = "kind" // of cosign save
)

// shelf is an OCI layout being made.
type shelf struct {
	t     *testing.T
	dir   string
	index []v1.Descriptor
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: t.TempDir()}
	sigtest.Must(t, os.MkdirAll(filepath.Join(s.dir, "blobs", "sha256"), 0o755))
	sigtest.Must(t, os.WriteFile(filepath.Join(s.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600))
	return s
}

func (s *shelf) blob(mediaType types.MediaType, body []byte) v1.Descriptor {
	s.t.Helper()
	d := sigtest.Descriptor(mediaType, body)
	sigtest.Must(s.t, os.WriteFile(filepath.Join(s.dir, "blobs", "sha256", d.Digest.Hex), body, 0o600))
	return d
}

// add puts a manifest into the index, with annotations.
func (s *shelf) add(manifest any, annotations map[string]string) v1.Descriptor {
	s.t.Helper()
	d := s.blob(types.OCIManifestSchema1, sigtest.Marshal(s.t, manifest))
	d.Annotations = annotations
	s.index = append(s.index, d)
	s.save()
	return d
}

func (s *shelf) save() {
	s.t.Helper()
	sigtest.Must(s.t, os.WriteFile(filepath.Join(s.dir, "index.json"), sigtest.Marshal(s.t, v1.IndexManifest{SchemaVersion: 2, Manifests: s.index}), 0o600))
}

func (s *shelf) image(seed string, annotations map[string]string) v1.Descriptor {
	config := s.blob(types.OCIConfigJSON, []byte(`{"author":"`+seed+`"}`))
	return s.add(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{}}, annotations)
}

func (s *shelf) signature(k sigtest.Signer, image v1.Descriptor) v1.Manifest {
	d := s.blob(signature.SimpleSigning, sigtest.Claim(image.Digest))
	d.Annotations = map[string]string{signature.SignatureAnnotation: sigtest.SignText(s.t, k, sigtest.Claim(image.Digest))}
	return v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: s.blob(types.OCIConfigJSON, []byte("{}")), Layers: []v1.Descriptor{d}}
}

func (s *shelf) bundle(k sigtest.Signer, image v1.Descriptor) map[string]any {
	data := sigtest.BundleJSON(s.t, sigtest.DsseBundle(s.t, k, crypto.SHA256, sigtest.Statement(image.Digest, statement.SignType)))
	return map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "artifactType": sigtest.BundleV03,
		"config": s.blob(sigbundle.EmptyConfig, []byte("{}")), "layers": []v1.Descriptor{s.blob(sigtest.BundleV03, data)}, "subject": image}
}

func TestLayout(t *testing.T) {
	good, bad := sigtest.NewSigner(t, "p256"), sigtest.NewSigner(t, "p256")
	tests := []struct {
		name    string
		fill    func(*shelf)
		ref     string // behind the directory
		outcome Outcome
		reason  string
	}{
		{"tag", func(s *shelf) {
			d := s.image("a", nil)
			s.add(s.signature(good, d), map[string]string{refAnnotation: "sha256-" + d.Digest.Hex + ".sig"})
		}, "", Verified, `signed by "release"`},
		{"cosign save", func(s *shelf) {
			d := s.image("a", map[string]string{kindAnnotation: "dev.cosignproject.cosign/image"})
			s.add(s.signature(good, d), map[string]string{kindAnnotation: "dev.cosignproject.cosign/sigs"})
		}, "", Verified, `signed by "release"`},
		{"subject", func(s *shelf) {
			s.add(s.bundle(good, s.image("a", map[string]string{refAnnotation: "v1"})), nil)
		},
			":v1", Verified, `signed by "release"`},
		{"fallback tag", func(s *shelf) {
			d := s.image("a", nil)
			b := s.blob(types.OCIManifestSchema1, sigtest.Marshal(s.t, s.bundle(good, d)))
			b.ArtifactType = sigtest.BundleV03
			list := s.blob(types.OCIImageIndex, sigtest.Marshal(s.t, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{b}}))
			list.Annotations = map[string]string{refAnnotation: "sha256-" + d.Digest.Hex}
			s.index = append(s.index, list)
			s.save()
		}, "", Verified, `signed by "release"`},
		{"another key", func(s *shelf) { s.add(s.bundle(bad, s.image("a", map[string]string{refAnnotation: "v1"})), nil) },
			":v1", Rejected, `1 signature, none by authority "release": made with another key`},
		{"unsigned", func(s *shelf) { s.image("a", nil) }, "", Rejected, "no signature found"},
		{"two images", func(s *shelf) { s.image("a", nil); s.image("b", nil) }, "", Unknown, `reference "oci:HERE": index.json has 2 images, and the reference names none`},
		{"no such image", func(s *shelf) { s.image("a", nil) }, ":v9", Unknown, `reference "oci:HERE:v9": index.json has no image named "v9"`},
		{"empty", func(s *shelf) { s.save() }, "", Unknown, `reference "oci:HERE": index.json has no image`},
		{"no layout", func(*shelf) {}, "", Unknown, `reference "oci:HERE": there is no index.json`},
		{"broken index", func(s *shelf) { sigtest.Must(t, os.WriteFile(filepath.Join(s.dir, "index.json"), []byte("{"), 0o600)) },
			"", Unknown, `reference "oci:HERE": index.json is not an image index`},
		{"exchanged image", func(s *shelf) {
			d := s.image("a", nil)
			s.add(s.signature(good, d), map[string]string{refAnnotation: "sha256-" + d.Digest.Hex + ".sig"})
			sigtest.Must(t, os.WriteFile(filepath.Join(s.dir, "blobs", "sha256", d.Digest.Hex), []byte(`{"evil":1}`), 0o600))
		}, "", Unknown, `reference "oci:HERE": blobs/sha256/`},
		{"missing image", func(s *shelf) {
			d := s.image("a", nil)
			s.add(s.signature(good, d), map[string]string{refAnnotation: "sha256-" + d.Digest.Hex + ".sig"})
			sigtest.Must(t, os.Remove(filepath.Join(s.dir, "blobs", "sha256", d.Digest.Hex)))
		}, "", Unknown, `reference "oci:HERE": there is no blobs/sha256/`},
		{"missing signature", func(s *shelf) {
			d := s.image("a", nil)
			sig := s.add(s.signature(good, d), map[string]string{refAnnotation: "sha256-" + d.Digest.Hex + ".sig"})
			sigtest.Must(t, os.Remove(filepath.Join(s.dir, "blobs", "sha256", sig.Digest.Hex)))
		}, "", Unknown, `reference "oci:HERE": oci:HERE has no blobs/sha256/`},
		{"missing bundle", func(s *shelf) {
			b := s.add(s.bundle(good, s.image("a", map[string]string{refAnnotation: "v1"})), nil)
			sigtest.Must(t, os.Remove(filepath.Join(s.dir, "blobs", "sha256", b.Digest.Hex)))
		}, ":v1", Unknown, `reference "oci:HERE:v1": there is no blobs/sha256/`},
		{"missing bundle beside a good one", func(s *shelf) {
			d := s.image("a", map[string]string{refAnnotation: "v1"})
			b := s.add(s.bundle(bad, d), nil)
			s.add(s.bundle(good, d), nil)
			sigtest.Must(t, os.Remove(filepath.Join(s.dir, "blobs", "sha256", b.Digest.Hex)))
		}, ":v1", Verified, `signed by "release"`},
		{"list of referrers that ends in nonsense", func(s *shelf) {
			d := s.image("a", nil)
			b := s.blob(types.OCIManifestSchema1, sigtest.Marshal(s.t, s.bundle(good, d)))
			b.ArtifactType = sigtest.BundleV03
			list := s.blob(types.OCIImageIndex, []byte(`{"schemaVersion":2,"manifests":[`+string(sigtest.Marshal(s.t, b))+`,7]}`))
			list.Annotations = map[string]string{refAnnotation: "sha256-" + d.Digest.Hex}
			s.index = append(s.index, list)
			s.save()
		}, "", Verified, `signed by "release"`},
		{"exchanged signature", func(s *shelf) {
			d := s.image("a", nil)
			m := s.signature(good, d)
			s.add(m, map[string]string{refAnnotation: "sha256-" + d.Digest.Hex + ".sig"})
			sigtest.Must(t, os.WriteFile(filepath.Join(s.dir, "blobs", "sha256", m.Layers[0].Digest.Hex), make([]byte, m.Layers[0].Size), 0o600))
		}, "", Unknown, "cannot read oci:HERE@sha256:"},
		{"link out of it", func(s *shelf) {
			d := s.image("a", nil)
			m := s.signature(good, d)
			s.add(m, map[string]string{refAnnotation: "sha256-" + d.Digest.Hex + ".sig"})
			at := filepath.Join(s.dir, "blobs", "sha256", m.Layers[0].Digest.Hex)
			outside := filepath.Join(t.TempDir(), "blob")
			sigtest.Must(t, os.Rename(at, outside))
			sigtest.Must(t, os.Symlink(outside, at))
		}, "", Unknown, "cannot read oci:HERE@sha256:"},
	}
	p := policyFor(t, "release", good.Pem)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShelf(t)
			tt.fill(s)
			v := New(Options{Client: registry.New(registry.Options{Keychain: sigtest.FailingKeychain{T: t}}), LayoutName: "registry.example.com/shop/cart"})
			got := v.Verify(t.Context(), p, "oci:"+s.dir+tt.ref)[0]
			want := strings.ReplaceAll(tt.reason, "HERE", s.dir)
			if got.Outcome != tt.outcome || !strings.HasPrefix(got.Reason, want) {
				t.Errorf("got  %s: %s\nwant %s: %s", got.Outcome, got.Reason, tt.outcome, want)
			}
		})
	}
}

// A layout has no name that could be believed.
func TestLayoutName(t *testing.T) {
	s := newShelf(t)
	k := sigtest.NewSigner(t, "p256")
	d := s.image("a", map[string]string{refAnnotation: "registry.example.com/shop/cart:v1"})
	s.add(s.bundle(k, d), nil)
	named := "oci:" + s.dir + "@" + d.Digest.String()
	p := policyFor(t, "release", k.Pem) // **/shop/*
	if got := New(Options{}).Verify(t.Context(), p, named)[0]; got.Outcome != Rejected || got.Reason != "no rule of the policy matches" {
		t.Errorf("%+v", got)
	}
	all, err := ParsePolicy("p.yaml", []byte(strings.Replace(string(sigtest.PolicyText("release", k.Pem)), "**/shop/*", "**", 1)), nil)
	sigtest.Must(t, err)
	for _, ref := range []string{named, "oci:" + s.dir + ":v1"} {
		got := New(Options{}).Verify(t.Context(), all, ref)[0]
		if got.Outcome != Verified || got.Image != ref || !strings.HasPrefix(got.Evidence[0].Location, "oci:"+s.dir+"@sha256:") {
			t.Errorf("%s: %+v", ref, got)
		}
	}
	if got := New(Options{LayoutName: "::"}).Verify(t.Context(), all, named)[0]; got.Outcome != Rejected {
		t.Errorf("%+v", got)
	}
}

// Directories whose names come out the same in a message are not the same.
func TestLayoutsAlike(t *testing.T) {
	good := sigtest.NewSigner(t, "p256")
	base := filepath.Join(t.TempDir(), strings.Repeat("d", 120), strings.Repeat("e", 120))
	p := policyFor(t, "release", good.Pem)
	for _, names := range [][2]string{{"signed", "other"}, {"a b", "a  b"}, {"a b", "a\tb"}} {
		var refs []string
		for i, name := range names {
			s := newShelf(t)
			s.dir = filepath.Join(base, name)
			sigtest.Must(t, os.MkdirAll(filepath.Join(s.dir, "blobs", "sha256"), 0o755))
			sigtest.Must(t, os.WriteFile(filepath.Join(s.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600))
			d := s.image(name, nil)
			if i == 0 {
				s.add(s.signature(good, d), map[string]string{refAnnotation: "sha256-" + d.Digest.Hex + ".sig"})
			}
			refs = append(refs, "oci:"+s.dir)
		}
		got := New(Options{LayoutName: "registry.example.com/shop/cart"}).Verify(t.Context(), p, refs...)
		if got[0].Outcome != Verified || got[1].Outcome != Rejected {
			t.Errorf("%q: %s and %s", names, got[0].Outcome, got[1].Outcome)
		}
		sigtest.Must(t, os.RemoveAll(base))
	}
}
