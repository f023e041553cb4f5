package verify

import (
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// A manifest that nobody has signed, and that lists an image that somebody has.
// Whoever makes it decides what else it can be taken for.
func TestManifestOfTwoKinds(t *testing.T) {
	b := newBench(t, true)
	signed := b.Wire.Image(t, "signed")
	b.image = signed
	b.signBy(t, b.good)
	good := fmt.Sprintf(`{"mediaType":%q,"size":%d,"digest":%q,"platform":{"os":"linux","architecture":"amd64"}}`,
		signed.MediaType, signed.Size, signed.Digest)
	evil := strings.Replace(good, signed.Digest.Hex, strings.Repeat("e", 64), 1)
	config := b.Wire.Blob(t, types.OCIConfigJSON, []byte(`{"author":"evil"}`))
	b.Put(t, "", types.OCIManifestSchema1, sigtest.Marshal(t, v1.Manifest{SchemaVersion: 2, Config: config, Layers: []v1.Descriptor{}}))
	const index, image = string(types.OCIImageIndex), string(types.OCIManifestSchema1)
	configured := fmt.Sprintf(`"config":%s,"layers":[]`, sigtest.Marshal(t, config))
	for name, tt := range map[string]struct {
		body, header string
		want         Outcome
		reason       string
	}{
		"index":                      {`{"schemaVersion":2,"manifests":[` + good + `]}`, index, Verified, ""},
		"index called image":         {`{"schemaVersion":2,"manifests":[` + good + `]}`, image, Verified, ""},
		"image called index":         {`{"schemaVersion":2,` + configured + `}`, index, Rejected, "no signature found"},
		"index and image":            {`{"schemaVersion":2,"manifests":[` + good + `],` + configured + `}`, index, Rejected, "the manifest is ambiguous: "},
		"index and image, as image":  {`{"schemaVersion":2,"manifests":[` + good + `],` + configured + `}`, image, Rejected, "the manifest is ambiguous: "},
		"index of the type of image": {`{"mediaType":"` + image + `","manifests":[` + good + `]}`, index, Rejected, "the manifest is ambiguous: "},
		"image of the type of index": {`{"mediaType":"` + index + `",` + configured + `}`, index, Rejected, "the manifest is ambiguous: "},
		"two lists":                  {`{"manifests":[` + evil + `],"manifests":[` + good + `]}`, index, Unknown, "field \"manifests\" is there twice"},
		"two spellings":              {`{"manifests":[` + evil + `],"Manifests":[` + good + `]}`, index, Rejected, "the manifest is ambiguous: "},
		"two digests": {`{"manifests":[{"digest":"sha256:` + strings.Repeat("e", 64) + `","Digest":"` + signed.Digest.String() + `"}]}`,
			index, Rejected, "the manifest is ambiguous: "},
		"long s": {`{"manifests":[` + evil + `],"manifeſts":[` + good + `]}`, index, Rejected, "the manifest is ambiguous: "},
		"only what is no platform": {`{"manifests":[` + strings.Replace(strings.Replace(good, "linux", "unknown", 1), "amd64", "unknown", 1) + `]}`,
			index, Rejected, "the index has no image"},
		"empty": {`{"manifests":[]}`, index, Rejected, "the index has no image"},
		"null":  {`{"manifests":null}`, index, Rejected, "the index has no image"},
	} {
		for _, mode := range []string{"platforms", "either"} {
			body := []byte(tt.body)
			b.image = sigtest.Descriptor(types.OCIImageIndex, body)
			b.On("/manifests/"+b.image.Digest.String(), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.header)
				_, _ = w.Write(body)
			})
			got := b.with(t, rulePolicy(t, "    manifest: "+mode+"\n", sigtest.KeyLine("release", b.good)))
			if got.Outcome != tt.want || !strings.HasPrefix(got.Reason, tt.reason) {
				t.Errorf("%s, %s: got %s: %s", name, mode, got.Outcome, got.Reason)
			}
		}
	}
}

