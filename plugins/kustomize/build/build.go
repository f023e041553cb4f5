// Package build is kustomize build with kubepromote's KRM functions in process.
//
// Kustomize runs functions that are programs with --enable-alpha-plugins and
// --enable-exec alone; with the first and without the second it leaves them out
// and says nothing. A validator that can be left out is none. [Run] needs no flag
// for our functions, and what it cannot run is an error, never left out.
//
// # How it is done
//
// Kustomize has no place to add functions to. But it reads all files through an
// interface. So each kustomization is read first, our functions are taken out of
// its generators, transformers and validators, and kustomize gets the rest.
//
// The functions of the kustomization that is built run on what kustomize gives:
// transformers in their order, then validators. Those of a base run on the base
// built by itself. What its transformers have changed is put back as patches in
// their place, so that kustomize applies them when it comes to the base, with
// everything that it knows of the base's names; and it is checked that this gives
// the same. A component has no resources of its own to run on: its validators run
// as if they stood in the kustomization that uses it, and see all that it sees;
// transformers of ours in a component are refused.
//
// Where no function of ours is involved, kustomize gets the files as they are.
package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/yaml"
)

// Options are those of kustomize build. The zero value is what it does without
// flags, save that our functions run.
type Options struct {
	// EnablePlugins and EnableExec allow functions that are not ours: containers
	// with the first, programs with both.
	EnablePlugins, EnableExec bool
	// EnableHelm allows helmCharts, by HelmCommand; empty is "helm".
	EnableHelm  bool
	HelmCommand string
	// LoadAnywhere allows files outside of a kustomization's directory, as in
	// kustomize, and bases outside of the repository that the directory is in: the
	// nearest one upwards with .git or, where there is none, with promotion.yaml.
	LoadAnywhere bool
	// Network allows it to functions in containers that ask for it.
	Network bool
	// Client asks the registries; nil means one with its defaults.
	Client *registry.Client
	// Environment is the one that verification policies are judged for where
	// VerifyImages names none; empty is none.
	Environment string
	// Service is the one that the objects are of, likewise.
	Service string
	// NoValidators leaves our validators out, for who renders and judges otherwise.
	NoValidators bool
	// FS is where files are read from; nil is the disk. Files that our functions
	// name are on the disk always.
	FS filesys.FileSystem
	// Closed lets our functions neither read files nor ask registries: one that does
	// ends the build with kustomize.ErrClosed.
	Closed bool
}

// Result is what a build gives.
type Result struct {
	Resources resmap.ResMap
	// Results are what our functions have found, in the order that they ran. In
	// the result of a build that did not fail there are no errors.
	Results framework.Results
}

// Run builds the kustomization in a local directory.
//
// An error is a *[kustomize.Refused] where a function of ours has found errors; a
// *[SkippedError] where a function that is not ours would be left out; or of
// kustomize.
func Run(ctx context.Context, dir string, o Options) (*Result, error) {
	disk := o.FS == nil
	if disk {
		o.FS = filesys.MakeFsOnDisk()
	}
	o.FS = bounded{o.FS, disk}
	clean, file, err := o.FS.CleanedAbs(dir)
	if err != nil || file != "" {
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	b := &builder{
		ctx: ctx, options: o, host: &kustomize.Host{Client: o.Client, Environment: o.Environment, Service: o.Service, Closed: o.Closed},
		factory:   resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()),
		rewritten: make(map[string][]byte), started: make(map[string]bool), builds: make(map[string]int),
	}
	if !o.LoadAnywhere {
		b.repository = repository(o.FS, clean.String())
	}
	resources, err := b.root(clean.String())
	if err != nil {
		return nil, err
	}
	return &Result{Resources: resources, Results: b.results}, nil
}

// builder is one build.
type builder struct {
	ctx     context.Context
	options Options
	host    *kustomize.Host
	factory *resmap.Factory
	results framework.Results
	// rewritten are kustomization files as kustomize shall see them, by directory.
	rewritten map[string][]byte
	// started are the directories that are being rewritten, or were.
	started map[string]bool
	// builds are how many kustomizations a directory is built from, itself included.
	builds map[string]int
	// stack are the directories that are being prepared, each for the one before it.
	stack []string
	// functions are the directories that are being built for the functions in them.
	functions []string
	// repository is what bases may not lie outside of; empty for no bound.
	repository string
	// err is what stopped the reading of a file: kustomize hides it among its own
	// errors.
	err error
	// patches counts, for their names.
	patches int
}

// krusty gives the options as kustomize has them.
func (b *builder) krusty() *krusty.Options {
	o := krusty.MakeDefaultOptions()
	o.Reorder = krusty.ReorderOptionUnspecified
	if b.options.LoadAnywhere {
		o.LoadRestrictions = types.LoadRestrictionsNone
	}
	if b.options.EnablePlugins {
		o.PluginConfig = types.EnabledPluginConfig(types.BploUseStaticallyLinked)
		o.PluginConfig.FnpLoadingOptions = types.FnPluginLoadingOptions{EnableExec: b.options.EnableExec, Network: b.options.Network, NetworkName: "bridge"}
	} else {
		o.PluginConfig.HelmConfig.Enabled = b.options.EnableHelm
	}
	if o.PluginConfig.HelmConfig.Command = b.options.HelmCommand; b.options.HelmCommand == "" {
		o.PluginConfig.HelmConfig.Command = "helm"
	}
	return o
}

