package digest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// maxManifests bounds the entries of an index, with those of the indexes in it.
	maxManifests = 1000
	// maxIndexes bounds the indexes in an index, and maxDepth how deep they are.
	maxIndexes = 64
	maxDepth   = 8
)

// Platform is what an image runs on, in the terms of the OCI image index: the
// values of GOOS and GOARCH, and for some architectures a variant.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
	// OSVersion is the build of Windows; other systems have none.
	OSVersion string `json:"osVersion,omitempty"`
}

// ParsePlatform parses "linux/amd64", "linux/arm64/v8", or, for Windows, with
// the version: "windows/amd64:10.0.17763.1879". An error is one line that names
// the position in bytes.
func ParsePlatform(s string) (Platform, error) {
	if at, why := grammar.CheckPlatform(s); why != "" {
		return Platform{}, grammar.PlatformFault(s, at, why)
	}
	text, version, _ := strings.Cut(s, ":")
	parts := strings.Split(text, "/")
	p := Platform{OS: parts[0], Architecture: parts[1], OSVersion: version}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// String is the form that [ParsePlatform] reads.
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	if p.OSVersion != "" {
		s += ":" + p.OSVersion
	}
	return s
}

// normal writes the spellings of one platform as one, as containerd does.
func (p Platform) normal() Platform {
	p.OS, p.Architecture, p.Variant = strings.ToLower(p.OS), strings.ToLower(p.Architecture), strings.ToLower(p.Variant)
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "i386":
		p.Architecture = "386"
	}
	switch {
	case p.Architecture == "arm64" && (p.Variant == "8" || p.Variant == "v8"),
		p.Architecture == "amd64" && p.Variant == "v1":
		p.Variant = ""
	case p.Architecture == "arm" && p.Variant != "" && p.Variant[0] != 'v':
		p.Variant = "v" + p.Variant
	}
	return p
}

// Serves tells whether an image for p is the one for want: operating system and
// architecture are equal, and variant and version where want has them. "arm64"
// and "arm64/v8" are equal, and so are "amd64" and "amd64/v1".
func (p Platform) Serves(want Platform) bool {
	a, b := p.normal(), want.normal()
	return a.OS == b.OS && a.Architecture == b.Architecture &&
		(want.Variant == "" || a.Variant == b.Variant) &&
		(b.OSVersion == "" || a.OSVersion == b.OSVersion)
}

// PlatformManifest is the image for one platform.
type PlatformManifest struct {
	Platform  Platform `json:"platform"`
	Digest    string   `json:"digest"`
	MediaType string   `json:"mediaType"`
	Size      int64    `json:"size"` // of the manifest, in bytes
}

// manifestFields are those of an image or an index that say which one it is.
type manifestFields struct {
	Manifests *[]v1.Descriptor `json:"manifests"`
	Config    *v1.Descriptor   `json:"config"`
}

// platforms are what a reference has, and the digest of its index if it is one.
type platforms struct {
	list  []PlatformManifest
	index string
}

// Platforms lists what ref is for: the images of an index, in its order, or a
// single image with the platform of its configuration. An artifact that is no
// image is for no platform. Entries of an index that are no images to run, such
// as build attestations, are left out. An index in an index is looked into; its images
// count where they are for the platform of its entry, if that names one. At most 64
// such indexes, 8 deep, with 1,000 entries in all are read, else it is an error.
//
// The manifest must hash to the digest, and the configuration to that in the
// manifest. An error is an [*Error], as of [Resolver.Resolve].
func (r *Resolver) Platforms(ctx context.Context, ref string) ([]PlatformManifest, error) {
	_, p, err := r.platforms(ctx, ref, nil)
	return p.list, err
}

// ResolvePlatform asks what ref stands for on one platform. Digest is that of
// the image for it, and Index that of the index it was taken from. Where an
// index has several that serve, the first is taken. That there is none is
// [ErrNotFound].
func (r *Resolver) ResolvePlatform(ctx context.Context, ref string, want Platform) (Resolution, error) {
	q, p, err := r.platforms(ctx, ref, []Platform{want})
	res := Resolution{Ref: ref, Repository: q.ref.Repository, Tag: q.ref.Tag}
	if err != nil {
		return res, err
	}
	for _, m := range p.list {
		if m.Platform.Serves(want) {
			res.Digest, res.MediaType, res.Size, res.Index = m.Digest, m.MediaType, m.Size, p.index
			return res, nil
		}
	}
	return res, p.lacks(q, []Platform{want})
}

