package imagecopy

import (
	"context"
	"encoding/json"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// putReferrers sees to it that the destination lists what refers to each
// manifest: by itself, or under a tag where it does not keep such lists.
func (t *transfer) putReferrers(ctx context.Context) error {
	subjects := t.plan.subjects()
	if len(subjects) == 0 {
		return nil
	}
	byTag, err := t.listsByTag(ctx, subjects[0])
	if err != nil || !byTag {
		return err
	}
	for _, subject := range subjects {
		if err := t.addReferrers(ctx, subject); err != nil {
			return err
		}
	}
	return nil
}

// listsByTag asks whether the destination leaves the lists of referrers to clients.
func (t *transfer) listsByTag(ctx context.Context, subject string) (bool, error) {
	hash, err := v1.NewHash(subject)
	if err != nil {
		return false, t.dst.unread("referrers of "+subject, err)
	}
	ctx, cancel := t.copier.within(ctx)
	defer cancel()
	_, byTag, err := t.dst.Referrers(ctx, hash)
	if err != nil && !byTag {
		return false, t.dst.unread("referrers of "+subject, err)
	}
	return byTag, nil // what is wrong with a list under a tag is told when it is added to
}

// maxListTries bounds how often a list is added to that others change meanwhile.
const maxListTries = 3

// addReferrers adds to the list of a subject. There is no way to change it in
// one step, so it is read back, and added to again if a writer at the same
// time has won.
func (t *transfer) addReferrers(ctx context.Context, subject string) error {
	tag := content.FallbackTag(subject)
	for try := 1; ; try++ {
		desc, body, err := t.dst.fetch(ctx, tag)
		if err != nil && !t.lacks(ctx, tag, err) {
			return t.dst.unread(manifestName(tag), err)
		}
		if err == nil && desc.MediaType != types.OCIImageIndex {
			return t.dst.unwritten(manifestName(tag), fault.Text("there is something else under the tag than a list of referrers"))
		}
		list, added, err := extendList(body, t.plan.referrers[subject])
		if err != nil {
			return t.dst.unwritten(manifestName(tag), err)
		}
		if !added {
			return nil
		}
		if try > maxListTries {
			return t.dst.unwritten(manifestName(tag), fault.Text("others change the list of referrers all the time"))
		}
		if err := t.dst.put(ctx, tag, content.Describe(list, string(types.OCIImageIndex)), list); err != nil {
			return err
		}
	}
}

// extendList adds the nodes that a list of referrers lacks. All else in it
// stays as it is. A nil list is a new one.
func extendList(list []byte, nodes []*copyNode) (extended []byte, added bool, err error) {
	if list == nil {
		list = []byte(`{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[]}`)
	}
	var all map[string]json.RawMessage
	var entries []json.RawMessage
	if json.Unmarshal(list, &all) != nil || json.Unmarshal(all["manifests"], &entries) != nil {
		return nil, false, fault.Text("the list of referrers cannot be read")
	}
	have := map[string]bool{}
	for _, e := range entries {
		var known struct {
			Digest string `json:"digest"`
		}
		if json.Unmarshal(e, &known) == nil {
			have[known.Digest] = true
		}
	}
	for _, n := range nodes {
		if have[n.digest()] {
			continue
		}
		entry, err := json.Marshal(v1.Descriptor{
			MediaType: n.desc.MediaType, Digest: n.desc.Digest, Size: n.desc.Size,
			ArtifactType: n.artifactType(), Annotations: n.parsed.Annotations,
		})
		if err != nil {
			return nil, false, err
		}
		entries, added = append(entries, entry), true
	}
	if all["manifests"], err = json.Marshal(entries); err != nil {
		return nil, false, err
	}
	extended, err = json.Marshal(all)
	return extended, added, err
}

// putAttachedTag points one of cosign's tags at what the source has under it.
// Signatures and attestations that only the destination has are kept: the two
// manifests are joined.
func (t *transfer) putAttachedTag(ctx context.Context, tag copyTag) error {
	now, err := t.dst.head(ctx, tag.tag)
	if err != nil && !t.lacks(ctx, tag.tag, err) {
		return t.dst.unread(manifestName(tag.tag), err)
	}
	if now == tag.node.digest() {
		return nil
	}
	if now == "" || strings.HasSuffix(tag.tag, ".sbom") {
		// cosign puts a new SBOM in the place of the old one as well.
		return t.dst.put(ctx, tag.tag, tag.node.desc, tag.node.body)
	}
	desc, body, err := t.dst.fetch(ctx, now)
	if err != nil {
		return t.dst.unread(manifestName(now), err)
	}
	joined, diffIDs, err := joinLayers(body, tag.node.body)
	if err != nil || !desc.MediaType.IsImage() || !tag.node.desc.MediaType.IsImage() {
		return t.dst.unwritten(manifestName(tag.tag), fault.Text("what is there already cannot be joined with what the source has"))
	}
	if len(diffIDs) == 0 {
		return nil // the destination has all of them, and more
	}
	if body, err = t.joinConfig(ctx, joined, diffIDs); err != nil {
		return err
	}
	t.note("tag %s has signatures of the destination's own, which stay: its digest is not that of the source's", tag.tag)
	return t.dst.put(ctx, tag.tag, content.Describe(body, string(desc.MediaType)), body)
}

// joinLayers appends to the layers of one manifest those of another that it
// lacks. Layers are compared whole: two signatures of one payload differ in
// their annotations only.
func joinLayers(base, more []byte) (joined map[string]json.RawMessage, added []string, err error) {
	var other map[string]json.RawMessage
	var layers, others []json.RawMessage
	for _, err := range []error{
		json.Unmarshal(base, &joined), json.Unmarshal(more, &other),
		json.Unmarshal(joined["layers"], &layers), json.Unmarshal(other["layers"], &others),
	} {
		if err != nil {
			return nil, nil, err
		}
	}
	have := map[string]bool{}
	for _, l := range layers {
		have[canonicalJSON(l)] = true
	}
	for _, l := range others {
		if have[canonicalJSON(l)] {
			continue
		}
		var desc v1.Descriptor
		if err := json.Unmarshal(l, &desc); err != nil {
			return nil, nil, err
		}
		layers, added = append(layers, l), append(added, desc.Digest.String())
	}
	joined["layers"], err = json.Marshal(layers)
	return joined, added, err
}

// canonicalJSON is the same text for the same value, whatever the order of keys.
func canonicalJSON(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	text, _ := json.Marshal(v) // what was decoded can be encoded
	return string(text)
}

// joinConfig gives a joined manifest a configuration that lists its layers.
// Signatures are not compressed, so that a layer's digest is its diff ID.
func (t *transfer) joinConfig(ctx context.Context, manifest map[string]json.RawMessage, diffIDs []string) ([]byte, error) {
	var old v1.Descriptor
	if err := json.Unmarshal(manifest["config"], &old); err != nil || old.Size > content.MaxManifest {
		return nil, t.dst.unwritten("signatures", fault.Text("configuration cannot be read"))
	}
	what := "blob " + old.Digest.String()
	ctx, cancel := t.copier.within(ctx)
	defer cancel()
	config, err := t.dst.Blob(ctx, old, content.MaxManifest)
	if err != nil {
		return nil, t.dst.unread(what, err)
	}
	if config, err = addDiffIDs(config, diffIDs); err != nil {
		return nil, t.dst.unread(what, err)
	}
	desc := content.Describe(config, string(old.MediaType))
	if err := t.dst.PutBlob(ctx, config); err != nil {
		return nil, t.dst.unwritten("blob "+desc.Digest.String(), err)
	}
	if manifest["config"], err = json.Marshal(desc); err != nil {
		return nil, err
	}
	return json.Marshal(manifest)
}

func addDiffIDs(config []byte, diffIDs []string) ([]byte, error) {
	var all, rootfs map[string]json.RawMessage
	var ids []string
	var history []json.RawMessage
	const unfit fault.Text = "not the configuration of an image"
	if json.Unmarshal(config, &all) != nil || json.Unmarshal(all["rootfs"], &rootfs) != nil ||
		rootfs["diff_ids"] != nil && json.Unmarshal(rootfs["diff_ids"], &ids) != nil ||
		all["history"] != nil && json.Unmarshal(all["history"], &history) != nil {
		return nil, unfit
	}
	ids = append(ids, diffIDs...)
	for range diffIDs {
		history = append(history, json.RawMessage(`{"created":"0001-01-01T00:00:00Z"}`))
	}
	var err error
	if rootfs["diff_ids"], err = json.Marshal(ids); err != nil {
		return nil, err
	}
	if all["rootfs"], err = json.Marshal(rootfs); err != nil {
		return nil, err
	}
	if all["history"] != nil {
		if all["history"], err = json.Marshal(history); err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}
