// Package imagepolicy reads the objects by which Flux writes newer tags into a
// repository: an ImagePolicy says which tag of an image is the newest, and an
// ImageUpdateAutomation writes that wherever a marker names the policy. See
// https://fluxcd.io/flux/components/image/.
//
// [Read] finds them in a tree, without a cluster. What it cannot read it leaves out.
package imagepolicy

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/promote/internal/discovery"
)

// group is what all apiVersions begin with.
const group = "image.toolkit.fluxcd.io/"

// The bounds of what is read: files beyond them hold no such object that a person has
// written.
const (
	maxFile      = 1 << 20
	maxDocuments = 1000
	readers      = 8
)

// Set is what a tree has.
type Set struct {
	Policies    []Policy
	Automations []Automation
}

// Policy is an ImagePolicy.
type Policy struct {
	File string
	// Name is as markers have it: NAMESPACE:NAME. The namespace is empty where the
	// object leaves it to who applies it.
	Name string
	// Rule is how the newest tag is chosen, in the words of package digest/tags; empty
	// where it cannot be said in them.
	Rule string
}

// Automation is an ImageUpdateAutomation that is not suspended.
type Automation struct {
	File, Namespace, Name string
	// Path is the folder that it writes in; "." where that is the whole repository.
	Path string
}

// Read finds the objects in all files of a tree, in the order of the files.
func Read(ctx context.Context, tree discovery.Tree) (*Set, error) {
	files, _, err := discovery.Files(ctx, tree)
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return path.Ext(file) != ".yaml" && path.Ext(file) != ".yml" })
	found := make([]Set, len(files))
	next := make(chan int)
	var wait sync.WaitGroup
	for range readers {
		wait.Go(func() {
			for n := range next {
				if data, err := tree.ReadFile(files[n]); err == nil && len(data) <= maxFile && bytes.Contains(data, []byte(group)) {
					found[n].parse(files[n], data)
				}
			}
		})
	}
	for n := range files {
		if ctx.Err() != nil {
			break
		}
		next <- n
	}
	close(next)
	wait.Wait()
	all := &Set{}
	for _, s := range found {
		all.Policies, all.Automations = append(all.Policies, s.Policies...), append(all.Automations, s.Automations...)
	}
	return all, context.Cause(ctx)
}

// object is what is read of either kind.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Spec struct {
		Suspend    bool `yaml:"suspend"`
		FilterTags struct {
			Pattern string `yaml:"pattern"`
			Extract string `yaml:"extract"`
		} `yaml:"filterTags"`
		Policy struct {
			Semver *struct {
				Range string `yaml:"range"`
			} `yaml:"semver"`
			Alphabetical *order `yaml:"alphabetical"`
			Numerical    *order `yaml:"numerical"`
		} `yaml:"policy"`
		Update struct {
			Path string `yaml:"path"`
		} `yaml:"update"`
	} `yaml:"spec"`
}

type order struct {
	Order string `yaml:"order"`
}

// parse adds the objects of a file. What comes behind a document that is no YAML is not
// read.
func (s *Set) parse(file string, data []byte) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	for range maxDocuments {
		var node yaml.Node
		if d.Decode(&node) != nil {
			return
		}
		var o object
		if node.Decode(&o) != nil || !strings.HasPrefix(o.APIVersion, group) || o.Metadata.Name == "" {
			continue
		}
		switch o.Kind {
		case "ImagePolicy":
			s.Policies = append(s.Policies, Policy{File: file, Name: o.Metadata.Namespace + ":" + o.Metadata.Name, Rule: o.rule()})
		case "ImageUpdateAutomation":
			if !o.Spec.Suspend {
				at := path.Clean("/" + cmp.Or(o.Spec.Update.Path, "."))
				s.Automations = append(s.Automations, Automation{File: file, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name, Path: cmp.Or(strings.TrimPrefix(at, "/"), ".")})
			}
		}
	}
}

// extracted is what filterTags may extract for it to be one group: $1, $ts or ${ts}.
var extracted = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\$(\{\w+\}|\w+)$`) })

// rule says a policy in the words of package digest/tags.
func (o *object) rule() string {
	filter, which, ok := o.filter()
	if !ok {
		return ""
	}
	p := o.Spec.Policy
	switch {
	case p.Semver != nil && p.Semver.Range != "":
		return filter + "semver:" + which + p.Semver.Range
	case p.Numerical != nil:
		return filter + "numeric:" + which + cmp.Or(p.Numerical.Order, "asc")
	case p.Alphabetical != nil:
		return filter + "alphabetical:" + which + cmp.Or(p.Alphabetical.Order, "asc")
	}
	return ""
}

// filter gives the pattern before an order, and the name of the group behind it. It is
// not ok where filterTags says something else than one group, or all of the tag.
func (o *object) filter() (pattern, which string, ok bool) {
	f := o.Spec.FilterTags
	if f.Pattern == "" {
		return "", "", true
	}
	compiled, err := regexp.Compile(f.Pattern)
	if err != nil || strings.ContainsAny(f.Pattern, " \t\r\n") {
		return "", "", false
	}
	pattern = "regexp:" + f.Pattern + " "
	switch name := strings.Trim(f.Extract, "${}"); {
	case f.Extract == "" || f.Extract == "$0":
		return pattern, "", compiled.NumSubexp() == 0
	case !extracted().MatchString(f.Extract):
		return "", "", false
	case compiled.SubexpIndex(name) > 0:
		return pattern, name + " ", true
	default:
		return pattern, "", name == "1" && compiled.NumSubexp() == 1
	}
}

// Policy finds the policy that a marker names, NAMESPACE:NAME.
func (s *Set) Policy(name string) (Policy, bool) {
	_, bare, _ := strings.Cut(name, ":")
	for _, p := range s.Policies {
		if p.Name == name || p.Name == ":"+bare {
			return p, true
		}
	}
	return Policy{}, false
}

// Writer finds the automation that writes what a policy, NAMESPACE:NAME, finds newest
// into a file.
func (s *Set) Writer(policy, file string) (Automation, bool) {
	namespace, _, _ := strings.Cut(policy, ":")
	for _, a := range s.Automations {
		if (a.Namespace == "" || a.Namespace == namespace) && (a.Path == "." || strings.HasPrefix(file, a.Path+"/") || file == a.Path) {
			return a, true
		}
	}
	return Automation{}, false
}

// WrittenBy says what writes a policy's newest image into a file; "" where nothing does.
func (s *Set) WrittenBy(policy, file string) string {
	by, ok := s.Writer(policy, file)
	if !ok {
		return ""
	}
	what := "ImagePolicy " + policy + " finds newest"
	if p, ok := s.Policy(policy); ok && p.Rule != "" {
		what += " by " + p.Rule
	}
	return fmt.Sprintf("ImageUpdateAutomation %s (%s) writes there what %s", by.Name, by.File, what)
}
