package build

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/fn/runtime/runtimeutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// target is a kustomization and the functions in it.
type target struct {
	dir  string
	file *types.Kustomization

	generators, transformers, validators entries
	// left tells that validators were left out of it.
	left bool
}

// entry is one function of a kustomization.
type entry struct {
	dir    string
	config *yaml.RNode
	text   string // what stands in the list: a path, or the configuration itself
	ours   bool
	// validator tells that it stands in validators.
	validator bool
}

// name names a function in messages.
func (e entry) name() string {
	return strings.TrimSpace(e.config.GetKind() + " " + e.config.GetName())
}

// where names the kustomization that a function stands in.
func (e entry) where() string { return relative(e.dir) }

type entries []entry

func (e entries) foreign() entries {
	return slices.DeleteFunc(slices.Clone(e), func(f entry) bool { return f.ours })
}

func (e entries) own() entries {
	return slices.DeleteFunc(slices.Clone(e), func(f entry) bool { return !f.ours })
}

// trailing gives the functions of ours behind which there are no others.
func (e entries) trailing() entries {
	n := len(e)
	for n > 0 && e[n-1].ours {
		n--
	}
	return e[n:]
}

func (t *target) hasOurs() bool {
	return t.left || len(t.generators.own())+len(t.transformers.own())+len(t.validators.own()) > 0
}

// SkippedError is a function that would be left out.
type SkippedError struct {
	// Dir is the directory of the kustomization, Function the kind and name of
	// the configuration, Program what it would run.
	Dir, Function, Program string
	// Flags are those that would run it.
	Flags string
}

// Error is one line.
func (e *SkippedError) Error() string {
	if e.Program == "" {
		return fmt.Sprintf("%s: function %s names nothing to run, and kustomize would skip it in silence", e.Dir, e.Function)
	}
	return fmt.Sprintf("%s: function %s runs %s, which is not allowed: it will not be skipped", e.Dir, e.Function, e.Program)
}

// HintText gives the flags that are missing.
func (e *SkippedError) HintText() string {
	if e.Program == "" {
		return "write exec: {path: PROGRAM} or container: {image: IMAGE} into the annotation config.kubernetes.io/function"
	}
	return e.Flags
}

// Error says why a build is refused, and what to do about it.
type Error struct{ msg, hint string }

// Error is one line.
func (e *Error) Error() string { return e.msg }

// HintText gives what to do.
func (e *Error) HintText() string { return e.hint }

func failure(hint, format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...), hint}
}

// target reads the kustomization of a directory; nil where kustomize will have
// something to say about it.
func (b *builder) target(dir string) (*target, error) {
	var data []byte
	found := 0
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if text, err := b.options.FS.ReadFile(filepath.Join(dir, name)); err == nil {
			data = text
			found++
		}
	}
	if found != 1 {
		return nil, nil
	}
	return b.parse(dir, data)
}

func (b *builder) parse(dir string, data []byte) (*target, error) {
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return nil, nil // kustomize gives the same error with more about it
	}
	k.FixKustomization()
	t := &target{dir: dir, file: &k}
	var errs []error
	for _, list := range []struct {
		from []string
		to   *entries
	}{{k.Generators, &t.generators}, {k.Transformers, &t.transformers}, {k.Validators, &t.validators}} {
		found, err := b.entries(dir, list.from)
		*list.to = found
		errs = append(errs, err)
	}
	for i := range t.validators {
		t.validators[i].validator = true
	}
	if b.options.NoValidators {
		t.left, t.validators = len(t.validators.own()) > 0, t.validators.foreign()
	}
	for _, e := range t.generators.own() {
		errs = append(errs, failure("list it in transformers", "%s: %s stands in generators, which get no resources", e.where(), e.name()))
	}
	return t, errors.Join(errs...)
}

// entries reads a list of functions in the order in which kustomize runs them:
// those that are written out in the list come before those in files.
func (b *builder) entries(dir string, list []string) (entries, error) {
	var inline, files entries
	var errs []error
	for _, text := range list {
		if err := yamlbound.Check([]byte(text)); err != nil {
			errs = append(errs, failure("", "%s: %v", relative(dir), err))
			continue
		}
		if m, err := b.factory.NewResMapFromBytes([]byte(text)); err == nil {
			for _, r := range m.Resources() {
				inline = append(inline, entry{dir: dir, config: &r.RNode, text: r.MustYaml()})
			}
			continue
		}
		found, err := b.file(dir, text)
		files = append(files, found...)
		errs = append(errs, err)
	}
	all := append(inline, files...)
	for i := range all {
		e := &all[i]
		e.ours = isOurs(e.config)
		if !e.ours {
			errs = append(errs, b.runnable(*e))
		}
	}
	return all, errors.Join(errs...)
}

