package imagecopy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// maxManifests bounds the manifests of one copy.
	maxManifests = 10_000
	// maxManifestBytes bounds them in bytes: they are held in memory.
	maxManifestBytes = 128 << 20
	// manifestsAtOnce is how many manifests are asked for where there would be a blob.
	manifestsAtOnce = 4
	// maxBlob bounds the size a manifest may claim for a blob: 16 TiB.
	maxBlob = 1 << 44
)

// attachmentSuffixes are those of the tags under which cosign keeps what
// belongs to an image: sha256-….sig and so on.
var attachmentSuffixes = []string{".sig", ".att", ".sbom"}

// copyManifest is a manifest of any kind, as far as a copy needs it.
type copyManifest struct {
	MediaType    types.MediaType   `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       *v1.Descriptor    `json:"config"`
	Layers       []v1.Descriptor   `json:"layers"`
	Blobs        []v1.Descriptor   `json:"blobs"`
	Manifests    []v1.Descriptor   `json:"manifests"`
	Subject      *v1.Descriptor    `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

// copyNode is one manifest to be copied.
type copyNode struct {
	desc     v1.Descriptor
	body     []byte
	parsed   copyManifest
	children []v1.Descriptor // manifests
	blobs    []v1.Descriptor
	level    int // above all manifests that must be there before it; from 1
	present  bool
}

func (n *copyNode) digest() string { return n.desc.Digest.String() }

// copyTag is a tag that goes along.
type copyTag struct {
	tag  string
	node *copyNode
}

// copyPlan is everything that makes up one copy.
type copyPlan struct {
	root      *copyNode
	nodes     map[string]*copyNode
	order     []*copyNode // of nodes, as they were found
	tags      []copyTag   // cosign's
	referrers map[string][]*copyNode
	notes     []string
	bytes     int64 // of manifests

	mentions []mention
	missing  map[string]error // by digest, of manifests that are not there
}

// mention is one reason why a manifest belongs to the copy: it is a child of
// an index, or a referrer of subject, or stands under a tag of cosign's.
type mention struct {
	desc    v1.Descriptor // of which the digest is set, and what else is known
	subject string
	tag     string
}

// finding is what was learnt of one manifest.
type finding struct {
	node     *copyNode
	missing  error
	mentions []mention
}

// plan reads the manifests of a copy in rounds: those that one round mentions
// are read in the next.
func (c *Copier) plan(ctx context.Context, src copySource, root string, o CopyOptions) (*copyPlan, error) {
	p := &copyPlan{
		nodes: map[string]*copyNode{}, referrers: map[string][]*copyNode{}, missing: map[string]error{},
	}
	desc, body, err := src.manifest(ctx, root)
	if err != nil {
		return nil, err
	}
	if p.root, err = newCopyNode(src, desc, body); err != nil {
		return nil, err
	}
	round := []v1.Descriptor{desc}
	for len(round) > 0 {
		found := make([]finding, len(round))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(manifestsAtOnce * c.concurrency)
		for i, desc := range round {
			g.Go(func() (err error) {
				found[i], err = p.explore(ctx, src, desc, !o.WithoutSignatures)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		round = p.take(round, found)
		if len(p.nodes)+len(round) > maxManifests || p.bytes > maxManifestBytes {
			return nil, unreadable(src, "manifest "+p.root.digest(), fault.Text(fmt.Sprintf(
				"more than %d manifests or %d MiB of them belong together", maxManifests, maxManifestBytes>>20)))
		}
	}
	if err := p.connect(); err != nil {
		return nil, err
	}
	p.arrange()
	return p, nil
}

// explore reads one manifest and asks what belongs to it.
func (p *copyPlan) explore(ctx context.Context, src copySource, desc v1.Descriptor, attached bool) (finding, error) {
	node := p.root
	if desc.Digest != p.root.desc.Digest {
		got, body, err := src.manifest(ctx, desc.Digest.String())
		if errors.Is(err, digest.ErrNotFound) {
			return finding{missing: err}, nil
		}
		if err != nil {
			return finding{}, err
		}
		if desc.MediaType != "" {
			got.MediaType = desc.MediaType
		}
		if node, err = newCopyNode(src, got, body); err != nil {
			return finding{}, err
		}
	}
	f := finding{node: node}
	for _, child := range node.children {
		f.mentions = append(f.mentions, mention{desc: child})
	}
	if !attached {
		return f, nil
	}
	for _, suffix := range attachmentSuffixes {
		tag := content.FallbackTag(node.digest()) + suffix
		digest, err := src.tagged(ctx, tag)
		if err != nil {
			return f, leaveBehind(err)
		}
		if hash, err := v1.NewHash(digest); err == nil {
			f.mentions = append(f.mentions, mention{desc: v1.Descriptor{Digest: hash}, tag: tag})
		}
	}
	list, err := src.referrers(ctx, node.desc.Digest)
	err = leaveBehind(err)
	for _, desc := range list {
		f.mentions = append(f.mentions, mention{desc: desc, subject: node.digest()})
	}
	return f, err
}

// DoWithoutSignatures is what an [*digest.Error] advises where a source does not say
// whether something is attached to the image: the same copy with
// CopyOptions.WithoutSignatures.
const DoWithoutSignatures = "copy-without-signatures"

// leaveBehind adds that advice to a 401 or 403 about what is attached: some registries
// answer so for what they do not have.
func leaveBehind(err error) error {
	var e *digest.Error
	if !errors.As(err, &e) || e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden {
		return err
	}
	advised := *e
	advised.Err = &advisedCause{fault.Cause{Text: e.Err.Error(), Err: e.Err}}
	return &advised
}

type advisedCause struct{ fault.Cause }

// AdviceData gives the advice as data.
func (*advisedCause) AdviceData() (do string, with map[string]string) {
	return DoWithoutSignatures, nil
}

// take adds a round's findings and gives back what is still to be read.
func (p *copyPlan) take(round []v1.Descriptor, found []finding) []v1.Descriptor {
	for i, f := range found {
		if f.node == nil {
			p.missing[round[i].Digest.String()] = f.missing
			continue
		}
		p.nodes[f.node.digest()] = f.node
		p.order = append(p.order, f.node)
		p.bytes += f.node.desc.Size
	}
	var next []v1.Descriptor
	queued := map[string]bool{}
	for _, f := range found {
		for _, m := range f.mentions {
			digest := m.desc.Digest.String()
			if m.desc.Digest.Algorithm != "sha256" {
				p.notes = append(p.notes, fmt.Sprintf("referrer %s of %s has no sha256 digest and is left out", digest, m.subject))
				continue
			}
			p.mentions = append(p.mentions, m)
			if p.nodes[digest] == nil && p.missing[digest] == nil && !queued[digest] {
				queued[digest] = true
				next = append(next, m.desc)
			}
		}
	}
	return next
}

// connect says of each manifest in what way it belongs to the copy. A referrer
// that is listed but not there, or that belongs to something else, is left out:
// lists kept by clients go stale. Anything else that is missing is an error.
func (p *copyPlan) connect() error {
	for _, m := range p.mentions {
		digest := m.desc.Digest.String()
		node := p.nodes[digest]
		switch {
		case node == nil && m.subject != "":
			p.notes = append(p.notes, fmt.Sprintf("referrer %s of %s is listed and does not exist", digest, m.subject))
		case node == nil:
			return p.missing[digest]
		case m.tag != "":
			p.tags = append(p.tags, copyTag{m.tag, node})
		case m.subject != "" && !node.refersTo(m.subject):
			p.notes = append(p.notes, fmt.Sprintf("%s is listed as a referrer of %s and is none", digest, m.subject))
		case m.subject != "" && !slices.Contains(p.referrers[m.subject], node):
			p.referrers[m.subject] = append(p.referrers[m.subject], node)
		}
	}
	return nil
}

func (n *copyNode) refersTo(digest string) bool {
	return n.parsed.Subject != nil && n.parsed.Subject.Digest.String() == digest
}

// newCopyNode checks a manifest whose digest is known to be right.
func newCopyNode(src copySource, desc v1.Descriptor, body []byte) (*copyNode, error) {
	n := &copyNode{desc: desc, body: body}
	n.desc.Size = int64(len(body))
	if err := n.parse(); err != nil {
		return nil, unreadable(src, "manifest "+n.digest(), err)
	}
	return n, nil
}

func (n *copyNode) parse() error {
	if err := json.Unmarshal(n.body, &n.parsed); err != nil {
		return fault.Text("not a manifest that can be read")
	}
	if n.desc.MediaType.IsSchema1() || n.parsed.MediaType.IsSchema1() {
		return fault.Text("schema 1 manifests cannot be copied under the same digest")
	}
	n.desc.MediaType = cmp.Or(n.desc.MediaType, n.parsed.MediaType)
	if said := n.parsed.MediaType; said != "" && said != n.desc.MediaType {
		return fault.Text("served as another media type than it names")
	}
	switch {
	case n.desc.MediaType.IsIndex():
		for _, d := range n.parsed.Manifests {
			if content.IsManifestType(d.MediaType) {
				n.children = append(n.children, d)
			} else {
				n.blobs = append(n.blobs, d)
			}
		}
	case content.IsManifestType(n.desc.MediaType):
		n.blobs = slices.Concat(n.parsed.Layers, n.parsed.Blobs)
		if n.parsed.Config != nil {
			n.blobs = append(n.blobs, *n.parsed.Config)
		}
	default:
		return fault.Text("not a manifest: media type " + strconv.Quote(fault.Shorten(string(n.desc.MediaType))))
	}
	return n.checkDescriptors()
}

func (n *copyNode) checkDescriptors() error {
	for _, d := range slices.Concat(n.children, n.blobs) {
		if d.Digest.Algorithm != "sha256" {
			return fault.Text("names content by another kind of digest than sha256")
		}
		if d.Size < 0 || d.Size > maxBlob {
			return fault.Text("claims a size that cannot be: " + strconv.FormatInt(d.Size, 10))
		}
	}
	return nil
}

// arrange puts each manifest above those it needs: children before their
// index, a subject before its referrers. Digests make a circle impossible.
func (p *copyPlan) arrange() {
	var level func(n *copyNode) int
	level = func(n *copyNode) int {
		if n.level > 0 {
			return n.level
		}
		below := 0
		for _, d := range n.children {
			below = max(below, level(p.nodes[d.Digest.String()]))
		}
		if n.parsed.Subject != nil {
			if subject := p.nodes[n.parsed.Subject.Digest.String()]; subject != nil {
				below = max(below, level(subject))
			}
		}
		n.level = below + 1
		return n.level
	}
	for _, n := range p.order {
		level(n)
	}
	slices.SortStableFunc(p.order, func(a, b *copyNode) int { return a.level - b.level })
}

// unreadable is the error of content that cannot be made use of.
func unreadable(src copySource, what string, err error) error {
	if s, ok := src.(repositorySource); ok {
		return s.unread(what, err)
	}
	_, text := registry.Describe(err)
	return &digest.Error{Ref: src.String(), Kind: digest.ErrUnknown, Err: &fault.Cause{Text: what + ": " + text, Err: err}}
}
