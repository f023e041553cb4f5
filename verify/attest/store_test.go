package attest

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

func newStorer(w *sigtest.Wire, o StoreOptions) *Storer {
	o.Client = w.Client()
	s := NewStorer(o)
	s.pause = 10 * time.Millisecond
	return s
}

// attested makes a summary of an image and signs it.
func attested(t testing.TB, w *sigtest.Wire, image v1.Descriptor, s sigtest.Signer, environment string) []byte {
	t.Helper()
	st, err := NewVSA(VSA{Image: w.Ref(image), Verifier: "https://kubepromote.dev/cli", Time: someTime, Passed: true,
		Policy: Resource{URI: "git+https://git.example.com/infra#kubepromote.yaml"}, Environment: environment})
	sigtest.Must(t, err)
	k, err := NewKeySigner(privatePEM(t, "PRIVATE KEY", pkcs8(t, s.Key)), nil)
	sigtest.Must(t, err)
	data, err := k.Attest(t.Context(), st)
	sigtest.Must(t, err)
	return data
}

// kept reads back the bundles of an image the way a verifier does.
func kept(t testing.TB, w *sigtest.Wire, image v1.Descriptor) [][]byte {
	t.Helper()
	ref, err := name.NewDigest(w.Ref(image))
	sigtest.Must(t, err)
	r := source.Repository{Repository: w.Client().Repository(ref.Context())}
	list, err := r.Referrers(t.Context(), image.Digest)
	sigtest.Must(t, err)
	var found [][]byte
	for _, d := range list {
		doc, err := r.Manifest(t.Context(), d.Digest.String())
		sigtest.Must(t, err)
		m, err := doc.Image()
		sigtest.Must(t, err)
		if m.Subject == nil || m.Subject.Digest != image.Digest || m.Subject.Size != image.Size || m.Subject.MediaType != image.MediaType ||
			m.ArtifactType != sigtest.BundleV03 || m.Config.MediaType != sigbundle.EmptyConfig || d.ArtifactType != sigtest.BundleV03 && d.ArtifactType != "" && d.ArtifactType != sigbundle.EmptyConfig ||
			m.Annotations["dev.sigstore.bundle.content"] != "dsse-envelope" || d.Annotations[sigbundle.PredicateAnnotation] == "" {
			t.Errorf("listed %+v, manifest %s", d, doc.Body)
		}
		blob, err := r.Blob(t.Context(), m.Layers[0], sigbundle.MaxSize)
		sigtest.Must(t, err)
		found = append(found, blob)
	}
	return found
}

func TestStore(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	for _, referrers := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers %v", referrers), func(t *testing.T) {
			w := sigtest.NewWire(t, referrers)
			image := w.Image(t, "a")
			s := newStorer(w, StoreOptions{})
			staging := attested(t, w, image, key, "staging")
			first, err := s.Store(t.Context(), w.Ref(image), staging)
			sigtest.Must(t, err)
			if !first.Written || first.Location != w.Host+"/"+sigtest.Repo+"@"+first.Digest {
				t.Errorf("%+v", first)
			}
			again, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), staging)
			sigtest.Must(t, err)
			if again.Written || again.Digest != first.Digest {
				t.Errorf("%+v", again)
			}
			_, err = s.Store(t.Context(), w.Ref(image), attested(t, w, image, key, "production"))
			sigtest.Must(t, err)
			all := kept(t, w, image)
			if len(all) != 2 {
				t.Fatalf("%d bundles", len(all))
			}
			at := slices.IndexFunc(all, func(b []byte) bool { return bytes.Equal(b, staging) }) // lists are in no order
			if at < 0 {
				t.Fatal("the bundle is not there as it was")
			}
			result := checkWithKey(t, all[at], key.Key.Public(), image.Digest.String())
			if result.Statement.GetPredicateType() != statement.VSAType {
				t.Errorf("%+v", result.Statement)
			}
			b, err := sigbundle.Parse(all[at])
			sigtest.Must(t, err)
			st, err := statement.Parse(b.GetDsseEnvelope().GetPayload())
			sigtest.Must(t, err)
			sigtest.Must(t, condition.CheckPromotion(st, condition.PromotionWant{Digest: image.Digest.String(), Environment: "staging"}))
		})
	}
}