// file reads the functions in a file, or those that a directory gives when it is
// built.
func (b *builder) file(dir, path string) (entries, error) {
	fs := b.options.FS
	at := path
	if !filepath.IsAbs(at) {
		at = filepath.Join(dir, path)
	}
	if !fs.Exists(at) {
		return b.opaque(dir, path)
	}
	if fs.IsDir(at) {
		clean, _, err := fs.CleanedAbs(at)
		if err != nil {
			return nil, err
		}
		m, err := b.functionsIn(dir, path, clean.String())
		if err != nil {
			return nil, err
		}
		var found entries
		for _, r := range m.Resources() {
			found = append(found, entry{dir: dir, config: &r.RNode, text: r.MustYaml()})
		}
		return found, nil
	}
	parent, _, err := fs.CleanedAbs(at)
	if err != nil {
		return nil, err
	}
	if !b.options.LoadAnywhere && !within(parent.String(), dir) {
		return entries{{dir: dir, config: yaml.NewMapRNode(nil), text: path}}, nil // for kustomize to refuse
	}
	data, err := fs.ReadFile(at)
	if err != nil {
		return nil, err
	}
	m, err := b.factory.NewResMapFromBytes(data)
	if err != nil {
		return entries{{dir: dir, config: yaml.NewMapRNode(nil), text: path}}, nil // as above
	}
	var found entries
	for _, r := range m.Resources() {
		found = append(found, entry{dir: dir, config: &r.RNode, text: r.MustYaml()})
	}
	return found, nil
}

// functionsIn builds a directory whose objects are the functions of another one.
func (b *builder) functionsIn(from, path, dir string) (resmap.ResMap, error) {
	if err := b.enter(from, path, dir); err != nil {
		return nil, err
	}
	if slices.Contains(b.functions, dir) {
		return nil, failure("keep functions in a directory of their own", "%s: %s has itself as its functions: a cycle", relative(from), path)
	}
	b.functions = append(b.functions, dir)
	defer func() { b.functions = b.functions[:len(b.functions)-1] }()
	t, err := b.target(dir)
	if err != nil {
		return nil, err
	}
	if t != nil && t.hasOurs() {
		return nil, failure("list them in the kustomization itself", "%s: functions on the functions of a kustomization cannot be run in process", relative(dir))
	}
	if t != nil {
		if err := b.below(t); err != nil {
			return nil, err
		}
	}
	return b.kustomize(dir, nil)
}

// opaque is an entry that is no file here: a mistake, or from elsewhere. Kustomize
// fetches and refuses it, unless programs are half allowed.
func (b *builder) opaque(dir, path string) (entries, error) {
	if b.options.EnablePlugins && !b.options.EnableExec {
		return nil, &SkippedError{Dir: relative(dir), Function: path, Program: "what is not known here", Flags: "--enable-exec, or keep the function in the repository"}
	}
	return entries{{dir: dir, config: yaml.NewMapRNode(nil), text: path}}, nil
}

func within(dir, root string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rel)
}

// isOurs tells whether a configuration is for one of our functions: by its kind,
// or a ConfigMap that is said to be a function's and names one.
func isOurs(config *yaml.RNode) bool {
	if kustomize.IsFunction(config.GetApiVersion(), config.GetKind()) {
		return true
	}
	if config.GetApiVersion() != "v1" || config.GetKind() != "ConfigMap" || !slices.Contains(kustomize.Kinds(), config.GetDataMap()["kind"]) {
		return false
	}
	spec, err := runtimeutil.GetFunctionSpec(config)
	return err == nil && spec != nil
}

// runnable refuses a function that kustomize would leave out.
func (b *builder) runnable(e entry) error {
	if e.config.IsNilOrEmpty() {
		return nil
	}
	spec, err := runtimeutil.GetFunctionSpec(e.config)
	if err != nil || spec == nil {
		return nil // kustomize says so
	}
	skipped := &SkippedError{Dir: e.where(), Function: e.name()}
	switch {
	case spec.Container.Image != "" && !b.options.EnablePlugins:
		skipped.Program, skipped.Flags = "the image "+spec.Container.Image, "--enable-alpha-plugins"
	case spec.Container.Image != "":
		return nil
	case spec.Exec.Path != "" && !(b.options.EnablePlugins && b.options.EnableExec):
		skipped.Program, skipped.Flags = spec.Exec.Path, "--enable-alpha-plugins --enable-exec"
	case spec.Exec.Path != "":
		return nil
	}
	return skipped
}

// relative shows a directory as one would type it.
func relative(dir string) string {
	here, err := filepath.Abs(".")
	if err == nil {
		if here, err = filepath.EvalSymlinks(here); err == nil {
			if rel, err := filepath.Rel(here, dir); err == nil && filepath.IsLocal(rel) {
				return rel
			}
		}
	}
	return dir
}