// kustomize builds a directory. content, if not nil, stands in the place of its
// kustomization file.
func (b *builder) kustomize(dir string, content []byte) (resmap.ResMap, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	b.err = nil
	v := &view{FileSystem: b.options.FS, builder: b, dir: dir, content: content}
	type built struct {
		resources resmap.ResMap
		err       error
	}
	done := make(chan built, 1)
	go func() { // kustomize itself cannot be stopped
		m, err := krusty.MakeKustomizer(b.krusty()).Run(v, dir)
		done <- built{m, err}
	}()
	select {
	case <-b.ctx.Done():
		return nil, b.ctx.Err()
	case r := <-done:
		if b.err != nil {
			return nil, b.err
		}
		return r.resources, r.err
	}
}

// root builds the directory that was asked for.
func (b *builder) root(dir string) (resmap.ResMap, error) {
	t, err := b.target(dir)
	if err != nil {
		return nil, err
	}
	if t == nil { // kustomize says what is wrong with it
		return b.kustomize(dir, nil)
	}
	b.started[dir] = true
	if err := b.below(t); err != nil {
		return nil, err
	}
	validators, err := b.validators(t)
	if err != nil {
		return nil, err
	}
	if !t.hasOurs() && len(validators) == 0 {
		return b.kustomize(dir, nil)
	}
	last := t.transformers.trailing()
	if len(t.validators.foreign()) > 0 {
		last = nil // they have to see what our transformers do
	}
	content, err := b.rewrite(t, len(t.transformers)-len(last))
	if err != nil {
		return nil, err
	}
	m, err := b.kustomize(dir, content)
	if err != nil {
		return nil, err
	}
	before := m.Size()
	for _, f := range append(last, validators...) {
		if err := b.apply(m, f); err != nil {
			return nil, err
		}
	}
	if m.Size() != before {
		return b.sorted(m, t.file.SortOptions)
	}
	return m, nil
}

// sorted brings what functions have added to the place where kustomize would have
// put it. Kustomize sorts only what it builds, so it builds the resources once
// more, and their order is taken from that.
func (b *builder) sorted(m resmap.ResMap, by *types.SortOptions) (resmap.ResMap, error) {
	text, err := m.AsYaml()
	if err != nil {
		return nil, err
	}
	file, err := yaml.Marshal(&types.Kustomization{Resources: []string{"all.yaml"}, SortOptions: by})
	if err != nil {
		return nil, err
	}
	fs := filesys.MakeFsInMemory()
	if err := errors.Join(fs.WriteFile("/all.yaml", text), fs.WriteFile("/kustomization.yaml", file)); err != nil {
		return nil, err
	}
	order, err := krusty.MakeKustomizer(b.krusty()).Run(fs, "/")
	if err != nil {
		return nil, err
	}
	out := resmap.New()
	for _, id := range order.AllIds() {
		r, err := m.GetByCurrentId(id)
		if err != nil {
			return nil, err
		}
		if err := out.Append(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// apply runs one function of ours.
func (b *builder) apply(m resmap.ResMap, f entry) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	list := &framework.ResourceList{FunctionConfig: f.config.Copy()}
	for _, r := range m.Resources() {
		list.Items = append(list.Items, &r.RNode)
	}
	p := b.host.At(f.dir).Processor(b.ctx)
	if err := p.Process(list); err != nil {
		return err
	}
	if p.Changed() && f.validator {
		return failure("list it in transformers", "%s: %s changes resources, and stands in validators", f.where(), f.name())
	}
	b.results = append(b.results, list.Results...)
	added := list.Items[m.Size():]
	if len(added) == 0 {
		return nil
	}
	text, err := kio.StringAll(added)
	if err != nil {
		return err
	}
	more, err := b.factory.NewResMapFromBytes([]byte(text))
	if err != nil {
		return err
	}
	return m.AppendAll(more)
}

// view is the file system as kustomize sees it.
type view struct {
	filesys.FileSystem
	builder *builder
	dir     string
	content []byte
}

// ReadFile gives a kustomization file without our functions, any other as it is.
func (v *view) ReadFile(path string) ([]byte, error) {
	data, err := v.FileSystem.ReadFile(path)
	if refused := (*Error)(nil); errors.As(err, &refused) && v.builder.err == nil {
		v.builder.err = err
	}
	if err != nil || !isKustomizationName(filepath.Base(path)) {
		return data, err
	}
	dir, _, err := v.CleanedAbs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if dir.String() == v.dir {
		if v.content != nil {
			return v.content, nil
		}
		return data, nil
	}
	data, err = v.builder.nested(dir.String(), data)
	if err != nil && v.builder.err == nil {
		v.builder.err = err
	}
	return data, err
}

func isKustomizationName(name string) bool {
	return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization"
}

// same tells whether two builds gave the same. A patch goes through JSON and may
// write 1.0 as 1, and so does all that is written in the end.
func same(a, b resmap.ResMap) bool {
	if a.Size() != b.Size() {
		return false
	}
	for i, r := range a.Resources() {
		s := b.Resources()[i]
		if len(difference(r.YNode(), s.YNode(), "")) == 0 {
			continue
		}
		x, err1 := r.AsYAML()
		y, err2 := s.AsYAML()
		if err1 != nil || err2 != nil || !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}
