package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/url"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// copyBlobs brings the blobs of all manifests that the destination lacks.
func (t *transfer) copyBlobs(ctx context.Context, dry bool) error {
	needed := map[v1.Hash]bool{}
	for _, n := range t.plan.order {
		for _, d := range n.blobs {
			needed[d.Digest] = needed[d.Digest] || !n.present
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.copier.concurrency)
	for _, d := range t.plan.blobs(func(d v1.Descriptor) {
		t.note("layer %s must not be distributed and is left where it is", d.Digest)
	}) {
		if !needed[d.Digest] {
			t.arrived(&t.result.Present, d)
			continue
		}
		g.Go(func() error {
			return t.copier.again(ctx, func() (bool, error) { return t.copyBlob(ctx, d, dry) })
		})
	}
	return g.Wait()
}

func (t *transfer) arrived(c *CopyCount, d v1.Descriptor) {
	t.count(c, CopyCount{Blobs: 1, Bytes: d.Size})
	t.bar.add(d.Digest.String(), d.Size, true)
}

// copyBlob makes one attempt: nothing to do, or a mount, or the bytes. repeat
// says whether another one may do better.
func (t *transfer) copyBlob(ctx context.Context, d v1.Descriptor, dry bool) (repeat bool, err error) {
	digest := d.Digest.String()
	what := "blob " + digest
	_, _, err = t.dst.brief(ctx, message{method: http.MethodHead, url: t.dst.url("blobs/"+digest, nil)}, http.StatusOK)
	if err == nil {
		t.arrived(&t.result.Present, d)
		return false, nil
	}
	if statusOf(err) != http.StatusNotFound && !hidden(err) {
		return false, t.dst.unread(what, err)
	}
	registry, from := t.src.mountable()
	mount := registry == t.dst.repo.RegistryStr() && from != t.dst.repo.RepositoryStr()
	if dry {
		if mount {
			t.count(&t.result.Mounted, CopyCount{Blobs: 1, Bytes: d.Size})
		} else {
			t.count(&t.result.Sent, CopyCount{Blobs: 1, Bytes: d.Size})
		}
		return false, nil
	}
	var place *uploadPlace
	if mount {
		if place, err = t.dst.open(ctx, mountQuery(digest, from)); err == nil && place == nil {
			t.arrived(&t.result.Mounted, d)
			return false, nil
		}
		// Some registries refuse what others answer with an upload.
	}
	if place == nil {
		if place, err = t.dst.open(ctx, nil); err == nil && place == nil {
			err = errNoUpload
		}
	}
	if err != nil {
		return false, t.dst.unwritten(what, err)
	}
	return t.stream(ctx, d, place)
}

// open starts an upload and gives back its place, or nil when the registry has
// taken the blob over from the repository that query names.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository
func (e *copyRepo) open(ctx context.Context, query url.Values) (*uploadPlace, error) {
	at := e.url("blobs/uploads/", query)
	resp, _, err := e.brief(ctx, message{method: http.MethodPost, url: at}, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusCreated {
		return nil, nil
	}
	return e.place(at, resp)
}

// uploadPlace is where an upload goes on, and the answer that said so.
type uploadPlace struct {
	url   *url.URL
	after *http.Response
}

func (e *copyRepo) place(from *url.URL, resp *http.Response) (*uploadPlace, error) {
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, errNoUpload
	}
	at, err := resolve(from, location)
	if err != nil {
		return nil, err
	}
	return &uploadPlace{url: at, after: resp}, nil
}

// commit ends an upload: what was sent, and content, is the blob of a digest.
func (e *copyRepo) commit(ctx context.Context, digest string, place *uploadPlace, content []byte) error {
	at := *place.url
	query := at.Query()
	query.Set("digest", digest)
	at.RawQuery = query.Encode()
	m := message{method: http.MethodPut, url: &at, after: place.after, contentType: "application/octet-stream"}
	if len(content) > 0 {
		m.body, m.length = bytes.NewReader(content), int64(len(content))
	}
	_, _, err := e.brief(ctx, m, http.StatusCreated, http.StatusNoContent)
	return err
}

// stream sends a blob without holding it, and has it committed only when all
// its bytes went past and are the right ones. repeat says that the bytes were on
// their way, or that the registry has lost them, or the answer to a commit.
func (t *transfer) stream(ctx context.Context, d v1.Descriptor, place *uploadPlace) (repeat bool, err error) {
	digest := d.Digest.String()
	body := newBlobBody(d)
	lost := false
	place, err = t.sendBytes(ctx, d, body, place)
	if err == nil {
		err = t.dst.commit(ctx, digest, place, nil)
		lost = statusOf(err) == http.StatusNotFound
	}
	if err == nil {
		t.count(&t.result.Sent, CopyCount{Blobs: 1, Bytes: d.Size})
		t.bar.add(digest, 0, true)
		return false, nil
	}
	t.bar.add(digest, -body.sent, false)
	var unopened *Error
	var refused *refusedAnswer
	switch {
	case errors.As(body.failed, &unopened):
		return false, body.failed
	case body.failed != nil && !errors.As(err, &refused):
		err = unreadable(t.src, "blob "+digest, body.failed)
		return mayPass(err), err
	}
	return lost || place == nil && mayPass(err), t.dst.unwritten("blob "+digest, err)
}

// sendBytes reads from the source and writes to place. It gives back where the
// upload goes on. Nothing touches body after it has returned.
func (t *transfer) sendBytes(ctx context.Context, d v1.Descriptor, body *blobBody, place *uploadPlace) (*uploadPlace, error) {
	ctx, patience, done := t.copier.withPatience(ctx)
	defer done()
	content, err := t.src.blob(ctx, d.Digest.String())
	if err != nil {
		body.failed = err
		return nil, err
	}
	defer content.Close()
	// Before the context ends: what a read says then is not the source's fault.
	defer body.stop(ctx)
	body.content = content
	body.moved = func(n int) {
		patience.moved()
		t.bar.add(d.Digest.String(), int64(n), false)
	}
	if d.Size == 0 {
		_, err := io.Copy(io.Discard, body)
		return place, err
	}
	resp, err := t.dst.send(ctx, message{
		method: http.MethodPatch, url: place.url, after: place.after, body: body, length: d.Size,
		contentType: "application/octet-stream",
	}, http.StatusAccepted, http.StatusCreated, http.StatusNoContent)
	if err != nil {
		return nil, err
	}
	finishBody(resp)
	if !body.complete() {
		return nil, fault("answered before it had the whole blob")
	}
	if resp.Header.Get("Location") == "" {
		return place, nil
	}
	return t.dst.place(place.url, resp)
}

// blobBody is a blob on its way. Its last bytes come out only if all of them
// have the digest that was asked for.
type blobBody struct {
	content io.Reader
	hash    hash.Hash
	want    v1.Descriptor
	left    int64
	moved   func(n int)

	mu      sync.Mutex // the transport reads in a goroutine of its own
	sent    int64
	done    bool
	stopped bool
	failed  error // of the source
}

func newBlobBody(d v1.Descriptor) *blobBody {
	return &blobBody{hash: sha256.New(), want: d, left: d.Size}
}

// Read implements [io.Reader].
func (b *blobBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	over, done := b.stopped || b.failed != nil, b.done
	b.mu.Unlock()
	if over {
		return 0, io.ErrClosedPipe
	}
	if done {
		return 0, io.EOF
	}
	n, err := b.next(p[:min(int64(len(p)), b.left)])
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return 0, io.ErrClosedPipe
	}
	if err != nil {
		b.failed = err
		return 0, err
	}
	b.sent += int64(n)
	b.moved(n)
	if b.left == 0 {
		b.done = true
		return n, io.EOF
	}
	return n, nil
}

// next reads the next bytes and checks the digest with the last of them.
func (b *blobBody) next(p []byte) (n int, err error) {
	if b.left > 0 {
		n, err = b.content.Read(p)
	}
	b.hash.Write(p[:n])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		if got := hex.EncodeToString(b.hash.Sum(nil)); got != b.want.Digest.Hex {
			return 0, errForged + fault(digestPrefix+got)
		}
		return n, nil
	case errors.Is(err, io.EOF):
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements [io.Closer]. The content is closed by who has opened it.
func (b *blobBody) Close() error { return nil }

// stop makes reads fail from now on, without that being held against the source.
func (b *blobBody) stop(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if b.failed != nil && errors.Is(context.Cause(ctx), errStalled) {
		b.failed = errStalled
	}
}

func (b *blobBody) complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done
}