// MissingPlatforms tells which of the platforms that ref must have it does not
// have. None missing is a yes; some are a definite no; an error says that
// neither is known, unless it is [ErrNotFound]: then there is no such image.
func (r *Resolver) MissingPlatforms(ctx context.Context, ref string, want []Platform) ([]Platform, error) {
	_, p, err := r.platforms(ctx, ref, want)
	if err != nil {
		return nil, err
	}
	var missing []Platform
	for _, w := range want {
		if !slices.ContainsFunc(p.list, func(m PlatformManifest) bool { return m.Platform.Serves(w) }) {
			missing = append(missing, w)
		}
	}
	return missing, nil
}

// lacks is the error about platforms that were not found.
func (p *platforms) lacks(q question, missing []Platform) *Error {
	return &Error{
		Ref: q.ref.String(), Registry: q.ref.Registry(), Kind: ErrNotFound,
		Err: fault.Text(fmt.Sprintf("%s has no image for %s, it has %s", q, joinPlatforms(missing), joinPlatforms(listed(p.list)))),
	}
}

func listed(list []PlatformManifest) []Platform {
	all := make([]Platform, len(list))
	for i, m := range list {
		all[i] = m.Platform
	}
	return all
}

func joinPlatforms(list []Platform) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}

// platforms reads what ref is for. Where only some platforms are wanted, indexes that
// cannot have them are not read.
func (r *Resolver) platforms(ctx context.Context, ref string, wanted []Platform) (question, platforms, error) {
	q, err := r.parse(ref)
	if err != nil {
		return q, platforms{}, err
	}
	p, err := promptly(ctx, r, func(ctx context.Context) (platforms, error) {
		data, desc, err := q.manifest(ctx)
		if err != nil {
			return platforms{}, err
		}
		return readPlatforms(ctx, q.repo, data, desc, wanted)
	})
	if err != nil {
		return q, platforms{}, failure(q, err)
	}
	return q, p, nil
}

// readPlatforms looks at what a manifest is rather than what it is called: the
// two may differ, and one with the fields of both is neither.
func readPlatforms(ctx context.Context, repo *registry.Repository, data []byte, desc v1.Descriptor, wanted []Platform) (platforms, error) {
	var m manifestFields
	if err := json.Unmarshal(data, &m); err != nil {
		return platforms{}, fault.Text("answered with a manifest that is not JSON of its kind")
	}
	switch {
	case m.Manifests != nil && m.Config != nil:
		return platforms{}, fault.Text("answered with a manifest that is both an index and an image")
	case m.Manifests != nil:
		w := indexWalk{repo: repo, wanted: wanted}
		if err := w.index(ctx, *m.Manifests, nil, 0); err != nil {
			return platforms{}, err
		}
		return platforms{w.list, desc.Digest.String()}, nil
	case m.Config == nil:
		return platforms{}, nil
	}
	if !isImageConfig(m.Config.MediaType) {
		return platforms{}, nil
	}
	platform, err := configPlatform(ctx, repo, *m.Config)
	if err != nil || platform.OS == "" || platform.Architecture == "" {
		return platforms{}, err
	}
	return platforms{list: []PlatformManifest{{
		Platform: platform, Digest: desc.Digest.String(), MediaType: string(desc.MediaType), Size: desc.Size,
	}}}, nil
}

// isImageConfig tells the configuration of an image from an artifact's.
func isImageConfig(t types.MediaType) bool {
	return t == types.DockerConfigJSON || t == types.OCIConfigJSON
}

// indexWalk collects the images of an index and of the indexes in it, in their order.
type indexWalk struct {
	repo    *registry.Repository
	wanted  []Platform // nil for all
	list    []PlatformManifest
	entries int
	indexes int
}

