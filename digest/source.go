package digest

import (
	"cmp"
	"context"
	"errors"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// The annotations of the OCI image specification that say what an image was built from.
const (
	annotationRevision = "org.opencontainers.image.revision"
	annotationSource   = "org.opencontainers.image.source"
)

// Source is what an image says that it was built from. It is the text of whoever has
// built it, and may be anything.
type Source struct {
	// URL is where the source is, Revision the version of it. Either may be empty.
	URL, Revision string
}

// take takes what is not known yet from annotations or labels, and tells whether all is.
func (s *Source) take(labels map[string]string) bool {
	s.URL, s.Revision = cmp.Or(s.URL, labels[annotationSource]), cmp.Or(s.Revision, labels[annotationRevision])
	return s.URL != "" && s.Revision != ""
}

// Source asks what the image was built from that ref stands for: the annotations
// "org.opencontainers.image.source" and "org.opencontainers.image.revision" of the
// manifest, else the labels of these names in the image's configuration; of an index
// without them, those of its first image. It costs one to three requests, as
// [Resolver.Created] does.
//
// Errors are those of [Resolver.Resolve].
func (r *Resolver) Source(ctx context.Context, ref string) (Source, error) {
	q, err := r.parse(ref)
	if err != nil {
		return Source{}, err
	}
	found, err := promptly(ctx, r, func(ctx context.Context) (Source, error) { return source(ctx, q) })
	if err != nil {
		e := failure(q, err)
		e.Ref = ref
		return Source{}, e
	}
	return found, nil
}

func source(ctx context.Context, q question) (s Source, err error) {
	m, err := dated(ctx, q)
	for depth := 0; err == nil && !s.take(m.Annotations) && m.Manifests != nil; depth++ {
		desc, ok := firstImage(*m.Manifests)
		if !ok || depth == maxDepth {
			return s, nil
		}
		q.ref.Digest = desc.Digest.String()
		if m, err = dated(ctx, q); errors.Is(err, ErrNotFound) {
			// What ref stands for is there, so this is no answer about it.
			return s, fault.Text("has the manifest and not the image " + q.ref.Digest + " that it names")
		}
	}
	if err != nil || s.take(nil) || m.Config == nil || !isImageConfig(m.Config.MediaType) {
		return s, err
	}
	var config struct {
		Config struct{ Labels map[string]string } `json:"config"`
	}
	if err := readConfig(ctx, q.repo, *m.Config, &config); err != nil {
		return s, err
	}
	s.take(config.Config.Labels)
	return s, nil
}
