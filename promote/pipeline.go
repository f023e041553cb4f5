package promote

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/overlay"
)

// APIVersion is the version of the pipeline file and of all printed objects.
const APIVersion = "kubepromote.dev/v1alpha1"

// PipelineFile is where a repository's pipeline file stands unless told otherwise.
const PipelineFile = "promotion.yaml"

// Pipeline says which environments there are, in which order images move through
// them, and under which rules.
type Pipeline struct {
	APIVersion string       `yaml:"apiVersion" json:"apiVersion"`
	Kind       string       `yaml:"kind" json:"kind"`
	Metadata   Metadata     `yaml:"metadata" json:"metadata"`
	Spec       PipelineSpec `yaml:"spec" json:"spec"`
}

// Metadata names an object.
type Metadata struct {
	Name string `yaml:"name" json:"name,omitempty"`
}

// PipelineSpec is the content of a Pipeline.
type PipelineSpec struct {
	// Layout says where overlays are.
	Layout Layout `yaml:"layout" json:"layout"`
	// Pin says what is written: tag+digest (the default), digest, or tag.
	Pin PinMode `yaml:"pin" json:"pin,omitempty"`
	// AllowMutable permits pin: tag, under which what was tested and what runs
	// may differ.
	AllowMutable bool `yaml:"allowMutable" json:"allowMutable,omitempty"`
	// Images are paths of images that no convention finds, such as a field of a
	// custom resource; see overlay.Options.
	Images []string `yaml:"images" json:"images,omitempty"`
	// Copy lists files, relative to the overlay's directory, that are promoted as
	// they are.
	Copy []string `yaml:"copy" json:"copy,omitempty"`
	// Environments are listed in the order in which they are shown.
	Environments []Environment `yaml:"environments" json:"environments"`
}

// Environment is a place that services run in.
type Environment struct {
	Name string `yaml:"name" json:"name"`
	// Path is the folder or folders that stand for it in the layout's template;
	// by default its name, which may lead deeper itself: prod/eu.
	Path string `yaml:"path" json:"path,omitempty"`
	// From lists the environments that images may come from.
	From []string `yaml:"from" json:"from,omitempty"`
	// Verify names the policy that an image must meet to come here.
	Verify *VerifyRule `yaml:"verify" json:"verify,omitempty"`
	// Gates are what else an image must pass to come here; all of them.
	Gates []Gate `yaml:"gates" json:"gates,omitempty"`
	// Deliver says what a promotion does with its edits.
	Deliver Deliver `yaml:"deliver" json:"deliver"`
}

// VerifyRule names a verification policy.
type VerifyRule struct {
	// Policy is the path of a VerificationPolicy file in the repository.
	Policy string `yaml:"policy" json:"policy"`
}

// Deliver says how a promotion is carried out.
type Deliver struct {
	// Mode is worktree (the default) or commit.
	Mode DeliverMode `yaml:"mode" json:"mode,omitempty"`
}

// DeliverMode is how far a promotion goes.
type DeliverMode string

// The delivery modes: edit the files and leave them, or commit them too.
const (
	DeliverWorktree DeliverMode = "worktree"
	DeliverCommit   DeliverMode = "commit"
)

func (m DeliverMode) known() bool { return m == DeliverWorktree || m == DeliverCommit }

// PinMode says which of tag and digest are written.
type PinMode string

// The pin modes.
const (
	PinTagDigest PinMode = "tag+digest"
	PinDigest    PinMode = "digest"
	PinTag       PinMode = "tag"
)

// isName tells what services and environments may be called: they become path
// elements and values of trailers.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && (i == 0 || strings.IndexByte("._-", c) < 0) {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// isFolder tells what may stand for an environment: a name, or names with slashes
// between them.
func isFolder(s string) bool {
	for name := range strings.SplitSeq(s, "/") {
		if !isName(name) {
			return false
		}
	}
	return len(s) <= 128
}

func (e *Environment) folder() string { return cmp.Or(e.Path, e.Name) }