// A registry that lists by itself says so, and is not asked again.
func TestStoreBelievesTheSubjectHeader(t *testing.T) {
	w := sigtest.NewWire(t, false)
	image := w.Image(t, "a")
	var asked sync.Map
	f := func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			rw.Header().Set("OCI-Subject", image.Digest.String())
		}
		if strings.Contains(r.URL.Path, "/referrers/") || strings.HasSuffix(r.URL.Path, "/sha256-"+image.Digest.Hex) {
			asked.Store(r.URL.Path, true)
		}
		return false
	}
	w.Answer.Store(&f)
	_, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), attested(t, w, image, sigtest.NewSigner(t, "p256"), "staging"))
	sigtest.Must(t, err)
	asked.Range(func(path, _ any) bool {
		t.Errorf("asked for %s", path)
		return true
	})
}

// What others have in the list stays there, fields that nobody knows included.
func TestStoreKeepsTheList(t *testing.T) {
	w := sigtest.NewWire(t, false)
	image, other := w.Image(t, "a"), w.Image(t, "b")
	w.Put(t, "sha256-"+image.Digest.Hex, types.OCIImageIndex, fmt.Appendf(nil,
		`{"schemaVersion":2,"mediaType":%q,"x-index":{"a":1},"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"x-entry":[1,2]}]}`,
		types.OCIImageIndex, other.MediaType, other.Digest, other.Size))
	_, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), attested(t, w, image, sigtest.NewSigner(t, "p256"), "staging"))
	sigtest.Must(t, err)
	ref, err := name.NewDigest(w.Ref(image))
	sigtest.Must(t, err)
	r := source.Repository{Repository: w.Client().Repository(ref.Context())}
	doc, err := r.Manifest(t.Context(), "sha256-"+image.Digest.Hex)
	sigtest.Must(t, err)
	for _, want := range []string{`"x-index":{"a":1}`, `"x-entry":[1,2]`, sigtest.BundleV03} {
		if !strings.Contains(string(doc.Body), want) {
			t.Errorf("no %s in %s", want, doc.Body)
		}
	}
}

