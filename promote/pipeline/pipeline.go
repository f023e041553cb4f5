package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/internal/order"
	"github.com/kubepromote/kubepromote/promote/pipeline/clusters"
	"github.com/kubepromote/kubepromote/promote/pipeline/delivery"
)

// APIVersion is the version of the pipeline file and of all printed objects.
const APIVersion = "kubepromote.dev/v1alpha1"

// FileName is where a repository's pipeline file stands unless told otherwise.
const FileName = "promotion.yaml"

// Pipeline says which environments there are, in which order images move through
// them, and under which rules.
type Pipeline struct {
	APIVersion string `yaml:"apiVersion" json:"apiVersion"`
	Kind       string `yaml:"kind" json:"kind"`
	// Metadata names the pipeline.
	Metadata Metadata `yaml:"metadata" json:"metadata"`
	// Spec says what there is.
	Spec Spec `yaml:"spec" json:"spec"`

	// Remotes, if not nil, gives the URLs by which the repository is known. They are no
	// part of the file.
	Remotes func() []string `yaml:"-" json:"-"`
}

// Metadata names an object.
type Metadata struct {
	// Name is the object's; a location without {service} is of a service of that name.
	Name string `yaml:"name" json:"name,omitempty"`
}

// Spec is the content of a Pipeline.
type Spec struct {
	// Layout says where pins stand.
	Layout Layout `yaml:"layout" json:"layout"`
	// Pin says what is written: tag+digest (the default), digest, tag, or source.
	Pin PinMode `yaml:"pin" json:"pin,omitempty"`
	// AllowMutable permits pin: tag, under which what was tested and what runs
	// may differ, and tags without a digest under pin: source.
	AllowMutable bool `yaml:"allowMutable" json:"allowMutable,omitempty"`
	// Images are paths of images that no convention finds, such as a field of a
	// custom resource.
	Images []overlay.ImagePath `yaml:"images" json:"images,omitempty"`
	// Promote says what moves: images, which is the default, and what stands beside them:
	// revisions and charts.
	Promote []Kind `yaml:"promote" json:"promote,omitempty"`
	// Values are paths of values that move with the images as they stand in the source.
	Values []string `yaml:"values" json:"values,omitempty"`
	// Copy lists files, relative to the overlay's directory, that are promoted as
	// they are.
	Copy []string `yaml:"copy" json:"copy,omitempty"`
	// GateTemplates are gates that several environments have, by a name. An environment
	// has them where a gate of its own is template: NAME.
	GateTemplates map[string][]Gate `yaml:"gateTemplates" json:"gateTemplates,omitempty"`
	// Environments are listed in the order in which they are shown.
	Environments []Environment `yaml:"environments" json:"environments"`
	// Clusters are, by context of a kubeconfig, the names and the addresses of servers by which
	// Argo CD and Flux know its cluster: clusters: {prod-eu: [eu-1, https://10.0.0.1:6443]}.
	Clusters clusters.Names `yaml:"clusters" json:"clusters,omitempty"`
	// Services are those of which there is more to say than where they are found.
	Services []Service `yaml:"services" json:"services,omitempty"`
	// Record is what is kept and told of promotions beside their commits.
	Record Record `yaml:"record" json:"record,omitzero"`
}

// Kind is what may move from one environment to another.
type Kind string

// The kinds: images, revisions of repositories (the ref of a remote base, a
// targetRevision), and versions of charts.
const (
	Images    Kind = "images"
	Revisions Kind = "revisions"
	Charts    Kind = "charts"
)

