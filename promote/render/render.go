package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// maxObjects bounds how many objects a directory gives.
const maxObjects = 50_000

// Functions builds a kustomization that has functions of this project, on a file system
// with nothing but the tree. See plugins/kustomize/build.
type Functions func(ctx context.Context, fs filesys.FileSystem, dir string) (resmap.ResMap, error)

// Options say how is rendered.
type Options struct {
	// Functions is nil where functions of this project cannot be run: then a kustomization
	// that lists some is an error.
	Functions Functions
	// Charts is nil where charts of Helm cannot be rendered: then a service that is one is an
	// error.
	Charts Charts
}

// Renderer renders directories of one tree. Its methods may be called concurrently.
type Renderer struct {
	source  *source
	options Options
}

// New makes a renderer of a tree. Each file is read once.
func New(tree pipeline.Tree, o Options) *Renderer { return &Renderer{newSource(tree), o} }

// With is the renderer of the same tree with files laid over it, by their paths; nil bytes
// are a file that is gone. What has been read of the tree is not read again.
func (r *Renderer) With(over map[string][]byte) *Renderer {
	return &Renderer{r.source.with(over), r.options}
}

// Rendered is what a directory gives.
type Rendered struct {
	// Objects are in the order in which they would be written.
	Objects []objects.Object
	// text is what kustomize would write.
	text func() ([]byte, error)
}

// YAML is what kustomize build would write, byte for byte, or the objects of a directory
// without a kustomization as YAML.
func (r *Rendered) YAML() ([]byte, error) { return r.text() }

// Dir renders a directory, by its path from the tree's root: with kustomize where it has a
// kustomization, else all objects in the YAML and JSON files right in it.
func (r *Renderer) Dir(ctx context.Context, dir string) (*Rendered, error) {
	if dir = path.Clean(dir); dir == ".." || strings.HasPrefix(dir, "../") || path.IsAbs(dir) {
		return nil, &promote.Error{Msg: dir + " is outside of the repository"}
	}
	switch k, err := r.source.at(dir); {
	case err != nil:
		return nil, err
	case k == isLink:
		return nil, linked(dir)
	case k != isDir:
		return nil, &promote.Error{Msg: dir + " is not a directory"}
	}
	file, err := r.source.kustomization(dir)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return r.plainDir(dir)
	}
	run, n, charts, err := r.graph(ctx, dir)
	if err != nil {
		return nil, err
	}
	m, err := run.buildSharing(ctx, n)
	if err != nil {
		return nil, err
	}
	out, err := run.result(n, m)
	if err == nil {
		for i := range out.Objects {
			relocate(&out.Objects[i], charts)
		}
	}
	return out, err
}

// schemas guards what kustomize knows of schemas, which is one for all of a program: many
// builds may use it, one that has a schema of its own is alone.
var schemas struct {
	sync.RWMutex
	known bool
}

// useSchemas waits for its turn, and gives the function that ends it.
func useSchemas(own bool) func() {
	if own {
		schemas.Lock()
		openapi.ResetOpenAPI()
		return func() {
			openapi.ResetOpenAPI()
			schemas.known = false
			schemas.Unlock()
		}
	}
	for {
		schemas.RLock()
		if schemas.known {
			return schemas.RUnlock
		}
		schemas.RUnlock()
		schemas.Lock()
		if !schemas.known { // reading it is no matter of several builds at once
			openapi.Schema()
			schemas.known = true
		}
		schemas.Unlock()
	}
}

// build has kustomize build a directory, of the files as they are.
func (r *Renderer) build(ctx context.Context, n *node) (resmap.ResMap, error) {
	return r.buildWith(ctx, n, options())
}

func (r *Renderer) buildWith(ctx context.Context, n *node, o *krusty.Options) (resmap.ResMap, error) {
	if n.functions && r.options.Functions == nil {
		return nil, &promote.Error{Msg: n.file + ": lists functions of kubepromote.dev, which are not run here", Hint: "kubectl promote build " + n.dir}
	}
	fsys := &files{ctx: ctx, source: r.source}
	type built struct {
		m   resmap.ResMap
		err error
	}
	done := make(chan built, 1)
	go func() { // kustomize itself cannot be stopped, but for its files
		defer useSchemas(n.schema)()
		defer func() {
			if p := recover(); p != nil {
				done <- built{nil, fmt.Errorf("it has failed: %v", p)}
			}
		}()
		var b built
		if n.functions {
			b.m, b.err = r.options.Functions(ctx, fsys, abs(n.dir))
		} else {
			b.m, b.err = krusty.MakeKustomizer(o).Run(fsys, abs(n.dir))
		}
		done <- b
	}()
	select {
	case <-ctx.Done():
		return nil, r.source.late(n, ctx.Err())
	case b := <-done:
		fsys.mu.Lock()
		defer fsys.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil, r.source.late(n, ctx.Err())
		case fsys.err != nil:
			return nil, fsys.err
		case b.err != nil:
			if err := r.source.blame(n); err != nil {
				return nil, err
			}
			return nil, kustomizeError(n, b.err)
		case b.m.Size() > maxObjects:
			return nil, &promote.Error{Msg: fmt.Sprintf("%s: gives %d objects, and at most %d are rendered", n.file, b.m.Size(), maxObjects)}
		}
		return b.m, nil
	}
}

// options are those of kustomize build without a flag.
func options() *krusty.Options {
	o := krusty.MakeDefaultOptions()
	o.Reorder = krusty.ReorderOptionUnspecified
	o.LoadRestrictions = types.LoadRestrictionsRootOnly
	return o
}

// kustomizeError is what kustomize says, on a line, with paths of the repository.
func kustomizeError(n *node, err error) error {
	var ours interface{ HintText() string }
	if errors.As(err, &ours) {
		return err
	}
	text := strings.NewReplacer("'/", "'", "`/", "`", " /", " ").Replace(fault.OneLine(err.Error()))
	if at := n.innermost(text); at != nil {
		n = at
	}
	// What is nested is told from the outside; the innermost is the cause.
	if at := strings.LastIndex(text, "accumulating resources from "); at > 0 {
		text = text[at:]
	}
	return &promote.Error{Msg: n.file + ": kustomize: " + text}
}

// result makes objects of what kustomize gives.
func (r *Renderer) result(n *node, m resmap.ResMap) (*Rendered, error) {
	out := &Rendered{text: m.AsYaml}
	at := r.source.origins(n)
	for _, one := range m.Resources() {
		data, err := one.MarshalJSON()
		if err != nil {
			return nil, kustomizeError(n, err)
		}
		fields, err := decode(data)
		if err != nil {
			return nil, kustomizeError(n, err)
		}
		o := objects.Of(fields)
		if o.Deep() {
			return nil, deep(n.file, &o)
		}
		at.locate(&o)
		out.Objects = append(out.Objects, o)
	}
	return out, nil
}

// decode reads JSON with its numbers as they are written.
func decode(data []byte) (map[string]any, error) {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err := dec.Decode(&fields)
	return fields, err
}
