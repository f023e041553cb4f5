package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// below prepares the kustomizations that a target is made of. Each is done before
// kustomize reads it, for what kustomize knows of schemas is shared by all builds
// of a program: one must not start within another.
func (b *builder) below(t *target) error {
	b.stack = append(b.stack, t.dir)
	defer func() { b.stack = b.stack[:len(b.stack)-1] }()
	if len(b.stack) > maxDepth {
		return failure("keep bases flatter", "%s lies in more than %d kustomizations", relative(t.dir), maxDepth)
	}
	var errs []error
	var children []string
	for n, path := range slices.Concat(t.file.Resources, t.file.Components) {
		dir, ok := b.directory(t.dir, path)
		if !ok {
			continue
		}
		if err := b.enter(t.dir, path, dir); err != nil {
			return err
		}
		if n >= len(t.file.Resources) && b.cycle(dir) { // of resources, kustomize tells
			return failure("take one of them out of components", "%s: %s is a component of itself: a cycle", relative(t.dir), path)
		}
		children = append(children, dir)
		if b.started[dir] {
			continue
		}
		child, err := b.target(dir)
		if err == nil && child != nil {
			err = b.prepare(child)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, b.count(t, children))...)
}

// directory gives a local directory that an entry names.
func (b *builder) directory(dir, path string) (string, bool) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if !b.options.FS.IsDir(path) {
		return "", false
	}
	clean, _, err := b.options.FS.CleanedAbs(path)
	return clean.String(), err == nil
}

// nested gives the kustomization file of a base or component as kustomize shall
// see it. One that is not known yet was fetched from elsewhere.
func (b *builder) nested(dir string, data []byte) ([]byte, error) {
	if text := b.rewritten[dir]; text != nil {
		return text, nil
	}
	if b.started[dir] {
		return data, nil // no functions of ours, or a cycle, of which kustomize tells
	}
	t, err := b.parse(dir, data)
	if err != nil || t == nil {
		return data, err
	}
	if t.hasOurs() {
		return nil, failure("keep the base in the repository", "%s: the base was fetched from elsewhere and has functions of its own, which cannot be run in process", t.firstOfOurs().name())
	}
	return data, nil
}

func (t *target) firstOfOurs() entry {
	return append(t.transformers.own(), t.validators.own()...)[0]
}

// prepare takes the functions out of a base and does what they would do.
func (b *builder) prepare(t *target) error {
	b.started[t.dir] = true
	if err := b.below(t); err != nil {
		return err
	}
	if t.file.Kind == types.ComponentKind {
		return b.component(t)
	}
	validators, err := b.validators(t)
	if err != nil || !t.hasOurs() && len(validators) == 0 {
		return err
	}
	content, err := b.rewrite(t, len(t.transformers))
	if err != nil {
		return err
	}
	b.rewritten[t.dir] = content
	if len(validators) == 0 {
		return nil
	}
	m, err := b.kustomize(t.dir, content)
	if err != nil {
		return err
	}
	for _, f := range validators {
		if err := b.apply(m, f); err != nil {
			return err
		}
	}
	return nil
}

// component takes the validators out of a component; validators has them run.
func (b *builder) component(t *target) error {
	if ours := t.transformers.own(); len(ours) > 0 {
		return failure("list it in the kustomization that uses the component", "%s: %s is a transformer in a component, which cannot be run in process", ours[0].where(), ours[0].name())
	}
	if !t.hasOurs() {
		return nil
	}
	content, err := t.content(t.transformers, t.validators.foreign())
	b.rewritten[t.dir] = content
	return err
}

