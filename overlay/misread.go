package overlay

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// Misread says that a tag or a digest is written as a number or a boolean, so that
// those who read the file do not take it for the text that it seems to be: a plain
// 1.10 is 1.1 to Helm. The zero Misread says that all is well.
type Misread struct {
	// Field is the key, Text what stands there.
	Field string `json:"field"`
	Text  string `json:"text"`
	// Kind is number or boolean.
	Kind string `json:"kind"`
	// Consumer is who reads it so: Helm, Kubernetes, or kustomize.
	Consumer string `json:"consumer"`
	// Value is what runs in place of Text. It is "" where the consumer takes a
	// string there and refuses the file.
	Value string `json:"value,omitempty"`
	// Position is that of the scalar.
	Position Position `json:"position"`
}

// Found tells whether there is anything to say.
func (m Misread) Found() bool { return m != Misread{} }

// Hides tells whether another image runs than the text names: where a digest is given
// beside a tag that is misread, the digest decides.
func (m Misread) Hides(digest string) bool {
	return m.Value != "" && (digest == "" || m.Text == digest || "sha256:"+m.Text == digest)
}

// Says words what is wrong, with runs naming who runs it, such as an environment.
func (m Misread) Says(runs string) string {
	if m.Value == "" {
		return fmt.Sprintf("%s %s is a %s to %s, which takes a string alone", m.Field, m.Text, m.Kind, m.Consumer)
	}
	return fmt.Sprintf("%s %s is a %s to %s: %s runs %s", m.Field, m.Text, m.Kind, m.Consumer, runs, m.Value)
}

// Hint says what to write.
func (m Misread) Hint() string {
	return fmt.Sprintf("write %s: %q if that is meant", m.Field, m.Text)
}

// Misreadings lists the pins of the file whose tag or digest is misread, each as
// "file:line:col: what; what to write".
func (f *File) Misreadings() []string {
	var out []string
	for _, p := range f.pins {
		if m := p.Misread; m.Found() {
			out = append(out, fmt.Sprintf("%s:%d:%d: %s; %s", f.Name(), m.Position.Line, m.Position.Col, m.Says("it"), m.Hint()))
		}
	}
	return out
}

// scalars are those that hold a pin's tag and digest; nil where there are none, or
// where they hold more than that.
type scalars struct {
	src         *syntax.Source
	tag, digest *yaml.Node
	// keys of the two
	tagKey, digestKey string
	// typed says that the consumer's schema asks for a string.
	typed bool
}

// misread tells what is misread of a pin.
func misread(st site, p Pin) Misread {
	s := st.scalars()
	for _, row := range []struct {
		node *yaml.Node
		key  string
	}{{s.tag, s.tagKey}, {s.digest, s.digestKey}} {
		if row.node == nil {
			continue
		}
		n := nodes.Resolve(row.node)
		kind, value := syntax.ReadAs(n)
		if kind == "" || !s.typed && value == n.Value {
			continue
		}
		m := Misread{Field: row.key, Text: n.Value, Kind: kind, Consumer: consumer(p.Format), Value: value, Position: p.Position}
		if s.typed {
			m.Value = ""
		}
		if s.src != nil {
			m.Position = position(s.src, row.node)
		}
		return m
	}
	return Misread{}
}

// consumer names who reads a format.
func consumer(f Format) string {
	switch f {
	case HelmValues, HelmChart:
		return "Helm"
	case Kustomization:
		return "kustomize"
	}
	return "Kubernetes"
}

func (r *refSite) scalars() scalars { return scalars{} } // a reference has a slash, or is a string

func (u *urlSite) scalars() scalars { return scalars{} }

func (t *tagSite) scalars() scalars {
	typed := t.p.Format == HelmChart || t.p.Format == Flux || t.p.Format == Kustomization || t.field == "targetRevision"
	switch t.part {
	case partTag:
		return scalars{src: t.src, tag: t.node, tagKey: t.field, typed: typed}
	case partDigest:
		return scalars{src: t.src, digest: t.node, digestKey: t.field, typed: typed}
	}
	return scalars{}
}

func (f *fieldsSite) scalars() scalars {
	m := nodes.Resolve(f.item)
	return scalars{
		src: f.src, tag: nodes.Value(m, f.keys[slotTag]), tagKey: f.keys[slotTag],
		digest: nodes.Value(m, f.keys[slotDigest]), digestKey: f.keys[slotDigest], typed: true,
	}
}

func (v *valuesSite) scalars() scalars {
	return scalars{src: v.src, tag: v.tag, tagKey: v.keys.Tag, digest: v.digest, digestKey: v.keys.Digest}
}

func (s *parameterSite) scalars() scalars {
	return scalars{src: s.src, tag: s.g.Tag.Node, tagKey: "value", digest: s.g.Digest.Node, digestKey: "value", typed: true}
}

func (q *quotedSite) scalars() scalars {
	s := q.site.scalars()
	s.src = nil // the text's lines are not those of the file
	return s
}

// loose tells whether a change sets a scalar, not to another text, that is written
// as something else than a string.
func loose(c Change, s scalars) bool {
	return c.Tag.op == to && notString(s.tag) || c.Digest.op == to && notString(s.digest)
}

func (t *tagSite) loose(c Change) bool { return loose(c, t.scalars()) }

func (v *valuesSite) loose(c Change) bool { return loose(c, v.scalars()) }

func (s *parameterSite) loose(c Change) bool { return loose(c, s.scalars()) }
