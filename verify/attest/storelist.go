package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	// listPause is how long a change of a tag has to last to be believed.
	// Registries cannot change a tag on a condition, so a writer that has read
	// the tag before us can put back the state it knows. Only one that takes
	// longer than this can do so unseen.
	listPause    = 250 * time.Millisecond
	maxListTries = 16
)

// List makes sure that a referrer is listed. Registries that have the referrers
// API do it; for the others the list is kept under a tag.
func (w *writer) List(ctx context.Context, subject v1.Hash, entry v1.Descriptor) (added bool, err error) {
	listed, err := w.apiLists(ctx, subject, entry.Digest)
	if listed || err != nil {
		return false, err
	}
	return w.settle(ctx, func() (bool, error) { return w.addToList(ctx, subject, entry) })
}

// apiLists asks the referrers API. A registry without it lists nothing.
func (w *writer) apiLists(ctx context.Context, subject, entry v1.Hash) (bool, error) {
	all, byTag, err := w.Repository.Repository.Referrers(ctx, subject)
	if byTag {
		return false, nil // what is wrong with that list is told when it is added to
	}
	if slices.ContainsFunc(all, func(d v1.Descriptor) bool { return d.Digest == entry }) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("cannot read the referrers of %s: %w", w.What(subject.String()), err)
	}
	return false, nil
}

// settle repeats a change of what stands under a tag until it finds nothing to
// change. change says whether it has written.
func (w *writer) settle(ctx context.Context, change func() (bool, error)) (changed bool, err error) {
	for range maxListTries {
		written, err := change()
		if !written || err != nil {
			return changed, err
		}
		changed = true
		// Writers that meet once shall not meet again.
		if err := sleep(ctx, w.pause+rand.N(w.pause+1)); err != nil {
			return changed, err
		}
	}
	return changed, errors.New("others keep changing the same tag")
}

// addToList adds a referrer to the list under the fallback tag, and leaves
// everything else there as it is, what it does not know included.
func (w *writer) addToList(ctx context.Context, subject v1.Hash, entry v1.Descriptor) (written bool, err error) {
	tag := subject.Algorithm + "-" + subject.Hex
	doc, err := w.Manifest(ctx, tag)
	index, list := map[string]json.RawMessage{}, []json.RawMessage{}
	switch {
	case source.IsNotFound(err):
		index["schemaVersion"] = json.RawMessage("2")
		index["mediaType"] = json.RawMessage(`"` + types.OCIImageIndex + `"`)
	case err != nil:
		return false, err
	case doc.MediaType != types.OCIImageIndex:
		return false, refuse("%s is %s and no image index, so nothing can be listed there", doc.What, untrusted.Quoted(string(doc.MediaType)))
	default:
		known, err := source.ParseList(doc.What, doc.Body)
		if err == nil && slices.ContainsFunc(known, func(d v1.Descriptor) bool { return d.Digest == entry.Digest }) {
			return false, nil
		}
		if err = errors.Join(err, json.Unmarshal(doc.Body, &index)); err == nil && index["manifests"] != nil {
			err = json.Unmarshal(index["manifests"], &list)
		}
		if err != nil {
			return false, refuse("cannot change %s: it is no valid image index", doc.What)
		}
	}
	item, err := json.Marshal(entry)
	if err != nil {
		return false, err
	}
	if index["manifests"], err = json.Marshal(append(list, item)); err != nil {
		return false, err
	}
	return w.putTag(ctx, tag, types.OCIImageIndex, index)
}

// putTag writes a manifest that must stay readable for ourselves.
func (w *writer) putTag(ctx context.Context, tag string, mediaType types.MediaType, v any) (written bool, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return false, err
	}
	if len(body) > source.MaxManifestSize {
		return false, refuse("%s would have more than %d MiB", w.What(tag), source.MaxManifestSize>>20)
	}
	if _, err := w.putManifest(ctx, tag, mediaType, body); err != nil {
		return false, err
	}
	return true, nil
}
