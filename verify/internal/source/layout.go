package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/layout"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Layout reads from an image in files. Its referrers and signatures are looked for
// in the same files.
type Layout struct{ *layout.Image }

// Manifest implements [Source]. A tag that leads nowhere is not the same as no tag.
func (l Layout) Manifest(_ context.Context, id string) (*Document, error) {
	byTag := !strings.Contains(id, ":")
	digest, ok := l.Tagged(id)
	if !byTag {
		var err error
		if digest, err = v1.NewHash(id); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", l.What(id), err)
		}
	} else if !ok {
		return nil, fmt.Errorf("cannot read %s: %w", l.What(id), layout.ErrNotFound)
	}
	desc, body, err := l.Image.Manifest(digest)
	if err != nil && byTag {
		return nil, errors.New(err.Error())
	} else if err != nil {
		return nil, err
	}
	return &Document{What: l.What(id), Body: body, Digest: desc.Digest, MediaType: desc.MediaType}, nil
}

// Blob implements [Source].
func (l Layout) Blob(_ context.Context, d v1.Descriptor, limit int64) ([]byte, error) {
	fail := func(format string, args ...any) ([]byte, error) {
		return nil, fmt.Errorf("cannot read %s: %s", l.What(d.Digest.String()), fmt.Sprintf(format, args...))
	}
	if d.Size < 0 || d.Size > limit {
		return fail("size is %d bytes, the limit is %d", d.Size, limit)
	}
	r, err := l.Image.Blob(d.Digest)
	if err != nil {
		return fail("%v", err) // and not the no that it would be of an image
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, d.Size+1))
	if err != nil {
		return fail("%v", err)
	}
	if int64(len(b)) != d.Size {
		return fail("it has another size than %d bytes", d.Size)
	}
	if got, _, err := v1.SHA256(strings.NewReader(string(b))); err != nil || got != d.Digest {
		return fail("its content has the digest %s", got)
	}
	return b, nil
}

// Referrers implements [Source].
func (l Layout) Referrers(_ context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	return l.Image.Referrers(digest)
}

// Exists implements [Source].
func (l Layout) Exists(_ context.Context, digest v1.Hash) (bool, error) {
	_, _, err := l.Image.Manifest(digest)
	if IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// What implements [Source].
func (l Layout) What(id string) string {
	ref := l.Ref()
	mark := ":"
	if strings.Contains(id, ":") {
		mark = "@"
	}
	return untrusted.OneLine(ref.Kind+":"+ref.Path) + mark + id
}