// Bundles that are stored at the same time are all listed.
func TestStoreTogether(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	w := sigtest.NewWire(t, false)
	image := w.Image(t, "a")
	s := newStorer(w, StoreOptions{})
	const writers = 6
	var wg sync.WaitGroup
	for i := range writers {
		data := attested(t, w, image, key, fmt.Sprint("env", i))
		wg.Go(func() {
			if _, err := s.Store(t.Context(), w.Ref(image), data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all := kept(t, w, image); len(all) != writers {
		t.Errorf("%d bundles", len(all))
	}
}

// Another program reads the list before we write it, and writes it after us:
// what we have added is gone, and has to be added once more.
func TestStoreIsOvertaken(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		t.Run(fmt.Sprintf("legacy %v", legacy), func(t *testing.T) {
			key := sigtest.NewSigner(t, "p256")
			w := sigtest.NewWire(t, false)
			image := w.Image(t, "a")
			tag := "sha256-" + image.Digest.Hex
			if legacy {
				tag += ".att"
			}
			s := newStorer(w, StoreOptions{Legacy: legacy})
			theirs, ours := attested(t, w, image, key, "staging"), attested(t, w, image, key, "production")
			_, err := s.Store(t.Context(), w.Ref(image), theirs)
			sigtest.Must(t, err)
			ref, err := name.NewDigest(w.Ref(image))
			sigtest.Must(t, err)
			r := source.Repository{Repository: w.Client().Repository(ref.Context())}
			stale, err := r.Manifest(t.Context(), tag)
			sigtest.Must(t, err)
			var writes atomic.Int64
			f := func(rw http.ResponseWriter, req *http.Request) bool {
				mine := req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, "/"+tag) && writes.Add(1) <= 2
				if mine { // it counts for nothing: what the other has read is there again
					_, _ = io.Copy(io.Discard, req.Body)
					rw.WriteHeader(http.StatusCreated)
				}
				return mine
			}
			w.Answer.Store(&f)
			stored, err := s.Store(t.Context(), w.Ref(image), ours)
			sigtest.Must(t, err)
			if !stored.Written || writes.Load() != 3 {
				t.Errorf("%+v, %d writes", stored, writes.Load())
			}
			now, err := r.Manifest(t.Context(), tag)
			sigtest.Must(t, err)
			before, err := parseEntries(stale.Body)
			sigtest.Must(t, err)
			after, err := parseEntries(now.Body)
			sigtest.Must(t, err)
			if len(before) != 1 || len(after) != 2 || after[0] != before[0] {
				t.Errorf("%v, then %v", before, after)
			}
		})
	}
}

// parseEntries lists the digests in an index, or in the layers of an image.
func parseEntries(body []byte) (digests []string, err error) {
	var m struct{ Manifests, Layers []v1.Descriptor }
	err = json.Unmarshal(body, &m)
	for _, d := range append(m.Manifests, m.Layers...) {
		digests = append(digests, d.Digest.String())
	}
	return digests, err
}

// cosignOptions are what cosign verify-attestation --key sets, and no network
// but the registry.
func cosignOptions(t testing.TB, w *sigtest.Wire, s sigtest.Signer) *cosign.CheckOpts {
	t.Helper()
	verifier, err := signature.LoadVerifier(s.Key.Public(), crypto.SHA256)
	sigtest.Must(t, err)
	return &cosign.CheckOpts{
		SigVerifier: verifier, ClaimVerifier: cosign.IntotoSubjectClaimVerifier, IgnoreTlog: true, IgnoreSCT: true, Offline: true,
		RegistryClientOpts: []ociremote.Option{ociremote.WithRemoteOptions(remote.WithTransport(w.Server.Client().Transport))},
	}
}

// The library behind the cosign CLI finds and accepts what is stored.
func TestStoreForCosign(t *testing.T) {
	virtual, err := ca.NewVirtualSigstore()
	sigtest.Must(t, err)
	for _, kind := range []string{"p256", "rsa", "ed25519"} {
		for _, referrers := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, referrers %v", kind, referrers), func(t *testing.T) {
				w := sigtest.NewWire(t, referrers)
				image := w.Image(t, "a")
				key := sigtest.NewSigner(t, kind)
				_, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), attested(t, w, image, key, "staging"))
				sigtest.Must(t, err)
				ref, err := name.NewDigest(w.Ref(image))
				sigtest.Must(t, err)
				o := cosignOptions(t, w, key)
				o.NewBundleFormat, o.TrustedMaterial = true, virtual
				found, _, err := cosign.VerifyImageAttestations(t.Context(), ref, o)
				sigtest.Must(t, err)
				if len(found) != 1 {
					t.Errorf("%d attestations", len(found))
				}
				o.SigVerifier = cosignOptions(t, w, sigtest.NewSigner(t, kind)).SigVerifier
				if _, _, err := cosign.VerifyImageAttestations(t.Context(), ref, o); err == nil {
					t.Error("accepted with another key")
				}
			})
		}
	}
}