// Environment is a place that services run in.
type Environment struct {
	// Name is what commands and records call it.
	Name string `yaml:"name" json:"name"`
	// Path is the folder or folders that stand for it in the layout's template;
	// by default its name, which may lead deeper itself: prod/eu.
	Path string `yaml:"path" json:"path,omitempty"`
	// Group is the name by which a promotion reaches all environments that have it.
	Group string `yaml:"group" json:"group,omitempty"`
	// Layout, if not empty, is the environment's own: its locations take the place of
	// those of the pipeline, one by one. They may do without {environment}.
	Layout Layout `yaml:"layout" json:"layout,omitempty"`
	// Branch is the branch that the environment's files are on, where that is not the one
	// with the pipeline file. {environment} may stand in it, and {service} where each service
	// has a branch for itself: release/{service}.
	Branch string `yaml:"branch" json:"branch,omitempty"`
	// Repository is the repository that they are in, where that is another one: a URL, or a
	// path from the root to another clone. Without Branch it is the default branch there.
	// The same holes may stand in it: ../{service}-deploy.
	Repository string `yaml:"repository" json:"repository,omitempty"`
	// From lists the environments that images may come from.
	From []string `yaml:"from" json:"from,omitempty"`
	// Admit says which builds may come in from outside, where from is empty.
	Admit *Admit `yaml:"admit" json:"admit,omitempty"`
	// Verify names the policy that an image must meet to come here.
	Verify *VerifyRule `yaml:"verify" json:"verify,omitempty"`
	// Gates are what else an image must pass to come here; all of them.
	Gates []Gate `yaml:"gates" json:"gates,omitempty"`
	// Health says where it is seen how the environment's services are.
	Health *Health `yaml:"health" json:"health,omitempty"`
	// Deliver says what a promotion does with its edits.
	Deliver Deliver `yaml:"deliver" json:"deliver"`
	// Strategy says how pins come here; by default they are edited in the files.
	Strategy *Strategy `yaml:"strategy" json:"strategy,omitempty"`
	// Rollback says what a way back to earlier pins must pass; by default verify alone.
	Rollback *Rollback `yaml:"rollback" json:"rollback,omitempty"`
}

// Rollback is what a way back must pass, and when there is one by itself.
type Rollback struct {
	// Gates are the environment's own, by their names, and verify for its policy; by
	// default verify alone.
	Gates []string `yaml:"gates" json:"gates,omitempty"`
	// OnUnhealthy has a promotion with --wait follow the health of what it has delivered
	// for so long, and take it back when it is lost.
	OnUnhealthy Duration `yaml:"onUnhealthy" json:"onUnhealthy,omitempty"`
}

// verifyGate is the name that the policy of an environment has among Rollback.Gates.
const verifyGate = "verify"

// ForRollback is the environment with that alone which a way back must pass.
func (e *Environment) ForRollback() *Environment {
	out, gates := *e, []string{verifyGate}
	if e.Rollback != nil && e.Rollback.Gates != nil {
		gates = e.Rollback.Gates
	}
	out.Gates = slices.DeleteFunc(slices.Clone(e.Gates), func(g Gate) bool { return !slices.Contains(gates, g.Title()) })
	if !slices.Contains(gates, verifyGate) {
		out.Verify = nil
	}
	return &out
}

// maxFollowed is how long the health of a promotion may be followed.
const maxFollowed = 24 * time.Hour

// checkRollback finds gates that the environment does not have.
func (e *Environment) checkRollback(f *yamlfile.File, path string) {
	if e.Rollback == nil {
		return
	}
	var known []string
	if e.Verify != nil {
		known = append(known, verifyGate)
	}
	for _, g := range e.Gates {
		known = append(known, g.Title())
	}
	for i, name := range e.Rollback.Gates {
		if !slices.Contains(known, name) {
			f.At(fmt.Sprintf("%s.rollback.gates[%d]", path, i), spelling.Hint(name, known), "environment %q has no gate %q that a rollback could pass", e.Name, name)
		}
	}
	e.Rollback.OnUnhealthy.Check(f, path+".rollback.onUnhealthy", "10m", maxFollowed)
	if e.Rollback.OnUnhealthy != "" && e.Health == nil {
		f.At(path+".rollback.onUnhealthy", "health: {context: "+e.Name+", kind: Deployment}", "environment %q does not say where its health is seen", e.Name)
	}
	if !f.Has(path+".rollback.gates") && e.Rollback.OnUnhealthy == "" {
		f.At(path+".rollback", "rollback: {gates: [verify]}", "rollback says nothing")
	}
}

// Admit says which builds come into an environment that nothing is promoted to.
type Admit struct {
	// Newest is the rule by which the newest tag of an image's repository is chosen, such as
	// semver:>=1.0 <2; package digest/tags has all forms.
	Newest string `yaml:"newest" json:"newest"`
}

// VerifyRule names a verification policy.
type VerifyRule struct {
	// Policy is the path of a VerificationPolicy file in the repository.
	Policy string `yaml:"policy" json:"policy"`
}

// PinMode says which of tag and digest are written.
type PinMode string

// The pin modes. Of PinSource it is those that the source has: a tag without a digest
// only with AllowMutable.
const (
	PinTagDigest PinMode = "tag+digest"
	PinDigest    PinMode = "digest"
	PinTag       PinMode = "tag"
	PinSource    PinMode = "source"
)