// ParsePipeline decodes and checks a pipeline file. The name is used in
// messages. All faults are reported, each with its place.
func ParsePipeline(name string, data []byte) (*Pipeline, error) {
	p := &Pipeline{}
	f := yamlfile.Parse(name, data, yamlfile.Options{})
	if f.Decode(0, p) {
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
	if p.Spec.Layout.Path == "" {
		p.Spec.Layout.Path = defaultLayout
	}
	for i := range p.Spec.Environments {
		if e := &p.Spec.Environments[i]; e.Deliver.Mode == "" {
			e.Deliver.Mode = DeliverWorktree
		}
	}
}

// Environment finds an environment by its name.
func (p *Pipeline) Environment(name string) (*Environment, error) {
	var names []string
	for i := range p.Spec.Environments {
		if p.Spec.Environments[i].Name == name {
			return &p.Spec.Environments[i], nil
		}
		names = append(names, p.Spec.Environments[i].Name)
	}
	return nil, usage(didYouMean(name, names), "unknown environment %q", name)
}

// Source gives the environment that images come from: the one asked for, or the
// only one that the pipeline names.
func (p *Pipeline) Source(to *Environment, from string) (*Environment, error) {
	switch {
	case from == to.Name:
		return nil, usage("", "source and target are the same environment, %q", from)
	case from == "" && len(to.From) == 1:
		from = to.From[0]
	case from == "" && len(to.From) == 0:
		return nil, usage("", "nothing is promoted to %q: it is the first environment", to.Name).advising(p.Spec.pinIn("SERVICE", to.Name, ""))
	case from == "":
		return nil, usage("", "%q has several sources: %s", to.Name, strings.Join(to.From, ", ")).
			advising(advise(DoPromote, "from", to.From[0], "to", to.Name))
	}
	src, err := p.Environment(from)
	if err != nil {
		return nil, err
	}
	if slices.Contains(to.From, from) {
		return src, nil
	}
	e := usage("", "the pipeline does not promote from %q to %q", from, to.Name)
	if len(to.From) == 0 {
		return nil, e.advising(p.Spec.pinIn("SERVICE", to.Name, ""))
	}
	return nil, e.advising(advise(DoPromote, "from", to.From[0], "to", to.Name))
}

// didYouMean is the hint for a name that is not among those there are.
func didYouMean(name string, names []string) string {
	if best := spelling.Nearest(name, names); best != "" {
		return "did you mean " + best + "?"
	}
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("known are %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if len(names) == 0 {
		return ""
	}
	return "known are " + strings.Join(names, ", ")
}

// check finds what is wrong with a decoded pipeline.
func (p *Pipeline) check(f *yamlfile.File) {
	if p.APIVersion != APIVersion {
		f.At("apiVersion", "apiVersion: "+APIVersion, "apiVersion is %q", p.APIVersion)
	}
	if p.Kind != "Pipeline" {
		f.At("kind", "kind: Pipeline", "kind is %q", p.Kind)
	}
	if p.Spec.Layout.Path != "" {
		if err := p.Spec.Layout.check(); err != nil {
			f.At("spec.layout.path", "path: "+defaultLayout, "the layout's path %v", err)
		}
	}
	switch p.Spec.Pin {
	case "", PinTagDigest, PinDigest:
	case PinTag:
		if !p.Spec.AllowMutable {
			f.At("spec.pin", "write allowMutable: true beside it, or pin: tag+digest", "pin: tag is mutable")
		}
	default:
		f.At("spec.pin", "tag+digest, digest or tag", "pin is %q", p.Spec.Pin)
	}
	for i, path := range p.Spec.Images {
		if err := overlay.CheckPath(path); err != nil {
			f.At(fmt.Sprintf("spec.images[%d]", i), "spec.app.image, or spec.parts[*].image", "%v", err)
		}
	}
	for i, file := range p.Spec.Copy {
		if at := fmt.Sprintf("spec.copy[%d]", i); p.Spec.Layout.isFile() {
			f.At(at, "", "the layout's overlays are files, beside which nothing is copied")
		} else if !fs.ValidPath(file) || file == "." {
			f.At(at, "config.properties, or config/app.yaml", "%q is not a path inside the overlay", file)
		}
	}
	if len(p.Spec.Environments) == 0 {
		f.At("spec.environments", "list them under spec.environments", "no environments")
	}
	from, folders := make(map[string][]string), make(map[string]string)
	var names []string
	for i, e := range p.Spec.Environments {
		at := fmt.Sprintf("spec.environments[%d].name", i)
		if !isFolder(e.Name) {
			f.At(at, "letters, digits, '.', '_' and '-'", "environment name %q is malformed", e.Name)
		} else if !isFolder(e.folder()) {
			f.At(fmt.Sprintf("spec.environments[%d].path", i), "path: prod/eu", "%q is not a path inside the layout", e.Path)
		}
		if other, twice := folders[e.folder()]; twice && other != e.Name {
			f.At(at, "", "environment %q has the same folder as %q", e.Name, other)
		}
		folders[e.folder()] = e.Name
		if _, twice := from[e.Name]; twice {
			f.At(at, "remove one of them", "environment %q is listed twice", e.Name)
		}
		from[e.Name] = e.From
		names = append(names, e.Name)
	}
	for i, e := range p.Spec.Environments {
		e.check(f, fmt.Sprintf("spec.environments[%d]", i), from, names)
	}
}

func (e *Environment) check(file *yamlfile.File, path string, from map[string][]string, names []string) {
	for i, f := range e.From {
		if _, ok := from[f]; !ok {
			file.At(fmt.Sprintf("%s.from[%d]", path, i), didYouMean(f, names), "environment %q is promoted from %q, which is not listed", e.Name, f)
		}
	}
	if m := e.Deliver.Mode; m != "" && !m.known() {
		file.At(path+".deliver.mode", "worktree or commit", "deliver.mode is %q", e.Deliver.Mode)
	}
	for i, g := range e.Gates {
		g.check(file, fmt.Sprintf("%s.gates[%d]", path, i), e.Name, names)
	}
	if e.Verify != nil && e.Verify.Policy == "" {
		file.At(path+".verify", "verify: {policy: policies/images.yaml}", "verify names no policy")
	}
	if reaches(from, e.Name, e.Name, make(map[string]bool)) {
		file.At(path+".from", "", "environment %q is promoted from itself, through %s", e.Name, strings.Join(e.From, ", "))
	}
}

// reaches tells whether following From from one environment leads to another.
func reaches(from map[string][]string, start, goal string, seen map[string]bool) bool {
	for _, f := range from[start] {
		if f == goal {
			return true
		}
		if !seen[f] {
			seen[f] = true
			if reaches(from, f, goal, seen) {
				return true
			}
		}
	}
	return false
}
