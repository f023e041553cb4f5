package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/source"
)

// emptyBlob is the config of a manifest that needs none.
const emptyBlob = "{}"

// writer writes to one repository.
type writer struct {
	source.Repository
	pause time.Duration
}

// referrerManifest is the manifest of a bundle. v1.Manifest has no artifactType.
type referrerManifest struct {
	SchemaVersion int64             `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  types.MediaType   `json:"artifactType"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Subject       v1.Descriptor     `json:"subject"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// putReferrer stores a bundle as a referrer of the subject.
func (w *writer) putReferrer(ctx context.Context, subject *source.Document, a *attestation) (Stored, error) {
	m := referrerManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  bundleMediaType,
		Config:        describe(sigbundle.EmptyConfig, []byte(emptyBlob)),
		Layers:        []v1.Descriptor{describe(bundleMediaType, a.data)},
		Subject:       v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: int64(len(subject.Body))},
		Annotations:   a.Annotations(),
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Stored{}, err
	}
	entry := describe(types.OCIManifestSchema1, body)
	entry.ArtifactType, entry.Annotations = string(bundleMediaType), m.Annotations
	stored := Stored{Digest: entry.Digest.String()}
	there, err := w.Exists(ctx, entry.Digest)
	if err != nil {
		return stored, err
	}
	if !there {
		stored.Written = true
		listed, err := w.putBundle(ctx, subject.Digest, a.data, entry.Digest, body)
		if listed || err != nil {
			return stored, err
		}
	}
	added, err := w.List(ctx, subject.Digest, entry)
	if err != nil {
		return stored, fmt.Errorf("the bundle is there, but not listed: %w", err)
	}
	stored.Written = stored.Written || added
	return stored, nil
}

// putBundle writes a bundle and the manifest that leads to it. listed is true
// if the registry says that it lists referrers by itself.
func (w *writer) putBundle(ctx context.Context, subject v1.Hash, data []byte, digest v1.Hash, manifest []byte) (listed bool, err error) {
	for _, blob := range [][]byte{[]byte(emptyBlob), data} {
		if err := w.upload(ctx, blob); err != nil {
			return false, err
		}
	}
	header, err := w.putManifest(ctx, digest.String(), types.OCIManifestSchema1, manifest)
	return header.Get("OCI-Subject") == subject.String(), err
}

func describe(mediaType types.MediaType, body []byte) v1.Descriptor {
	digest, size, _ := v1.SHA256(bytes.NewReader(body)) // a bytes.Reader does not fail
	return v1.Descriptor{MediaType: mediaType, Size: size, Digest: digest}
}

// upload stores a blob if it is not there.
func (w *writer) upload(ctx context.Context, blob []byte) error {
	digest := describe("", blob).Digest
	resp, err := w.Do(ctx, http.MethodHead, "blobs/"+digest.String())
	if err == nil {
		return resp.Body.Close()
	}
	if !source.IsNotFound(err) {
		return err
	}
	return w.retried(ctx, func() error {
		resp, err := w.send(ctx, http.MethodPost, w.url("blobs/uploads/"), "", nil)
		if err != nil {
			return err
		}
		place, err := w.uploadURL(resp, digest)
		if err != nil {
			return err
		}
		_, err = w.send(ctx, http.MethodPut, place, "application/octet-stream", blob)
		return err
	})
}

// uploadURL is where the registry wants a blob to be sent. That may be another
// host, for which checkRedirect has the rules.
func (w *writer) uploadURL(resp *http.Response, digest v1.Hash) (string, error) {
	u, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return "", fmt.Errorf("cannot write %s: the registry names no place for it", w.What(digest.String()))
	}
	if err := source.CheckRedirect(&http.Request{URL: u}, []*http.Request{resp.Request}); err != nil {
		return "", fmt.Errorf("cannot write %s: %w", w.What(digest.String()), err)
	}
	q := u.Query()
	q.Set("digest", digest.String())
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// putManifest writes a manifest under a tag or digest and returns the header of
// the answer.
func (w *writer) putManifest(ctx context.Context, id string, mediaType types.MediaType, body []byte) (http.Header, error) {
	var header http.Header
	err := w.retried(ctx, func() error {
		resp, err := w.send(ctx, http.MethodPut, w.url("manifests/"+id), string(mediaType), body)
		if err == nil {
			header = resp.Header
		}
		return err
	})
	return header, err
}

func (w *writer) url(path string) string {
	return w.Name.Scheme() + "://" + w.Name.RegistryStr() + "/v2/" + w.Name.RepositoryStr() + "/" + path
}

// send makes a request that writes. The body of the answer is read and closed.
func (w *writer) send(ctx context.Context, method, target, contentType string, body []byte) (*http.Response, error) {
	what := "to " + w.Name.Name()
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", what, source.BareError(err))
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := w.Client.Do(req)
	if err != nil {
		return nil, &passing{fmt.Errorf("cannot write %s: %w", what, source.BareError(err))}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted: // registries differ
	default:
		err := error(&writeError{source.StatusError{What: what, Code: resp.StatusCode}})
		if _, again := source.Worthwhile(resp, nil); again {
			err = &passing{err}
		}
		return nil, err
	}
	return resp, nil
}

// writeError is a statusError of a request that writes.
type writeError struct{ source.StatusError }

func (e *writeError) Error() string {
	return fmt.Sprintf("cannot write %s: %d %s", e.What, e.Code, http.StatusText(e.Code))
}

func (e *writeError) Unwrap() error { return &e.StatusError }

// passing is an error that may not come a second time.
type passing struct{ error }

func (e *passing) Unwrap() error { return e.error }

// retried repeats a write. What is written is named by its digest or comes out
// the same, so it does not matter if the first try has had its effect.
func (w *writer) retried(ctx context.Context, write func() error) error {
	pause := source.FirstPause
	for try := 1; ; try++ {
		err := write()
		if _, again := errors.AsType[*passing](err); !again || try == source.MaxTries || ctx.Err() != nil {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(3*pause, source.LongestPause)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