// validators gives the validators of ours that are to see a target's resources:
// its own, and those of its components.
func (b *builder) validators(t *target) (entries, error) {
	var all entries
	for _, path := range t.file.Components {
		dir, ok := b.directory(t.dir, path)
		if !ok {
			continue // elsewhere: nested refuses what it must
		}
		c, err := b.target(dir)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		found, err := b.validators(c)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return append(all, t.validators.own()...), nil
}

// rewrite gives a target's file with patches in the place of the first n
// transformers, as far as they are ours, and without the others of ours.
func (b *builder) rewrite(t *target, n int) ([]byte, error) {
	var done entries
	for i := 0; i < n; i++ {
		if !t.transformers[i].ours {
			done = append(done, t.transformers[i])
			continue
		}
		var group entries
		for ; i < n && t.transformers[i].ours; i++ {
			group = append(group, t.transformers[i])
		}
		i--
		patches, err := b.patchesFor(t, done, group)
		if err != nil {
			return nil, err
		}
		done = append(done, patches...)
	}
	return t.content(done, t.validators.foreign())
}

// patchesFor runs transformers on what a target gives before them, and gives what
// they change as patches.
func (b *builder) patchesFor(t *target, done, group entries) (entries, error) {
	content, err := t.content(done, nil)
	if err != nil {
		return nil, err
	}
	before, err := b.kustomize(t.dir, content)
	if err != nil {
		return nil, err
	}
	after := before.DeepCopy()
	for _, f := range group {
		if err := b.apply(after, f); err != nil {
			return nil, err
		}
		if after.Size() != before.Size() {
			return nil, failure("list it last, in the kustomization that is built", "%s: %s adds resources and can only stand at the end of the transformers that are built", f.where(), f.name())
		}
	}
	patches, err := b.patchEntries(t, before, after)
	if err != nil || len(patches) == 0 {
		return patches, err
	}
	if content, err = t.content(append(done[:len(done):len(done)], patches...), nil); err != nil {
		return nil, err
	}
	got, err := b.kustomize(t.dir, content)
	if err != nil {
		return nil, err
	}
	// Names may be ambiguous, and kustomize's patches lose digits of large numbers.
	if !same(got, after) {
		return nil, failure("list it in the kustomization that is built", "%s: what %s changes cannot be carried into the build as patches", group[0].where(), group[0].name())
	}
	return patches, nil
}

// patchEntries are configurations of kustomize's own PatchTransformer.
func (b *builder) patchEntries(t *target, before, after resmap.ResMap) (entries, error) {
	var patches entries
	for i, r := range after.Resources() {
		ops := difference(before.Resources()[i].YNode(), r.YNode(), "")
		if len(ops) == 0 {
			continue
		}
		patch, err := json.Marshal(ops)
		if err != nil {
			return nil, err
		}
		id := r.CurId()
		b.patches++
		config := map[string]any{
			"apiVersion": "builtin", "kind": "PatchTransformer",
			"metadata": map[string]any{"name": fmt.Sprintf("kubepromote-%d", b.patches)},
			"patch":    string(patch),
			"target": map[string]string{
				"group": regexp.QuoteMeta(id.Group), "version": regexp.QuoteMeta(id.Version), "kind": regexp.QuoteMeta(id.Kind),
				"name": regexp.QuoteMeta(id.Name), "namespace": regexp.QuoteMeta(id.EffectiveNamespace()),
			},
		}
		text, err := yaml.Marshal(config)
		if err != nil {
			return nil, err
		}
		patches = append(patches, entry{dir: t.dir, text: string(text)})
	}
	return patches, nil
}

// content writes the kustomization file with other transformers and validators.
// All stand in it written out, so that kustomize keeps their order.
func (t *target) content(transformers, validators entries) ([]byte, error) {
	k := *t.file
	k.Transformers, k.Validators = nil, nil
	for _, e := range transformers {
		k.Transformers = append(k.Transformers, e.text)
	}
	for _, e := range validators {
		k.Validators = append(k.Validators, e.text)
	}
	if k.MetaData == nil { // a file in which nothing is left would be an error
		k.MetaData = &types.ObjectMeta{Name: "kubepromote"}
	}
	return yaml.Marshal(&k)
}
