package kustomize

import (
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// setImages sets images by their names, with the meaning of a kustomization's
// field images.
type setImages struct {
	yaml.ResourceMeta `json:",inline" yaml:",inline"`

	Spec setImagesSpec `json:"spec" yaml:"spec"`

	run
}

// setImagesSpec says which images become what.
type setImagesSpec struct {
	Images []setImage `json:"images" yaml:"images"`
	// Fields are paths of images that are in no pod spec.
	Fields []string `json:"fields,omitempty" yaml:"fields,omitempty"`
}

// setImage says what shall become of the images with a name. What is left empty
// stays, but a new tag drops the digest and a new digest the tag, unless both are
// given: what stood there belonged to another image.
type setImage struct {
	Name    string `json:"name" yaml:"name"`
	NewName string `json:"newName,omitempty" yaml:"newName,omitempty"`
	NewTag  string `json:"newTag,omitempty" yaml:"newTag,omitempty"`
	Digest  string `json:"digest,omitempty" yaml:"digest,omitempty"`
}

// Validate implements framework.Validator.
func (s *setImages) Validate() error {
	errs := []error{scope{Fields: s.Spec.Fields}.validate()}
	if len(s.Spec.Images) == 0 {
		errs = append(errs, &fieldError{"spec.images", "is empty", "- {name: IMAGE, newTag: TAG}"})
	}
	seen := make(map[string]bool)
	for n, i := range s.Spec.Images {
		at := fmt.Sprintf("spec.images[%d]", n)
		switch {
		case seen[i.Name]:
			errs = append(errs, &fieldError{at, "is a second entry for image " + quoted(i.Name), "keep one of them"})
		case i.NewName+i.NewTag+i.Digest == "":
			errs = append(errs, &fieldError{at, "changes nothing", "add newName, newTag or digest"})
		default:
			errs = append(errs, i.validate(at))
		}
		seen[i.Name] = true
	}
	return errors.Join(errs...)
}

// validate checks each part as part of a reference.
func (i setImage) validate(at string) error {
	var errs []error
	for _, part := range []struct{ field, text, ref string }{
		{"name", i.Name, i.Name + ":x"}, {"newName", i.NewName, i.NewName + ":x"},
		{"newTag", i.NewTag, "x:" + i.NewTag}, {"digest", i.Digest, "x@" + i.Digest},
	} {
		if part.text == "" && part.field != "name" {
			continue
		}
		if r, err := digest.ParseReference(part.ref); err != nil || r.String() != part.ref || r.Tag != "" && r.Digest != "" {
			errs = append(errs, &fieldError{at + "." + part.field, quoted(part.text) + " is malformed", ""})
		}
	}
	return errors.Join(errs...)
}

// over gives what an image with the name becomes.
func (i setImage) over(r ref) ref {
	if i.NewName != "" {
		r.repository = i.NewName
	}
	if i.NewTag != "" || i.Digest != "" {
		r.tag, r.digest = i.NewTag, i.Digest
	}
	return r
}

// Filter implements kio.Filter.
func (s *setImages) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	images, results := s.find(items, scope{Fields: s.Spec.Fields})
	used := make(map[string]bool)
	var names []string
	var changes []change
	for _, i := range images {
		to := i.ref()
		name := to.repository
		next, entries := s.over(to)
		for _, set := range entries {
			used[set.Name] = true
		}
		if to = next; len(entries) > 0 {
			changes = append(changes, change{i, to})
		} else if set, ok := s.become(name); ok {
			used[set.Name] = true // it was set before
		}
		// What counts is what stands there afterwards: a tag may have been left for
		// this function to fill in.
		if whyMalformed(to.String()) == "" {
			names = append(names, name)
		} else if i.what == "" {
			results = append(results, malformed(i, i.fault()).result(s.kind, i))
		}
	}
	if results.ExitCode() != 0 {
		return finish(items, results)
	}
	changes = differing(changes)
	if err := apply(changes, s.Spec.Fields); err != nil {
		return items, err
	}
	*s.changed = len(changes) > 0
	results = append(results, s.done(changes)...)
	for _, i := range s.Spec.Images {
		if !used[i.Name] {
			results = append(results, s.unused(i.Name, names))
		}
	}
	return finish(items, results)
}

// over gives what an image becomes, and by which entries. They apply in their
// order, as kustomize does it: one may be about the name that another has given.
func (s *setImages) over(r ref) (ref, []setImage) {
	var by []setImage
	for _, i := range s.Spec.Images {
		if i.Name == r.repository {
			r = i.over(r)
			by = append(by, i)
		}
	}
	return r, by
}

// become finds the entry that has made a name.
func (s *setImages) become(name string) (setImage, bool) {
	for _, i := range s.Spec.Images {
		if i.NewName == name {
			return i, true
		}
	}
	return setImage{}, false
}

// unused tells of an entry that is about no image.
func (s *setImages) unused(name string, names []string) *framework.Result {
	f := &finding{severity: framework.Warning, reason: "unused", message: fmt.Sprintf("no image is named %s", quoted(name))}
	if best := spelling.Nearest(name, names); best != "" {
		f.hint = "did you mean " + best + "?"
	}
	r := itemResult(s.kind, nil, f)
	r.Tags[tagImage] = name
	return r
}
