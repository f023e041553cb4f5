package pipeline

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"go.yaml.in/yaml/v3"
)

// Strategy says what a promotion does in the place of editing pins in the environment's
// files. In a file it may be written as its name alone.
type Strategy struct {
	// Merge has the branch of the source merged into that of the environment.
	Merge *Merge `yaml:"merge" json:"merge,omitempty"`
	// Tag has the commit that a tag of the source names get one of the environment.
	Tag *Tag `yaml:"tag" json:"tag,omitempty"`

	name string // that no strategy has
}

// Merge is the strategy of environments that are branches of one repository.
type Merge struct {
	// FastForward says whether the branch may be moved to the source's newest commit where
	// it has nothing of its own: never, which is the default, allowed or only. Such a move
	// is no commit, and leaves no record.
	FastForward FastForward `yaml:"fastForward" json:"fastForward,omitempty"`
	// Paths, if not empty, are all that is taken of a merge: files, or directories with what
	// is below them. {service} stands for the services that are promoted.
	Paths []string `yaml:"paths" json:"paths,omitempty"`
}

// FastForward says whether a branch may be moved without a commit of its own.
type FastForward string

// The values of Merge.FastForward.
const (
	FastForwardNever   FastForward = "never"
	FastForwardAllowed FastForward = "allowed"
	FastForwardOnly    FastForward = "only"
)

var fastForwards = []string{string(FastForwardNever), string(FastForwardAllowed), string(FastForwardOnly)}

// strategies are the names of all; edit is what there is without one.
var strategies = []string{"edit", "merge", "tag"}

// UnmarshalYAML reads a name as a strategy with nothing else said.
func (s *Strategy) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		type plain Strategy
		return n.Decode((*plain)(s))
	}
	switch s.name = n.Value; n.Value {
	case "merge":
		s.Merge = &Merge{}
	case "tag":
		s.Tag = &Tag{}
	}
	return nil
}

// Merging is how promotions to the environment are merges; nil where they are none.
func (e *Environment) Merging() *Merge {
	if e.Strategy == nil {
		return nil
	}
	return e.Strategy.Merge
}

// checkStrategy finds what is wrong with the strategy of an environment.
func (p *Pipeline) checkStrategy(f *yamlfile.File, i int) {
	e, at := &p.Spec.Environments[i], fmt.Sprintf("spec.environments[%d].strategy", i)
	switch s := e.Strategy; {
	case s == nil:
	case s.name != "" && !slices.Contains(strategies, s.name):
		f.At(at, spelling.Hint(s.name, strategies), "strategy is %q", s.name)
	case s.Merge != nil && s.Tag != nil:
		f.At(at, "one of the two", "strategy is merge and tag")
	case s.Tag != nil:
		p.checkTags(f, at, e)
	case s.Merge == nil && s.name == "":
		f.At(at, "strategy: merge", "strategy says nothing")
	case s.Merge != nil:
		s.Merge.check(f, at+".merge", e)
		p.checkMerged(f, at, e)
	}
}

func (m *Merge) check(f *yamlfile.File, at string, e *Environment) {
	switch {
	case m.FastForward != "" && !slices.Contains(fastForwards, string(m.FastForward)):
		f.At(at+".fastForward", spelling.Hint(string(m.FastForward), fastForwards), "fastForward is %q", m.FastForward)
	case len(m.Paths) > 0 && m.FastForward != "" && m.FastForward != FastForwardNever:
		f.At(at+".fastForward", "remove it, or paths", "a part of a merge is a commit, and cannot be a fast-forward")
	case m.FastForward == FastForwardOnly && e.Deliver.Mode == DeliverPullRequest:
		f.At(at+".fastForward", "fastForward: never", "a pull request proposes a commit, and fastForward is only")
	}
	if f.Has(at+".paths") && len(m.Paths) == 0 {
		f.At(at+".paths", `paths: ["{service}"]`, "paths is empty")
	}
	for i, p := range m.Paths {
		one := fmt.Sprintf("%s.paths[%d]", at, i)
		for _, hole := range location.Names(p) {
			if hole != location.Service {
				f.At(one, `paths: ["{service}"]`, "paths has the hole {%s}, and only {service} may stand there", hole)
			}
		}
		if !fs.ValidPath(location.Fill(p, location.Holes{location.Service: "x"})) || p == "." {
			f.At(one, `paths: ["{service}"]`, "%q is not a path inside the repository", p)
		}
	}
}