// The older form is readable and verifiable by cosign.
func TestStoreLegacy(t *testing.T) {
	w := sigtest.NewWire(t, true)
	image := w.Image(t, "a")
	key := sigtest.NewSigner(t, "p256")
	s := newStorer(w, StoreOptions{Legacy: true})
	var last Stored
	staging := attested(t, w, image, key, "staging")
	for i, data := range [][]byte{staging, attested(t, w, image, key, "production"), staging} {
		stored, err := s.Store(t.Context(), w.Ref(image), data)
		sigtest.Must(t, err)
		if stored.Written != (i < 2) || stored.Digest == "" {
			t.Errorf("%d: %+v", i, stored)
		}
		last = stored
	}
	ref, err := name.NewDigest(w.Ref(image))
	sigtest.Must(t, err)
	found, _, err := cosign.VerifyImageAttestations(t.Context(), ref, cosignOptions(t, w, key))
	sigtest.Must(t, err)
	if len(found) != 2 || !strings.HasPrefix(last.Location, w.Host+"/"+sigtest.Repo+"@sha256:") {
		t.Errorf("%d attestations, %+v", len(found), last)
	}
}

func TestStoreFailures(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	for name, c := range map[string]struct {
		method, part string
		code         int
		unknown      bool
		want         string
	}{
		"no login":             {"GET", "/manifests/sha256:", 401, false, "was not stored"},
		"registry down":        {"GET", "/v2/", 503, true, "server error (503)"},
		"no image":             {"GET", "/manifests/sha256:", 404, false, "not found"},
		"image unreadable":     {"GET", "/manifests/sha256:", 500, true, "500"},
		"no upload":            {"POST", "/blobs/uploads/", 403, false, "403"},
		"upload fails":         {"POST", "/blobs/uploads/", 502, true, "502"},
		"no manifest":          {"PUT", "/manifests/", 403, false, "cannot write to"},
		"too many requests":    {"PUT", "/manifests/", 429, true, "it is not known whether the bundle was stored"},
		"manifest fails":       {"PUT", "/manifests/", 500, true, "it is not known whether"},
		"referrers unreadable": {"GET", "/referrers/", 503, true, "the bundle is there, but not listed"},
		"list unreadable":      {"GET", "/manifests/sha256-", 500, true, "the bundle is there, but not listed"},
		"list not writable":    {"PUT", "/manifests/sha256-", 403, false, "the bundle is there, but not listed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := sigtest.NewWire(t, false)
			image := w.Image(t, "a")
			data := attested(t, w, image, key, "staging")
			f := func(rw http.ResponseWriter, r *http.Request) bool {
				hit := r.Method == c.method && (strings.Contains(r.URL.Path, c.part) && c.part != "/v2/" || r.URL.Path == c.part)
				if hit {
					rw.WriteHeader(c.code)
				}
				return hit
			}
			w.Answer.Store(&f)
			_, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), data)
			e, ok := errors.AsType[*StoreError](err)
			if !ok || e.Unknown != c.unknown || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), w.Host+"/"+sigtest.Repo) {
				t.Errorf("%+v", err)
			}
		})
	}
}

// Whoever may only write to a repository is refused the question whether a blob is
// there.
func TestStoreWithoutReadingBlobs(t *testing.T) {
	w := sigtest.NewWire(t, true)
	image := w.Image(t, "a")
	data := attested(t, w, image, sigtest.NewSigner(t, "p256"), "staging")
	f := func(rw http.ResponseWriter, r *http.Request) bool {
		hit := r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/blobs/")
		if hit {
			rw.WriteHeader(http.StatusForbidden)
		}
		return hit
	}
	w.Answer.Store(&f)
	stored, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), data)
	if err != nil || !stored.Written {
		t.Errorf("%+v, %v", stored, err)
	}
	if all := kept(t, w, image); len(all) != 1 {
		t.Errorf("%d bundles", len(all))
	}
}