// IsFolder tells what may stand for an environment: a name, or names with slashes
// between them.
func IsFolder(s string) bool { return location.IsFolder(s) }

func (e *Environment) folder() string { return cmp.Or(e.Path, e.Name) }

// Parse decodes and checks a pipeline file. The name is used in
// messages. All faults are reported, each with its place.
func Parse(name string, data []byte) (*Pipeline, error) {
	p := &Pipeline{}
	f := yamlfile.Parse(name, data, yamlfile.Options{})
	if f.Decode(0, p) {
		p.Spec.useTemplates(f)
		p.check(f)
	}
	if err := f.Err(fileError); err != nil {
		return nil, err
	}
	p.setDefaults()
	return p, nil
}

func fileError(f yamlfile.Fault) error {
	return &overlay.Error{File: f.File, Line: f.Line, Col: f.Col, Msg: f.Msg, Hint: f.Hint}
}

func (p *Pipeline) setDefaults() {
	if p.Spec.Pin == "" {
		p.Spec.Pin = PinTagDigest
	}
	if len(p.Spec.Layout) == 0 {
		p.Spec.Layout = Layout{{Path: defaultLayout}}
	}
	for i := range p.Spec.Environments {
		if e := &p.Spec.Environments[i]; e.Deliver.Mode == "" {
			e.Deliver.Mode = DeliverWorktree
		}
		if t := p.Spec.Environments[i].Tagging(); t != nil {
			t.Name = location.Fill(cmp.Or(t.Name, defaultTag), location.Holes{location.Service: p.Metadata.Name})
		}
	}
}

// ErrUsage marks errors in what was asked for, such as the name of an environment that
// does not exist. Test with errors.Is.
var ErrUsage = errors.New("usage error")

// ErrNone marks the error of a repository that has no pipeline file and no layout that
// is known. Test with errors.Is.
var ErrNone = errors.New("no pipeline")

// ErrNoOverlay says that there is nothing at a site.
var ErrNoOverlay = errors.New("no overlay")

// lookupError is something that is not there, and what to do about it.
type lookupError struct {
	msg, hint string
	err       error
}

// Error is the message alone.
func (e *lookupError) Error() string { return e.msg }

// Unwrap gives ErrUsage or ErrNone, if the error is one of them.
func (e *lookupError) Unwrap() error { return e.err }

// HintText gives the hint, or "".
func (e *lookupError) HintText() string { return e.hint }

// Environment finds an environment by its name.
func (p *Pipeline) Environment(name string) (*Environment, error) {
	var names []string
	for i := range p.Spec.Environments {
		if p.Spec.Environments[i].Name == name {
			return &p.Spec.Environments[i], nil
		}
		names = append(names, p.Spec.Environments[i].Name)
	}
	return nil, &lookupError{fmt.Sprintf("unknown environment %q", name), spelling.Hint(name, names), ErrUsage}
}

// check finds what is wrong with a decoded pipeline.
func (p *Pipeline) check(f *yamlfile.File) {
	if p.APIVersion != APIVersion {
		f.At("apiVersion", "apiVersion: "+APIVersion, "apiVersion is %q", p.APIVersion)
	}
	if p.Kind != "Pipeline" {
		f.At("kind", "kind: Pipeline", "kind is %q", p.Kind)
	}
	p.Spec.Layout.check(f, "spec.layout", p, p.Spec.apart())
	switch p.Spec.Pin {
	case "", PinTagDigest, PinDigest, PinSource:
	case PinTag:
		if !p.Spec.AllowMutable {
			f.At("spec.pin", "write allowMutable: true beside it, or pin: tag+digest", "pin: tag is mutable")
		}
	default:
		f.At("spec.pin", "tag+digest, digest, tag or source", "pin is %q", p.Spec.Pin)
	}
	p.Spec.checkMoves(f)
	if len(p.Spec.Environments) == 0 {
		f.At("spec.environments", "list them under spec.environments", "no environments")
	}
	type folder struct {
		place Place
		path  string
	}
	from, folders := make(map[string][]string), make(map[folder]string)
	var names []string
	for i, e := range p.Spec.Environments {
		at := fmt.Sprintf("spec.environments[%d].name", i)
		if !IsFolder(e.Name) {
			f.At(at, "letters, digits, '.', '_' and '-'", "environment name %q is malformed", e.Name)
		} else if !IsFolder(e.folder()) {
			f.At(fmt.Sprintf("spec.environments[%d].path", i), "path: prod/eu", "%q is not a path inside the layout", e.Path)
		}
		here := folder{e.Place(), e.folder()}
		if other, twice := folders[here]; twice && other != e.Name && len(e.Layout) == 0 {
			f.At(at, "", "environment %q has the same folder as %q", e.Name, other)
		}
		folders[here] = e.Name
		if len(e.Layout) > 0 && len(e.Layout) != max(len(p.Spec.Layout), 1) {
			f.At(fmt.Sprintf("spec.environments[%d].layout", i), "one for each of the pipeline's", "environment %q has %d locations where the pipeline has %d",
				e.Name, len(e.Layout), max(len(p.Spec.Layout), 1))
		}
		e.of("service").Layout.check(f, fmt.Sprintf("spec.environments[%d].layout", i), p, true)
		if _, twice := from[e.Name]; twice {
			f.At(at, "remove one of them", "environment %q is listed twice", e.Name)
		}
		from[e.Name] = e.From
		names = append(names, e.Name)
	}
	p.checkServices(f)
	p.checkGroups(f, names)
	p.Spec.Record.Check(f)
	p.Spec.Clusters.Check(f, "spec.clusters")
	for i, e := range p.Spec.Environments {
		e.check(f, fmt.Sprintf("spec.environments[%d]", i), from, p.gateCheck(f, &e, names))
		p.checkStrategy(f, i)
		p.checkEach(f, &e, fmt.Sprintf("spec.environments[%d]", i))
	}
}