// index takes in the entries of one index. Those of an index whose own entry names a
// platform count only where they are for it.
func (w *indexWalk) index(ctx context.Context, list []v1.Descriptor, entry *Platform, depth int) error {
	if w.entries += len(list); w.entries > maxManifests {
		return fault.Text(fmt.Sprintf("answered with an index of more than %d manifests", maxManifests))
	}
	for _, d := range list {
		if _, why := grammar.CheckDigest(d.Digest.String()); why != "" {
			return fault.Text("answered with an index with a digest that is not sha256")
		}
		platform, ok := entryPlatform(d, entry)
		switch {
		case !ok:
		case d.MediaType.IsIndex():
			if err := w.nested(ctx, d, platform, depth+1); err != nil {
				return err
			}
		case platform != nil:
			w.list = append(w.list, PlatformManifest{Platform: *platform, Digest: d.Digest.String(), MediaType: string(d.MediaType), Size: d.Size})
		}
	}
	return nil
}

// entryPlatform is the platform of an entry: its own, with what it leaves open taken
// from the entry of the index it stands in, or that of the latter; nil where neither
// says. ok is false where it is of no platform, or of another than its index is for.
func entryPlatform(d v1.Descriptor, index *Platform) (p *Platform, ok bool) {
	if d.Platform == nil || d.Platform.OS == "" {
		// An artifact stands for no platform only because its index does.
		return index, index == nil || d.MediaType.IsIndex() || d.MediaType.IsImage() && d.ArtifactType == "" && d.Annotations["vnd.docker.reference.type"] == ""
	}
	if !grammar.IsPlatform(d.Platform) {
		return nil, false
	}
	p = &Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant, OSVersion: d.Platform.OSVersion}
	if index == nil {
		return p, true
	}
	if !p.mayServe(*index) {
		return nil, false
	}
	p.Variant, p.OSVersion = cmp.Or(p.Variant, index.Variant), cmp.Or(p.OSVersion, index.OSVersion)
	return p, true
}

// nested looks into an index in an index, if that can have what is wanted.
func (w *indexWalk) nested(ctx context.Context, d v1.Descriptor, entry *Platform, depth int) error {
	if entry != nil && w.wanted != nil && !slices.ContainsFunc(w.wanted, func(p Platform) bool { return entry.mayServe(p) }) {
		return nil
	}
	if w.indexes++; w.indexes > maxIndexes || depth > maxDepth {
		return fault.Text(fmt.Sprintf("answered with an index of more than %d indexes, or more than %d deep", maxIndexes, maxDepth))
	}
	_, data, err := w.repo.Manifest(ctx, d.Digest.String())
	if errors.Is(err, ErrNotFound) {
		// The index is there, so this is not the no that a 404 is elsewhere.
		return fault.Text("has the index and not the index " + d.Digest.String() + " that it names")
	}
	if err != nil {
		return err
	}
	var m manifestFields
	if json.Unmarshal(data, &m) != nil || m.Manifests == nil || m.Config != nil {
		return fault.Text("answered with an index that names something else as an index, " + d.Digest.String())
	}
	return w.index(ctx, *m.Manifests, entry, depth)
}

// mayServe tells whether an index for p may have an image for want: an entry without
// a variant or a version leaves them open.
func (p Platform) mayServe(want Platform) bool {
	if p.Variant == "" {
		want.Variant = ""
	}
	if p.OSVersion == "" {
		want.OSVersion = ""
	}
	return p.Serves(want)
}

// configPlatform reads the platform of a single image.
func configPlatform(ctx context.Context, repo *registry.Repository, config v1.Descriptor) (Platform, error) {
	var fields struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
		OSVersion    string `json:"os.version"`
	}
	err := readConfig(ctx, repo, config, &fields)
	return Platform(fields), err
}

// readConfig decodes the configuration that an image's manifest names.
func readConfig(ctx context.Context, repo *registry.Repository, config v1.Descriptor, into any) error {
	if _, why := grammar.CheckDigest(config.Digest.String()); why != "" {
		return fault.Text("answered with a manifest whose configuration is not sha256")
	}
	data, err := repo.Blob(ctx, config, content.MaxManifest)
	switch {
	case errors.Is(err, ErrNotFound):
		// The image is there, so this is not the no that a 404 is elsewhere.
		return fault.Text("has the manifest and not the configuration it names")
	case err != nil:
		_, text := registry.Describe(err)
		return &fault.Cause{Text: "configuration of the image: " + text, Err: err}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fault.Text("answered with a configuration that is not JSON of its kind")
	}
	return nil
}