// A failure that passes does no harm.
func TestStoreTriesAgain(t *testing.T) {
	w := sigtest.NewWire(t, true)
	image := w.Image(t, "a")
	var mu sync.Mutex
	failed := map[string]bool{}
	f := func(rw http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		step := r.Method + " " + strings.Join(strings.Split(r.URL.Path, "/")[:min(5, strings.Count(r.URL.Path, "/"))], "/")
		if r.URL.Path == "/v2/" || failed[step] {
			return false
		}
		failed[step] = true
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	w.Answer.Store(&f)
	_, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), attested(t, w, image, sigtest.NewSigner(t, "p256"), "staging"))
	sigtest.Must(t, err)
	w.Answer.Store(nil)
	if all := kept(t, w, image); len(all) != 1 || len(failed) < 4 {
		t.Errorf("%d bundles, %v", len(all), failed)
	}
}

func TestStoreStops(t *testing.T) {
	w := sigtest.NewWire(t, true)
	image := w.Image(t, "a")
	data := attested(t, w, image, sigtest.NewSigner(t, "p256"), "staging")
	ctx, cancel := context.WithCancel(t.Context())
	f := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		cancel()
		<-r.Context().Done()
		return true
	}
	w.Answer.Store(&f)
	_, err := newStorer(w, StoreOptions{}).Store(ctx, w.Ref(image), data)
	if e, ok := errors.AsType[*StoreError](err); !ok || !e.Unknown || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// slowCredentials is a credential helper that does not come back.
type slowCredentials struct{ never chan struct{} }

func (k slowCredentials) Resolve(authn.Resource) (authn.Authenticator, error) {
	<-k.never
	return authn.Anonymous, nil
}

func TestStoreDoesNotWaitForHelpers(t *testing.T) {
	w := sigtest.NewWire(t, true)
	image := w.Image(t, "a")
	w.On("/v2/", sigtest.LoginFirst)
	never := make(chan struct{})
	defer close(never)
	s := NewStorer(StoreOptions{Client: registry.New(registry.Options{Keychain: slowCredentials{never}}), Timeout: 50 * time.Millisecond})
	_, err := s.Store(t.Context(), w.Ref(image), attested(t, w, image, sigtest.NewSigner(t, "p256"), "staging"))
	if e, ok := errors.AsType[*StoreError](err); !ok || !e.Unknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestStoreRefuses(t *testing.T) {
	w := sigtest.NewWire(t, true)
	image, other := w.Image(t, "a"), w.Image(t, "b")
	key := sigtest.NewSigner(t, "p256")
	good := attested(t, w, image, key, "staging")
	older := strings.Replace(string(good), "bundle.v0.3+json", "bundle+json;version=0.2", 1)
	var odd map[string]any
	sigtest.Must(t, json.Unmarshal(good, &odd))
	odd["dsseEnvelope"].(map[string]any)["payloadType"] = "text/plain"
	before := w.Requests.Load()
	for name, c := range map[string]struct {
		image string
		data  []byte
		want  string
	}{
		"tag":          {w.Host + "/" + sigtest.Repo + ":1", good, "no image with a digest"},
		"no bundle":    {w.Ref(image), []byte("{}"), "malformed: bundle"},
		"nothing":      {w.Ref(image), nil, "malformed: bundle"},
		"other digest": {w.Ref(other), good, "about another digest"},
		"message":      {w.Ref(image), sigtest.BundleJSON(t, sigtest.MessageBundle(t, key, []byte("x"))), "holds no statement"},
		"payload type": {w.Ref(image), sigtest.Marshal(t, odd), "holds no statement"},
		"older bundle": {w.Ref(image), []byte(older), "not application/vnd.dev.sigstore.bundle.v0.3+json"},
		"huge":         {w.Ref(image), make([]byte, sigbundle.MaxSize+1), "more than 8 MiB"},
	} {
		_, err := newStorer(w, StoreOptions{}).Store(t.Context(), c.image, c.data)
		if e, ok := errors.AsType[*StoreError](err); !ok || e.Unknown || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.Requests.Load() - before; n != 0 {
		t.Errorf("%d requests", n)
	}
}
