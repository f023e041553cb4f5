package imagecopy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// repository is one repository of one registry, to be read or written, with the
// errors of a [Copier]. Its requests are repeated by the client, but for the
// bytes of a blob: half an upload cannot be, so that the whole step is.
type repository struct {
	*registry.Repository
	copier *Copier
	ref    digest.Reference // of which only the repository counts
}

const errStalled fault.Text = "no answer in time"

func (c *Copier) repository(ref digest.Reference) (*repository, error) {
	repo, err := name.NewRepository(ref.Repository)
	if err != nil {
		return nil, &digest.Error{Ref: ref.String(), Kind: digest.ErrMalformed, Err: fault.Text("repository not accepted")}
	}
	return &repository{c.client.Repository(repo), c, ref}, nil
}

// within bounds a small request with all its tries by the Copier's timeout.
func (c *Copier) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.timeout, errStalled)
}

// fetch reads a manifest.
func (r *repository) fetch(ctx context.Context, ref string) (v1.Descriptor, []byte, error) {
	ctx, cancel := r.copier.within(ctx)
	defer cancel()
	return r.Manifest(ctx, ref)
}

// head gives the digest of a manifest, empty when there is none.
func (r *repository) head(ctx context.Context, ref string) (string, error) {
	ctx, cancel := r.copier.within(ctx)
	defer cancel()
	desc, err := r.Head(ctx, ref)
	if errors.Is(err, registry.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return desc.Digest.String(), nil
}

// put stores a manifest under a tag or its digest.
func (r *repository) put(ctx context.Context, ref string, desc v1.Descriptor, body []byte) error {
	ctx, cancel := r.copier.within(ctx)
	defer cancel()
	if _, err := r.PutManifest(ctx, ref, desc.MediaType, body); err != nil {
		return r.unwritten(manifestName(ref), err)
	}
	return nil
}

// unread is the error of something that could not be read.
func (r *repository) unread(what string, err error) error {
	out := &digest.Error{Ref: r.ref.String(), Registry: r.ref.Registry(), Kind: digest.ErrUnknown}
	if errors.Is(err, registry.ErrNotFound) {
		out.Kind, out.Status = digest.ErrNotFound, http.StatusNotFound
		out.Err = &fault.Cause{Text: r.subject(what) + " not found", Err: err}
		return out
	}
	status, text := registry.Describe(err)
	out.Status, out.Err = status, &fault.Cause{Text: r.subject(what) + ": " + text, Err: err}
	return out
}

// unwritten is the error of something that could not be written.
func (r *repository) unwritten(what string, err error) error {
	status, text := registry.Describe(err)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text = "denied to push: " + text
	case http.StatusNotFound:
		text = "no such repository to push to (404)"
	case http.StatusMethodNotAllowed:
		text = "takes no pushes (405)"
	case http.StatusBadRequest:
		text = "refused as invalid" + strings.TrimPrefix(text, "unexpected answer")
	case http.StatusRequestEntityTooLarge:
		text = "refused as too large (413)"
	}
	return &digest.Error{
		Ref: r.ref.String(), Registry: r.ref.Registry(), Kind: ErrNotWritten, Status: status,
		Err: &fault.Cause{Text: r.subject(what) + " not written: " + text, Err: err},
	}
}

func (r *repository) subject(what string) string {
	return fmt.Sprintf("%s of %q", what, r.ref.Path())
}

// mayPass tells failures of a step that repeating it may mend. Unlike a
// resolver's question, a copy is long and has half its work behind it, so any
// trouble on the way counts except one that is known to stay.
func mayPass(err error) bool {
	var asked *registry.Error
	if errors.Is(err, errStalled) {
		return true
	}
	if _, ok := errors.AsType[fault.Text](err); ok {
		return false
	}
	return !errors.As(err, &asked) || asked.Temporary()
}

// patience cancels a step in which nothing has moved for some time.
type patience struct {
	timer *time.Timer
	limit time.Duration
}

func (c *Copier) withPatience(ctx context.Context) (context.Context, *patience, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patience{limit: c.timeout}
	p.timer = time.AfterFunc(c.timeout, func() { cancel(errStalled) })
	return ctx, p, func() {
		p.timer.Stop()
		cancel(context.Canceled)
	}
}

// moved starts the wait anew.
func (p *patience) moved() { p.timer.Reset(p.limit) }

// statusOf is that of the registry's answer in err, or 0.
func statusOf(err error) int {
	status, _ := registry.Describe(err)
	return status
}
