package overlay

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// Value says what shall become of one field of an image entry. The zero Value
// keeps the field as it is.
type Value struct {
	op   valueOp
	text string
}

type valueOp int

const (
	keep valueOp = iota
	drop
	to
)

// To writes a field. To("") removes it; where there is none, nothing changes.
func To(text string) Value {
	if text == "" {
		return Value{op: drop}
	}
	return Value{op: to, text: text}
}

// apply gives the field's value afterwards.
func (v Value) apply(old string) string {
	switch v.op {
	case keep:
		return old
	case drop:
		return ""
	}
	return v.text
}

// Change says what the entry of one image shall hold.
type Change struct {
	// Name is the entry's name. There is no normalisation: "nginx" and
	// "docker.io/library/nginx" are two names, as they are for kustomize.
	Name string
	// Path or Policy, if not empty, name pins in place of Name: one by its path,
	// or all that have a Flux marker of the policy (namespace:name).
	Path, Policy string
	// Type restricts the change to pins of a type; empty means images.
	Type Type
	// NewName, Tag, Digest and TagSuffix are what its fields shall become.
	NewName, Tag, Digest, TagSuffix Value
	// Create adds the entry, and the images field, where they are missing.
	// Without it a missing entry is an error.
	Create bool
}

// kind gives the type of the pins concerned.
func (c Change) kind() Type {
	return cmp.Or(c.Type, TypeImage)
}

// Over gives a reference as the change would have it.
func (c Change) Over(ref string) string {
	name, tag, digest, _ := reference.SplitRef(ref, false)
	if c.NewName.op == to {
		name = c.NewName.text
	}
	return Pin{Name: name, Tag: c.Tag.apply(tag), Digest: c.Digest.apply(digest)}.Ref()
}

// names tells whether the change concerns a pin.
func (c Change) names(p Pin) bool {
	switch {
	case c.Path != "":
		return p.Path == c.Path
	case c.Policy != "":
		return p.Policy == c.Policy
	}
	return p.Type == c.kind() && p.Name == c.Name
}

// check refuses what is no tag, digest or name by the OCI distribution
// specification. Names may hold upper case: kustomize matches them as written.
func (c Change) check() error {
	named := c.Path == "" && c.Policy == ""
	if name, digest, _ := strings.Cut(c.Name, "@"); named && !c.kind().isName(c.Name) && (c.kind() != TypeImage || !reference.IsName(name) || !reference.IsDigest(digest)) {
		return fmt.Errorf("%s name %q is malformed", c.kind(), reference.Shown(c.Name))
	}
	if v := c.NewName; v.op == to && !reference.IsName(v.text) {
		return fmt.Errorf("new name %q of image %q is malformed", reference.Shown(v.text), c.Name)
	}
	// What a path names is of a type that only the file tells; a policy's tags
	// are those of images.
	if v := c.Tag; v.op == to && c.Path == "" {
		if err := reference.CheckTag(string(c.kind()), c.kind() == TypeImage, v.text, c.Name); err != nil {
			return err
		}
	}
	if v := c.Digest; v.op == to && !reference.IsDigest(v.text) {
		return fmt.Errorf("digest %q of image %q is malformed: sha256: and 64 lower-case hexadecimal digits", v.text, c.Name)
	}
	return nil
}

// ParseArgument reads an argument as `kustomize edit set image` takes it and
// gives the change that leaves the same meaning behind:
//
//	NAME=NEW[:TAG][@DIGEST]    NAME:TAG[@DIGEST]    NAME@DIGEST    NAME=
//
// The argument says what the whole entry shall be: a field that it does not
// name is removed. "*" as NEW, TAG or DIGEST keeps what the entry has. A missing
// entry is created.
//
// Unlike kustomize, a malformed tag, digest or name is an error, and so is an
// empty name before "=", which is an unset shell variable more often than not.
func ParseArgument(arg string) (Change, error) {
	name, repo, tag, digest, err := reference.Argument(arg)
	if err != nil {
		return Change{}, err
	}
	c := Change{Name: repo, NewName: To(""), TagSuffix: To(""), Create: true}
	if name != "" {
		c.Name, c.NewName = name, argument(repo)
	}
	c.Tag, c.Digest = argument(tag), argument(digest)
	return c, c.check()
}

// ParseImagePolicy reads NAMESPACE:NAME=REPOSITORY:TAG[@DIGEST]: what the markers
// of a Flux image policy stand for. "*" keeps the repository, tag or digest.
func ParseImagePolicy(arg string) (Change, error) {
	policy, repo, tag, digest, err := reference.ImagePolicy(arg)
	if err != nil {
		return Change{}, err
	}
	c := Change{Policy: policy, NewName: argument(repo), Tag: argument(tag), Digest: argument(digest)}
	return c, c.check()
}

func argument(text string) Value {
	if text == "*" {
		return Value{}
	}
	return To(text)
}
