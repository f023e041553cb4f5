package imagecopy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// transfer carries out one plan.
type transfer struct {
	copier *Copier
	src    copySource
	dst    *repository
	plan   *copyPlan
	bar    *copyBar

	mu     sync.Mutex // guards the counts and notes of result
	result Result
}

func newTransfer(c *Copier, src copySource, dst *repository, p *copyPlan, given string) *transfer {
	at := digest.Reference{Repository: dst.ref.Repository, Tag: dst.ref.Tag, Digest: p.root.digest()}
	t := &transfer{copier: c, src: src, dst: dst, plan: p, result: Result{
		Source:      src.String() + "@" + p.root.digest(),
		Destination: at.String(),
		Digest:      p.root.digest(),
		MediaType:   string(p.root.desc.MediaType),
		Attached:    p.attachments(),
		Notes:       p.notes,
	}}
	t.bar = &copyBar{report: c.progress, event: Event{Ref: given, Total: p.bytes}}
	for _, d := range p.blobs(nil) {
		t.bar.event.Total += d.Size
	}
	return t
}

// blobs are those that manifests name, each once, without those that are not
// kept in registries. The latter are handed to foreign, unless it is nil.
func (p *copyPlan) blobs(foreign func(v1.Descriptor)) []v1.Descriptor {
	var all []v1.Descriptor
	seen := map[v1.Hash]bool{}
	for _, n := range p.order {
		for _, d := range n.blobs {
			switch {
			case seen[d.Digest]:
			case d.MediaType.IsDistributable():
				all = append(all, d)
			case foreign != nil:
				foreign(d)
			}
			seen[d.Digest] = true
		}
	}
	return all
}

func (p *copyPlan) attachments() []Attachment {
	var all []Attachment
	for _, t := range p.tags {
		subject := grammar.DigestPrefix + t.tag[len("sha256-"):len("sha256-")+grammar.DigestHexLen]
		all = append(all, Attachment{Digest: t.node.digest(), Subject: subject, Tag: t.tag})
	}
	for _, subject := range p.subjects() {
		for _, n := range p.referrers[subject] {
			all = append(all, Attachment{Digest: n.digest(), Subject: subject, ArtifactType: n.artifactType()})
		}
	}
	return all
}

// subjects are the digests that have referrers, in the order of the plan.
func (p *copyPlan) subjects() []string {
	var all []string
	for _, n := range p.order {
		if len(p.referrers[n.digest()]) > 0 {
			all = append(all, n.digest())
		}
	}
	return all
}

// artifactType is the type a list of referrers gives a manifest.
func (n *copyNode) artifactType() string {
	if n.parsed.ArtifactType == "" && n.parsed.Config != nil {
		return string(n.parsed.Config.MediaType)
	}
	return n.parsed.ArtifactType
}

// run does the work in the order that keeps the destination whole: blobs,
// manifests from the lowest up, what points to them, and the tag.
func (t *transfer) run(ctx context.Context, dry bool) error {
	if err := t.each(ctx, t.plan.order, t.findManifest); err != nil {
		return err
	}
	if err := t.copyBlobs(ctx, dry); err != nil {
		return err
	}
	if dry {
		for _, n := range t.plan.order {
			if !n.present {
				t.count(&t.result.Sent, Count{Manifests: 1, Bytes: n.desc.Size})
			}
		}
		return nil
	}
	for _, level := range levels(t.plan.order) {
		if err := t.each(ctx, level, t.putManifest); err != nil {
			return err
		}
	}
	if err := t.putReferrers(ctx); err != nil {
		return err
	}
	for _, tag := range t.plan.tags {
		if err := t.putAttachedTag(ctx, tag); err != nil {
			return err
		}
	}
	return t.finish(ctx)
}

// levels cuts the order of a plan where the level changes.
func levels(order []*copyNode) [][]*copyNode {
	var all [][]*copyNode
	for start, i := 0, 1; i <= len(order); i++ {
		if i == len(order) || order[i].level != order[start].level {
			all = append(all, order[start:i])
			start = i
		}
	}
	return all
}

// each calls f for all nodes, as many at a time as the Copier may.
func (t *transfer) each(ctx context.Context, nodes []*copyNode, f func(context.Context, *copyNode) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.copier.concurrency)
	for _, n := range nodes {
		g.Go(func() error { return f(ctx, n) })
	}
	return g.Wait()
}

func (t *transfer) count(c *Count, add Count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.Blobs += add.Blobs
	c.Manifests += add.Manifests
	c.Bytes += add.Bytes
}

func (t *transfer) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Notes = append(t.result.Notes, fmt.Sprintf(format, args...))
}

// findManifest asks whether the destination has a manifest. Registries that
// create a repository with its first push may answer 401 or 403 before.
func (t *transfer) findManifest(ctx context.Context, n *copyNode) error {
	digest, err := t.dst.head(ctx, n.digest())
	if err != nil && !hidden(err) {
		return t.dst.unread(manifestName(n.digest()), err)
	}
	if n.present = err == nil && digest == n.digest(); n.present {
		t.count(&t.result.Present, Count{Manifests: 1, Bytes: n.desc.Size})
		t.bar.add(n.digest(), n.desc.Size, true)
	}
	return nil
}

// hidden tells answers that a destination may give about what it does not have.
func hidden(err error) bool {
	status := statusOf(err)
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// lacks tells whether the destination has no such tag, where it answered with err to a
// question about it: by itself, or by not listing what it will not show.
func (t *transfer) lacks(ctx context.Context, tag string, err error) bool {
	if errors.Is(err, registry.ErrNotFound) {
		return true
	}
	if !hidden(err) {
		return false
	}
	ctx, cancel := t.copier.within(ctx)
	defer cancel()
	there, listErr := t.dst.HasTag(ctx, tag)
	return listErr == nil && !there
}

func (t *transfer) putManifest(ctx context.Context, n *copyNode) error {
	if n.present {
		return nil
	}
	if err := t.dst.put(ctx, n.digest(), n.desc, n.body); err != nil {
		return err
	}
	t.count(&t.result.Sent, Count{Manifests: 1, Bytes: n.desc.Size})
	t.bar.add(n.digest(), n.desc.Size, true)
	return nil
}

// finish moves the tag and asks back what was to be achieved.
func (t *transfer) finish(ctx context.Context) error {
	root, tag := t.plan.root, t.dst.ref.Tag
	if tag != "" {
		// A tag that cannot be asked for is written: that is harmless.
		if now, err := t.dst.head(ctx, tag); err != nil || now != root.digest() {
			if err := t.dst.put(ctx, tag, root.desc, root.body); err != nil {
				return err
			}
		}
	}
	for _, what := range []string{root.digest(), tag} {
		if what == "" {
			continue
		}
		now, err := t.dst.head(ctx, what)
		if err != nil {
			return t.dst.unread(manifestName(what), err)
		}
		if now != root.digest() {
			return t.dst.unwritten(manifestName(what), fault.Text("the destination answers with "+orNothing(now)+" after the copy"))
		}
	}
	return nil
}

func orNothing(digest string) string {
	if digest == "" {
		return "nothing"
	}
	return digest
}