// checkMerged finds sources that cannot be merged into an environment.
func (p *Pipeline) checkMerged(f *yamlfile.File, at string, e *Environment) {
	if e.Deliver.Mode == DeliverWorktree {
		f.At(at, "deliver: {mode: push}", "a merge is a commit, and deliver.mode is %s", e.Deliver.Mode)
	}
	if len(e.From) == 0 {
		f.At(at, "from: [staging]", "environment %q has no source whose branch could be merged", e.Name)
	}
	for _, name := range e.From {
		from, err := p.Environment(name)
		if err != nil {
			continue // which is told
		}
		switch a, b := from.Place(), e.Place(); {
		case a.Repository != b.Repository:
			f.At(at, "remove strategy, or repository", "environments %q and %q are in two repositories, and a merge is made in one", name, e.Name)
		case a.Branch == b.Branch:
			f.At(at, "branch: env/{environment}", "environments %q and %q are on one branch, and there is nothing to merge", name, e.Name)
		case !p.sameFiles(from, e):
			f.At(at, `layout: "{service}"`, "environments %q and %q have their files at different paths, and a merge moves no file", name, e.Name)
		}
	}
}

// sameFiles tells whether two environments have their files at the same paths.
func (p *Pipeline) sameFiles(a, b *Environment) bool {
	fill := func(e *Environment) []Location {
		var out []Location
		all := slices.Clone(p.Spec.layoutOf(e))
		if len(all) == 0 {
			all = Layout{{Path: defaultLayout}}
		}
		for _, s := range p.Spec.Services {
			all = append(all, s.Layout...)
		}
		for _, l := range all {
			holes := location.Holes{location.Environment: e.folder()}
			out = append(out, Location{Path: location.Fill(l.Path, holes), Within: location.Fill(l.Within, holes)})
		}
		return out
	}
	return slices.Equal(fill(a), fill(b))
}

// TakenOf gives the paths of Merge.Paths for services.
func (m *Merge) TakenOf(services []string) []string {
	var out []string
	for _, p := range m.Paths {
		if !location.Has(p, location.Service) {
			out = append(out, p)
			continue
		}
		for _, s := range services {
			out = append(out, location.Fill(p, location.Holes{location.Service: s}))
		}
	}
	return out
}

// Tag is the strategy of environments that are tags of one repository. In a file it may be
// written as the name alone.
type Tag struct {
	// Name is the template of the tags' names, {version}-{environment} by default. {service}
	// is the pipeline's name.
	Name string `yaml:"name" json:"name,omitempty"`
	// Follow are files on the branch with the pipeline whose targetRevision, or ref.tag, is
	// the tag. They say which one the environment has; else it is that of the newest version.
	Follow []string `yaml:"follow" json:"follow,omitempty"`
}

// defaultTag is the name of tags where none is given.
const defaultTag = "{version}-{environment}"

// UnmarshalYAML reads a name as a tag's.
func (t *Tag) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		t.Name = n.Value
		return nil
	}
	type plain Tag
	return n.Decode((*plain)(t))
}

// Tagging is how the environment's tags are; nil where it has none.
func (e *Environment) Tagging() *Tag {
	if e.Strategy == nil {
		return nil
	}
	return e.Strategy.Tag
}

// TagOf is the name of the environment's tag for a version.
func (e *Environment) TagOf(version string) string {
	return location.Fill(e.Place().Tag, location.Holes{location.VersionOfTag: version})
}

