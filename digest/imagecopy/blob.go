package imagecopy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/internal/fault"
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
			return registry.Retry(ctx, t.copier.timeout, func() (bool, error) { return t.copyBlob(ctx, d, dry) })
		})
	}
	return g.Wait()
}

func (t *transfer) arrived(c *Count, d v1.Descriptor) {
	t.count(c, Count{Blobs: 1, Bytes: d.Size})
	t.bar.add(d.Digest.String(), d.Size, true)
}

// copyBlob makes one attempt: nothing to do, or a mount, or the bytes. repeat
// says whether another one may do better.
func (t *transfer) copyBlob(ctx context.Context, d v1.Descriptor, dry bool) (repeat bool, err error) {
	what := "blob " + d.Digest.String()
	there, err := t.hasBlob(ctx, d.Digest)
	if err != nil && !hidden(err) {
		return false, t.dst.unread(what, err)
	}
	if there {
		t.arrived(&t.result.Present, d)
		return false, nil
	}
	host, from := t.src.mountable()
	mount := host == t.dst.Name().RegistryStr() && from != t.dst.Name().RepositoryStr()
	if dry {
		if mount {
			t.count(&t.result.Mounted, Count{Blobs: 1, Bytes: d.Size})
		} else {
			t.count(&t.result.Sent, Count{Blobs: 1, Bytes: d.Size})
		}
		return false, nil
	}
	upload, err := t.open(ctx, d.Digest, mount, from)
	if err != nil {
		return false, t.dst.unwritten(what, err)
	}
	if upload == nil {
		t.arrived(&t.result.Mounted, d)
		return false, nil
	}
	return t.stream(ctx, d, upload)
}

func (t *transfer) hasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	ctx, cancel := t.copier.within(ctx)
	defer cancel()
	return t.dst.HasBlob(ctx, digest)
}

// open starts an upload, or gives nil where the registry has taken the blob over
// from another repository. Some registries refuse to mount what others answer
// with an upload.
func (t *transfer) open(ctx context.Context, digest v1.Hash, mount bool, from string) (*registry.Upload, error) {
	ctx, cancel := t.copier.within(ctx)
	defer cancel()
	if mount {
		mounted, upload, err := t.dst.Mount(ctx, digest, from)
		if err == nil && (mounted || upload != nil) {
			return upload, nil
		}
	}
	return t.dst.StartUpload(ctx)
}

// stream sends a blob without holding it, and has it committed only when all
// its bytes went past and are the right ones. repeat says that the bytes were on
// their way, or that the registry has lost them, or the answer to a commit.
func (t *transfer) stream(ctx context.Context, d v1.Descriptor, upload *registry.Upload) (repeat bool, err error) {
	id := d.Digest.String()
	body := newBlobBody(d)
	lost, sent := false, false
	if err = t.sendBytes(ctx, d, body, upload); err == nil {
		sent = true
		err = t.commit(ctx, d.Digest, upload)
		lost = errors.Is(err, registry.ErrNotFound)
	}
	if err == nil {
		t.count(&t.result.Sent, Count{Blobs: 1, Bytes: d.Size})
		t.bar.add(id, 0, true)
		return false, nil
	}
	t.bar.add(id, -body.sent, false)
	var unopened *digest.Error
	switch {
	case errors.As(body.failed, &unopened):
		return false, body.failed
	case body.failed != nil && statusOf(err) == 0:
		err = unreadable(t.src, "blob "+id, body.failed)
		return mayPass(err), err
	}
	return lost || !sent && mayPass(err), t.dst.unwritten("blob "+id, err)
}

func (t *transfer) commit(ctx context.Context, digest v1.Hash, upload *registry.Upload) error {
	ctx, cancel := t.copier.within(ctx)
	defer cancel()
	return upload.Commit(ctx, digest, nil)
}

// sendBytes reads from the source and writes to the upload. Nothing touches body
// after it has returned.
func (t *transfer) sendBytes(ctx context.Context, d v1.Descriptor, body *blobBody, upload *registry.Upload) error {
	ctx, patience, done := t.copier.withPatience(ctx)
	defer done()
	from, err := t.src.blob(ctx, d.Digest)
	if err != nil {
		body.failed = err
		return err
	}
	defer from.Close()
	// Before the context ends: what a read says then is not the source's fault.
	defer body.stop(ctx)
	body.content = from
	body.moved = func(n int) {
		patience.moved()
		t.bar.add(d.Digest.String(), int64(n), false)
	}
	if d.Size == 0 {
		_, err := io.Copy(io.Discard, body)
		return err
	}
	if err := upload.Send(ctx, body, d.Size); err != nil {
		return err
	}
	if !body.complete() {
		return fault.Text("answered before it had the whole blob")
	}
	return nil
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
			return 0, content.ErrForged + fault.Text(grammar.DigestPrefix+got)
		}
		// What came is right, but the source has something else under the digest.
		if more, _ := io.ReadFull(b.content, make([]byte, 1)); more > 0 {
			return 0, fault.Text(fmt.Sprintf("has more than the %d bytes that its manifest names", b.want.Size))
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
