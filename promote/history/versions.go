package history

import (
	"bytes"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// siteKey tells sites apart whose service is open.
type siteKey struct {
	path, environment string
	entry             int
}

func keyOf(s pipeline.Site) siteKey { return siteKey{s.Path, s.Environment, s.Entry} }

// version is a file's content, as the services that have a part of it see it.
type version map[string]pins

// versions reads the blobs of what is pending, each once, and parses those whose pins may
// differ from those of their neighbours. They come in the order in which the changes need
// them, so that few are held at a time.
func (h *historian) versions() (map[string]map[siteKey]version, error) {
	var ids []string
	waits := make(map[string][]*pendingChange)
	for _, p := range h.pending {
		p.same = p.file.Old == p.file.New
		for _, id := range p.blobs() {
			if waits[id] == nil {
				ids = append(ids, id)
			}
			waits[id] = append(waits[id], p)
		}
	}
	versions := make(map[string]map[siteKey]version) // by blob
	data, left := make(map[string][]byte), make(map[string]int)
	if len(ids) == 0 {
		return versions, nil
	}
	return versions, h.log.Blobs(h.ctx, ids, func(id string, blob []byte) error {
		data[id], left[id] = blob, len(waits[id])
		for _, p := range waits[id] {
			blobs := p.blobs()
			if slices.ContainsFunc(blobs, func(id string) bool { _, ok := data[id]; return !ok }) {
				continue
			}
			if p.same = h.same(p, data[p.file.Old], data[p.file.New]); p.same {
				h.alike(versions, p)
			} else {
				for _, id := range blobs {
					h.parse(versions, id, p, data[id])
				}
			}
			for _, id := range blobs {
				if left[id]--; left[id] == 0 {
					delete(data, id)
				}
			}
		}
		return nil
	})
}

// blobs are those of a change's versions, of which there are one or two.
func (p *pendingChange) blobs() []string {
	return slices.DeleteFunc(slices.Compact([]string{p.file.New, p.file.Old}), func(id string) bool { return id == "" || p.file.Old == p.file.New })
}

// parse reads a version, unless that was done for another change.
func (h *historian) parse(versions map[string]map[siteKey]version, id string, p *pendingChange, data []byte) {
	key := keyOf(p.site)
	id = h.first(key, id)
	if versions[id] == nil {
		versions[id] = make(map[siteKey]version)
	}
	if _, ok := versions[id][key]; ok {
		return
	}
	if last := h.last[key]; last.version != nil && h.first(key, last.id) == id {
		versions[id][key] = last.version
		return
	}
	if h.cheap && isLarge(p.file.Path, data) {
		data = reduced(data, h.keys, p.site.Within == "")
	}
	v, err := h.read(p.site, p.file.Path, data)
	if err != nil {
		h.failed[id] = err
		return
	}
	versions[id][key], h.last[key] = v, readVersion{id, v}
}

// readVersion is a version with its blob.
type readVersion struct {
	id string
	version
}

// alikeKey is a blob that is a version of a site's file.
type alikeKey struct {
	siteKey
	blob string
}

// alike notes that a change's versions have the same pins: one of them is read for both.
func (h *historian) alike(versions map[string]map[siteKey]version, p *pendingChange) {
	key := keyOf(p.site)
	old, now := h.first(key, p.file.Old), h.first(key, p.file.New)
	if _, read := versions[old][key]; read {
		old, now = now, old
	}
	if old != now {
		h.equal[alikeKey{key, old}] = now
	}
}

// first is the blob that stands for all that have the same pins.
func (h *historian) first(key siteKey, blob string) string {
	for {
		other, ok := h.equal[alikeKey{key, blob}]
		if !ok {
			return blob
		}
		blob = other
	}
}

// read gives the pins that the services of a site have in a version of its file.
func (h *historian) read(one pipeline.Site, file string, data []byte) (version, error) {
	f, err := h.sites.Parse(one, file, data)
	if err != nil {
		return nil, err
	}
	v := make(version)
	parts := []pipeline.Site{one}
	if one.Service == "" {
		parts = one.Split(f)
	}
	for _, part := range parts {
		images, err := part.Pins(f)
		if err != nil {
			return nil, err
		}
		v[path.Base(part.Service)] = pins{images, h.pipeline.Along(part, f)}
	}
	return v, nil
}

// reread parses the versions of a change that was taken to change nothing, where a newer
// one is held that is to be compared with them.
func (h *historian) reread(p *pendingChange, versions map[string]map[siteKey]version) error {
	if !slices.ContainsFunc(slices.Collect(maps.Keys(h.held)), func(k pendingKey) bool {
		return k.path == p.site.Path && k.environment == p.site.Environment
	}) {
		return nil
	}
	p.same = p.file.Old == p.file.New
	return h.log.Blobs(h.ctx, p.blobs(), func(id string, data []byte) error {
		h.parse(versions, id, p, data)
		return nil
	})
}

// leastSize is that of files which take longer to parse than to compare.
const leastSize = 4 << 10

// isLarge tells whether a look at the lines of a file is worth while.
func isLarge(file string, data []byte) bool {
	ext := path.Ext(file)
	return len(data) >= leastSize && (ext == ".yaml" || ext == ".yml")
}

// same tells whether two versions have the same pins, of the services that are asked for,
// where a look at the lines that differ is enough to tell.
func (h *historian) same(p *pendingChange, old, now []byte) bool {
	if p.file.Old == "" || p.file.New == "" || !isLarge(p.file.Path, now) {
		return false
	}
	var parts [][]string
	wanted := []string{p.site.Service}
	if p.site.Service == "" {
		wanted = nil
		for name := range h.wanted {
			if h.asks(name, p.site.Environment) {
				wanted = append(wanted, path.Base(name))
			}
		}
		if len(h.wanted) > 0 && !slices.ContainsFunc(wanted, func(name string) bool {
			return bytes.Contains(old, []byte(name)) || bytes.Contains(now, []byte(name))
		}) {
			return true // the file has no part of any of them
		}
	}
	for _, name := range wanted {
		if within := strings.ReplaceAll(p.site.Within, "{service}", path.Base(name)); within != "" && !strings.ContainsAny(within, `[]*\\:`) {
			parts = append(parts, strings.Split(within, "."))
		}
	}
	if len(parts) < len(wanted) {
		parts = nil
	}
	return h.cheap && differing(old, now).keeps(parts, h.keys)
}

// keysOf are the keys of the pins that a pipeline names, and those by which it chooses items; ok is false where a pin may stand
// at any key.
func keysOf(p *pipeline.Pipeline) (keys []string, ok bool) {
	for _, image := range p.Spec.Images {
		key := image.Path[strings.LastIndexAny(image.Path, ".:")+1:]
		if key == "" || strings.ContainsAny(key, "*{}[]\\") {
			return nil, false
		}
		keys = append(keys, strings.ToLower(key))
	}
	for _, within := range parts(p) {
		for _, m := range selector().FindAllStringSubmatch(within, -1) {
			keys = append(keys, strings.ToLower(m[1]))
		}
	}
	return keys, true
}

// selector is what chooses an item of a list: [env=.
var selector = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\[([^=\[\]]+)=`) })

// parts are the paths by which a pipeline finds parts of files, and pins in them.
func parts(p *pipeline.Pipeline) []string {
	layouts := []pipeline.Layout{p.Spec.Layout}
	for _, e := range p.Spec.Environments {
		layouts = append(layouts, e.Layout)
	}
	for _, s := range p.Spec.Services {
		layouts = append(layouts, s.Layout)
	}
	var out []string
	for _, l := range slices.Concat(layouts...) {
		out = append(out, l.Within)
	}
	for _, image := range p.Spec.Images {
		out = append(out, image.Path)
	}
	return out
}