// FollowedBy are the files of Tag.Follow.
func (e *Environment) FollowedBy() []string {
	var out []string
	for _, f := range e.Tagging().Follow {
		out = append(out, location.Fill(f, location.Holes{location.Environment: e.folder()}))
	}
	return out
}

// VersionIn is the version in the name of a tag, by the template of a place. Where those of
// other places fit as well, the one that says most of the name has it: of {version} and
// {version}-dev the second has v1.0.0-dev.
func (p Place) VersionIn(tag string, all []Place) (string, bool) {
	version, ok := location.Version(p.Tag, tag)
	for _, other := range all {
		if _, fits := location.Version(other.Tag, tag); fits && other.Repository == p.Repository && len(other.Tag) > len(p.Tag) {
			return "", false
		}
	}
	return version, ok
}

// checkTags finds what is wrong with an environment that is tags.
func (p *Pipeline) checkTags(f *yamlfile.File, at string, e *Environment) {
	const example = `strategy: {tag: "{version}-{environment}"}`
	name := cmp.Or(e.Strategy.Tag.Name, defaultTag)
	for _, hole := range location.Names(name) {
		if hole != location.VersionOfTag && hole != location.Environment && hole != location.Service {
			f.At(at, example, "the tag's name has the hole {%s}", hole)
			return
		}
	}
	filled := location.Fill(e.Place().Tag, location.Holes{location.VersionOfTag: "v1.0.0", location.Service: "x"})
	switch {
	case strings.Count(name, "{"+location.VersionOfTag+"}") != 1:
		f.At(at, example, "the tag's name %q has not got {version} once", name)
	case location.IsBadBranch(filled):
		f.At(at, example, "%q is no name of a tag", filled)
	case location.Has(name, location.Service) && !location.IsName(p.Metadata.Name):
		f.At(at, "metadata: {name: shop}", "the tag's name has {service}, and the pipeline has no name that it could be")
	case e.Branch != "":
		f.At(at, "remove branch", "environment %q is tags, which are of no branch", e.Name)
	case e.Rollback != nil && e.Rollback.OnUnhealthy != "":
		f.At(at, "remove rollback.onUnhealthy", "environment %q is tags, which do not go back by themselves", e.Name)
	case e.Deliver.Mode == DeliverWorktree, e.Deliver.Mode == DeliverPullRequest:
		f.At(at, "deliver: {mode: push}", "a tag is made, or pushed, and deliver.mode is %s", e.Deliver.Mode)
	}
	for i, other := range p.Spec.Places() {
		if name := p.Spec.Environments[i].Name; name != e.Name && other.Repository == e.Place().Repository && location.Alike(other.Tag, e.Place().Tag) {
			f.At(at, example, "tags of %q cannot be told from those of %q", e.Name, name)
		}
	}
	for _, name := range e.From {
		from, err := p.Environment(name)
		switch {
		case err != nil: // which is told
		case from.Tagging() == nil:
			f.At(at, "strategy: tag for it as well", "environment %q is tags, and its source %q is not", e.Name, name)
		case from.Place().Repository != e.Place().Repository:
			f.At(at, "remove repository", "environments %q and %q are in two repositories, and tags are of one", name, e.Name)
		case !p.sameFiles(from, e):
			f.At(at, `layout: "{service}"`, "environments %q and %q have their files at different paths, and a tag moves no file", name, e.Name)
		}
	}
	for i, file := range e.Strategy.Tag.Follow {
		one := location.Fill(file, location.Holes{location.Environment: e.folder()})
		if !fs.ValidPath(one) || !location.IsFile(one) || len(location.Names(one)) > 0 {
			f.At(fmt.Sprintf("%s.tag.follow[%d]", at, i), `follow: ["argocd/{environment}.yaml"]`, "%q is no file with {environment} alone", file)
		}
	}
}
