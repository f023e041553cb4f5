package setcmd

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"sigs.k8s.io/kustomize/api/types"
)

// strange tells of the entries that an edit adds for images that nothing below the
// kustomization has: kustomize builds as if they were not there. With existingOnly
// they are refused, and so are those of which it cannot be told.
func (o *options) strange(in cli.Input, e *overlay.Edit, r overlay.Request, args []string) error {
	var below *resources
	for i, c := range r.Changes {
		if _, ok := in.File.Image(c.Name); ok || c.Name == "" || strings.ContainsAny(c.Name, `*?()[]|\`) {
			continue
		}
		if added, ok := e.After.Image(c.Name); !ok || added.Format != overlay.Kustomization && !o.existingOnly {
			continue
		}
		if below == nil {
			below = imagesBelow(in)
		}
		names := below.beside(e.After, c.Name)
		if slices.Contains(names, c.Name) {
			continue
		}
		near := nearest(c.Name, names)
		msg := fmt.Sprintf("%s: no resource of this kustomization has an image %q", in.File.Name(), c.Name)
		if near != "" {
			msg += fmt.Sprintf("; did you mean %q?", near)
		}
		switch {
		case o.existingOnly && below.unknown != "":
			return &promote.Error{Msg: fmt.Sprintf("%s: image %q has no entry, and whether a resource has it cannot be told: %s", in.File.Name(), c.Name, below.unknown)}
		case o.existingOnly && near != "":
			return &promote.Error{Msg: msg, Hint: fmt.Sprintf("kubectl promote set %s -f %s", shell.Quote(near+strings.TrimPrefix(args[i], c.Name)), shell.Quote(in.File.Name()))}
		case o.existingOnly:
			return &promote.Error{Msg: msg}
		case below.unknown == "":
			o.session.Warn("%s", msg)
		}
	}
	return nil
}

// nearest finds the name that was probably meant: one of the same image in another
// repository, or one that is spelt nearly so.
func nearest(name string, names []string) string {
	for _, n := range names {
		if path.Base(n) == path.Base(name) {
			return n
		}
	}
	return spelling.Nearest(name, names)
}

// resources are the names of images in what a kustomization is made of, as far as it
// stands in local files. unknown says what is not known; then there may be more.
type resources struct {
	names   map[string]bool
	unknown string
	seen    map[string]bool
}

// imagesBelow finds the images that the entries of a kustomization apply to.
func imagesBelow(in cli.Input) *resources {
	r := &resources{names: make(map[string]bool), seen: make(map[string]bool)}
	if in.Path() == "" {
		r.unknown = "it is not in a file"
		return r
	}
	r.kustomization(in.Path(), in.File.Bytes(), false)
	if len(r.names) == 0 && r.unknown == "" {
		r.unknown = "it has none"
	}
	return r
}

// beside gives the names that an entry could be about: those below, and those that
// the other entries give.
func (r *resources) beside(f *overlay.File, entry string) []string {
	var names []string
	for n := range r.names {
		names = append(names, n)
	}
	for _, p := range f.Images() {
		if p.Name != entry {
			names = append(names, p.Repository())
		}
	}
	slices.Sort(names)
	return names
}

func (r *resources) unclear(format string, args ...any) {
	if r.unknown == "" {
		r.unknown = fmt.Sprintf(format, args...)
	}
}

// kustomization adds the images of a kustomization's resources, components and
// patches, as they are before its own entries apply. used tells that it is part of
// another: then a component is about the images of that one.
func (r *resources) kustomization(file string, data []byte, used bool) {
	const most = 1000
	if r.seen[file] || len(r.seen) > most {
		r.unclear("%s is met twice, or one of too many", filepath.Base(file))
		return
	}
	r.seen[file] = true
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		r.unclear("%s cannot be read", filepath.Base(file))
		return
	}
	k.FixKustomization()
	if k.Kind == types.ComponentKind && !used {
		r.unclear("a component is about the resources of those who use it")
	}
	//lint:ignore SA1019 files with patches of the old forms are still built
	if len(k.HelmCharts)+len(k.Generators)+len(k.Transformers)+len(k.Replacements)+len(k.Configurations)+len(k.PatchesStrategicMerge)+len(k.PatchesJson6902) > 0 {
		r.unclear("charts, generators, transformers, replacements and patches of old forms may have it")
	}
	dir := filepath.Dir(file)
	for _, name := range slices.Concat(k.Resources, k.Components) {
		r.resource(dir, name)
	}
	for _, p := range k.Patches {
		if p.Path != "" {
			r.resource(dir, p.Path)
		} else {
			r.manifests("a patch", []byte(p.Patch))
		}
	}
}

// resource adds the images of a file or of another kustomization as it is built.
func (r *resources) resource(dir, name string) {
	at := filepath.Join(dir, filepath.FromSlash(name))
	if sub, err := cli.FindKustomization(at); err == nil {
		data, err := cli.ReadBounded(sub)
		if err != nil {
			r.unclear("%s cannot be read", name)
			return
		}
		r.kustomization(sub, data, true)
		r.apply(name, data)
		return
	}
	data, err := cli.ReadBounded(at)
	if err != nil {
		r.unclear("%s is no local file", name)
		return
	}
	r.manifests(name, data)
}

// apply renames what the entries of a kustomization rename.
func (r *resources) apply(name string, data []byte) {
	f, err := overlay.Parse("kustomization.yaml", data)
	if err != nil {
		r.unclear("%s cannot be read", name)
		return
	}
	for _, p := range f.Images() {
		if to := p.Repository(); to != p.Name && r.names[p.Name] {
			delete(r.names, p.Name)
			r.names[to] = true
		}
	}
}

// manifests adds the images of pods. One that is no reference may have any name.
func (r *resources) manifests(name string, data []byte) {
	f, err := overlay.Parse("manifest.yaml", data)
	switch {
	case err != nil:
		r.unclear("%s cannot be read", name)
		return
	case len(f.Unread()) > 0 || len(f.Images()) == 0 && strings.Contains(string(data), "/image"):
		r.unclear("%s has an image that cannot be read", name)
	}
	for _, p := range f.Images() {
		if p.Format == overlay.Manifest {
			r.names[p.Name] = true
		}
	}
}