// The end of a list is where the registry says that there is no more, and not
// where it says something that is not understood.
func TestPagesCutOff(t *testing.T) {
	s := sigtest.NewInstance(t)
	for name, answer := range map[string]http.HandlerFunc{
		"page by its path": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			w.Header().Set("Link", `</v2/shop/cart/referrers/page/2>; rel="next"`)
			fmt.Fprint(w, `{"manifests":[]}`)
		},
		"second page is none": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			if r.URL.RawQuery == "" {
				w.Header().Set("Content-Type", string(types.OCIImageIndex))
				w.Header().Set("Link", `</x?page=2>; rel="next"`)
			}
			fmt.Fprint(w, `{"manifests":[]}`)
		},
		"error with status 200": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"errors":[{"code":"TOOMANYREQUESTS"}]}`)
		},
		"no list": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			fmt.Fprint(w, `{"errors":[{"code":"TOOMANYREQUESTS"}]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, s)
			h.On("/referrers/", answer)
			h.expect(t, Unknown)
		})
	}
}

// A list that is called something else is the list.
func TestReferrersCalledJSON(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	d := b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))))
	d.ArtifactType = sigtest.BundleV03
	b.On("/referrers/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(sigtest.Marshal(t, v1.IndexManifest{Manifests: []v1.Descriptor{d}}))
	})
	check(t, b, b.verify(t), Verified, `signed by "release"`)
}

// allocated is how many bytes f takes from the heap, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A few megabytes of text must not become some hundred in memory.
func TestExpansion(t *testing.T) {
	fill := func(begin, item, end string, size int) []byte {
		n := (size - len(begin) - len(end)) / (len(item) + 1)
		return []byte(begin + strings.Repeat(item+",", n) + item + end)
	}
	for name, f := range map[string]func() error{
		"list": func() error {
			_, err := source.ParseList("x", fill(`{"manifests":[`, "{}", "]}", source.MaxManifestSize))
			return err
		},
		"manifest": func() error {
			_, err := source.ParseManifest(fill(`{"layers":[`, "{}", "]}", source.MaxManifestSize))
			return err
		},
		"entries of a bundle": func() error {
			_, err := sigbundle.Parse(fill(`{"mediaType":"`+sigtest.BundleV03+`","verificationMaterial":{"tlogEntries":[`, "{}", "]}}", sigbundle.MaxSize))
			return err
		},
		"body of an entry": func() error {
			e := &protorekor.TransparencyLogEntry{LogId: &protocommon.LogId{KeyId: []byte("x")}, KindVersion: &protorekor.KindVersion{},
				CanonicalizedBody: fill(`{"kind":"dsse","apiVersion":"0.0.1","spec":{"x":[`, "0", "]}}", 5<<20)}
			b := sigtest.DsseBundle(t, sigtest.NewSigner(t, "p256"), crypto.SHA256, []byte("{}"))
			b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{e}
			_, err := sigbundle.Parse(sigtest.BundleJSON(t, b))
			return err
		},
		"statement": func() error {
			text := fill(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","predicate":{"a":[`, "0", `]}}`, 5<<20)
			b, err := sigbundle.Parse(sigtest.BundleJSON(t, sigtest.DsseBundle(t, sigtest.NewSigner(t, "p256"), crypto.SHA256, text)))
			sigtest.Must(t, err)
			_, err = signature.FromBundle(b)
			return err
		},
	} {
		var err error
		if n := allocated(func() { err = f() }); n > 128<<20 || err == nil {
			t.Errorf("%s: %d MiB, error %v", name, n>>20, err)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:00","platform":{"os":"linux"}}]}`))
	f.Add([]byte(`{"config":{},"layers":[]}`))
	f.Add([]byte(`{"Manifests":null,"manifests":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, ok, err := (&source.Document{What: "x", Body: body}).Index()
		if err != nil {
			return
		}
		// What is taken for an index is one for the plainest of readers, too.
		var plain map[string]json.RawMessage
		sigtest.Must(t, json.Unmarshal(body, &plain))
		if ok != (plain["manifests"] != nil) || ok && (plain["config"] != nil || plain["layers"] != nil) {
			t.Fatalf("index: %t", ok)
		}
		if !ok {
			return
		}
		var entries []struct{ Digest v1.Hash }
		sigtest.Must(t, json.Unmarshal(plain["manifests"], &entries))
		if !slices.EqualFunc(list, entries, func(a v1.Descriptor, b struct{ Digest v1.Hash }) bool { return a.Digest == b.Digest }) {
			t.Fatal("other entries")
		}
	})
}