// checkMoves finds what is wrong with what is said to move.
func (s *Spec) checkMoves(f *yamlfile.File) {
	for i, image := range s.Images {
		if err := filledAnyhow(image).Check(); err != nil {
			f.At(fmt.Sprintf("spec.images[%d]", i), "spec.app.image, or spec.parts[*].image", "%v", err)
		}
	}
	for i, kind := range s.Promote {
		if kind != Images && kind != Revisions && kind != Charts {
			f.At(fmt.Sprintf("spec.promote[%d]", i), "images, revisions or charts", "promote has %q", kind)
		}
	}
	if len(s.Promote) > 0 && !slices.Contains(s.Promote, Images) {
		f.At("spec.promote", "promote: [images, charts]", "images move always")
	}
	for i, path := range s.Values {
		if err := overlay.CheckPath(filledAnyhow(overlay.ImagePath{Path: path}).Path); err != nil {
			f.At(fmt.Sprintf("spec.values[%d]", i), "VERSION, or config.*", "%v", err)
		}
	}
	for i, file := range s.Copy {
		if at := fmt.Sprintf("spec.copy[%d]", i); len(s.Layout) > 0 && s.Layout.onlyFiles() {
			f.At(at, "", "the layout's overlays are files, beside which nothing is copied")
		} else if !fs.ValidPath(file) || file == "." {
			f.At(at, "config.properties, or config/app.yaml", "%q is not a path inside the overlay", file)
		}
	}
}

func (e *Environment) check(file *yamlfile.File, path string, from map[string][]string, gates gateCheck) {
	for i, f := range e.From {
		if _, ok := from[f]; !ok {
			file.At(fmt.Sprintf("%s.from[%d]", path, i), spelling.Hint(f, gates.names), "environment %q is promoted from %q, which is not listed", e.Name, f)
		}
	}
	e.checkPlace(file, path)
	e.Deliver.Check(file, path, delivery.Target{Repository: e.Repository, Makes: e.Strategy != nil && (e.Strategy.Merge != nil || e.Strategy.Tag != nil),
		Asked: slices.ContainsFunc(e.Gates, Gate.AsksForge)})
	e.checkRollback(file, path)
	gates.gates(e.Gates)
	gates.own(path+".health", e.Health)
	switch {
	case e.Admit == nil:
	case len(e.From) > 0:
		file.At(path+".admit", "remove it, or from", "environment %q is promoted to, and admits nothing from outside", e.Name)
	case e.Admit.Newest == "":
		file.At(path+".admit", `admit: {newest: "semver:>=1.0"}`, "admit says nothing")
	}
	if e.Verify != nil && e.Verify.Policy == "" {
		file.At(path+".verify", "verify: {policy: policies/images.yaml}", "verify names no policy")
	}
	if order.Reaches(from, e.Name, e.Name) {
		file.At(path+".from", "", "environment %q is promoted from itself, through %s", e.Name, strings.Join(e.From, ", "))
	}
}
