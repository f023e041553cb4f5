package overlay

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/markers"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// byPolicy gives what a change by policy means for one site: each marker sets
// what its form stands for, as in Flux, and nothing else of the pin.
//
// Two things that Flux would write are refused, since the image that runs would
// not be the one asked for: a new tag beside a digest that stays, and a digest's
// marker when no digest is given.
func (f *finder) byPolicy(st site, c Change) (Change, error) {
	forms, p := f.marked[st], st.pin()
	fail := func(hint, format string, args ...any) (Change, error) {
		return c, &Error{File: f.src.Name, Line: p.Position.Line, Col: p.Position.Col, Msg: fmt.Sprintf(format, args...), Hint: hint}
	}
	c.TagSuffix = Value{}
	if !forms[markers.FormRef] {
		if !forms[markers.FormName] {
			c.NewName = Value{}
		}
		if !forms[markers.FormTag] {
			c.Tag = Value{}
		}
		given := c.Digest
		switch h, ok := st.(interface{ holdsBoth() bool }); {
		case forms[markers.FormDigest] && given.op != to:
			return fail("give the digest as well", "a marker of %s asks for a digest, and none is given", c.Policy)
		case forms[markers.FormDigest]:
		case ok && h.holdsBoth() && forms[markers.FormTag]:
			c.Digest = To("") // it stands in the same scalar, which holds the tag alone
		case given.op == to && given.text == p.Digest:
		default:
			c.Digest = Value{}
		}
	}
	hint := "mark the digest with " + c.Policy + ":digest, or remove it"
	if forms[markers.FormRef] {
		hint = "give the new digest, or drop the old one"
	}
	if p.Digest != "" && c.Digest.op == keep && c.Tag.apply(p.Tag) != p.Tag {
		return fail(hint, "image %q has a digest that this change of its tag would leave, and the digest decides what runs", p.Name)
	}
	return c, nil
}

func (r *refSite) parts() map[*yaml.Node]markers.Form {
	return map[*yaml.Node]markers.Form{r.node: markers.FormRef}
}

func (r *refSite) setPolicy(policy string) { r.p.Policy = policy }

func (t *tagSite) parts() map[*yaml.Node]markers.Form {
	return map[*yaml.Node]markers.Form{t.node: map[part]markers.Form{partTag: markers.FormTag, partName: markers.FormName, partDigest: markers.FormDigest}[t.part]}
}

func (t *tagSite) setPolicy(policy string) { t.p.Policy = policy }

func (t *tagSite) holdsBoth() bool { return t.part == partTag }

// parts leaves out what stands in an alias or comes from a merge key.
func (f *fieldsSite) parts() map[*yaml.Node]markers.Form {
	out := make(map[*yaml.Node]markers.Form)
	forms := map[slot]markers.Form{slotNewName: markers.FormName, slotTag: markers.FormTag, slotDigest: markers.FormDigest}
	for s, key := range f.keys {
		if i := nodes.KeyIndex(f.item, key); i >= 0 && f.item.Content[i+1].Kind == yaml.ScalarNode {
			out[f.item.Content[i+1]] = forms[s]
		}
	}
	return out
}

func (f *fieldsSite) setPolicy(policy string) { f.p.Policy = policy }

func (v *valuesSite) parts() map[*yaml.Node]markers.Form {
	out := make(map[*yaml.Node]markers.Form)
	for key, form := range map[string]markers.Form{v.keys.Registry: markers.FormNone, v.keys.Name: markers.FormName, v.keys.Tag: markers.FormTag, v.keys.Digest: markers.FormDigest} {
		if i := nodes.KeyIndex(v.item, key); key != "" && i >= 0 && v.item.Content[i+1].Kind == yaml.ScalarNode {
			out[v.item.Content[i+1]] = form
		}
	}
	return out
}

func (v *valuesSite) setPolicy(policy string) { v.p.Policy = policy }

func (v *valuesSite) holdsBoth() bool { return v.behind }

func (s *parameterSite) parts() map[*yaml.Node]markers.Form {
	out := make(map[*yaml.Node]markers.Form)
	for n, form := range map[*yaml.Node]markers.Form{s.g.Repo.Node: markers.FormName, s.g.Tag.Node: markers.FormTag, s.g.Digest.Node: markers.FormDigest} {
		if n != nil && n.Kind == yaml.ScalarNode {
			out[n] = form
		}
	}
	return out
}

func (s *parameterSite) setPolicy(policy string) { s.p.Policy = policy }

func (s *parameterSite) holdsBoth() bool { return s.g.Digest.Node == nil }
