package overlay

import (
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// borrowedSite is a pin whose text stands elsewhere: the mapping or list around
// it is an alias. It cannot be changed alone, but follows its anchor.
type borrowedSite struct {
	site
	src   *syntax.Source
	alias *yaml.Node
	text  *yaml.Node // the scalar at the anchor
}

func borrow(st site, src *syntax.Source, alias, text *yaml.Node) *borrowedSite {
	return &borrowedSite{site: st, src: src, alias: alias, text: nodes.Resolve(text)}
}

func (b *borrowedSite) pin() Pin { return b.at(b.site.pin()) }

func (b *borrowedSite) want(c Change) Pin { return b.at(b.site.want(c)) }

func (b *borrowedSite) at(p Pin) Pin {
	p.Position = position(b.src, b.alias)
	return p
}

func (b *borrowedSite) set(s *setter, c Change) error {
	if _, ok := s.written[b.text]; ok {
		return nil // checkMeaning sees to it that the text is the one asked for
	}
	if s.follow {
		s.warnAliases(b.src, b.alias.Alias)
		return b.site.set(s, c)
	}
	return refuseAlias(b.src, b.alias, b.pin())
}

// refuseAlias says that a pin stands in an alias and where to change it.
func refuseAlias(src *syntax.Source, alias *yaml.Node, p Pin) error {
	return src.Errorf(alias, "change it at the anchor, or write it out here in place of the alias",
		"%s %q stands in an alias of &%s (line %d)", p.Type, p.Name, alias.Value, alias.Alias.Line)
}

// anchorEdit is a value at an anchor, and the aliases of it that are to become a text.
type anchorEdit struct {
	src     *syntax.Source
	aliases []*yaml.Node // in the order in which they were asked for
	change  FieldChange  // of the first
	differ  bool         // another is to become something else
}

// borrow notes that an alias is to become a text.
func (s *setter) borrow(src *syntax.Source, alias *yaml.Node, c FieldChange) {
	a := s.anchors[alias.Alias]
	if a == nil {
		a = &anchorEdit{src: src, change: c}
		s.anchors[alias.Alias] = a
		s.anchored = append(s.anchored, alias.Alias)
	}
	if _, ok := s.written[alias]; !ok {
		s.written[alias] = c.New
		a.aliases = append(a.aliases, alias)
	}
	a.differ = a.differ || a.change.New != c.New
}

// editAnchors edits the values at anchors whose aliases, two or more, are all to
// become the same. Where an alias is not asked for, or the value is that of another
// pin, it refuses: they would change as well.
func (s *setter) editAnchors() error {
	var errs []error
	var parts map[*yaml.Node]bool
	for _, n := range s.anchored {
		a := s.anchors[n]
		if now, ok := s.written[n]; ok && now == a.change.New {
			continue
		}
		if parts == nil {
			parts = s.file.found.parts()
		}
		if a.differ || len(a.aliases) < 2 || len(a.aliases) < s.memo.Aliases(a.src, n) || parts[n] {
			for _, alias := range a.aliases {
				errs = append(errs, s.edit(a.src).SetScalar(alias, a.change.New)) // which says what it is
			}
			continue
		}
		a.change.Position = position(a.src, n)
		s.written[n] = a.change.New
		s.changed(a.change)
		s.notes = append(s.notes, fmt.Sprintf("%s:%d:%d: the value at &%s changes, as all of its aliases are to become %s",
			s.file.Name(), a.change.Position.Line, a.change.Position.Col, n.Anchor, a.change.New))
		errs = append(errs, s.edit(a.src).SetScalar(n, a.change.New))
	}
	return errors.Join(errs...)
}

// parts gives the scalars that pins have of their own.
func (f *finder) parts() map[*yaml.Node]bool {
	out := make(map[*yaml.Node]bool)
	for _, st := range f.sites {
		if m, ok := st.(markable); ok {
			for n := range m.parts() {
				out[n] = true
			}
		}
	}
	return out
}

// mergedSite is a reference that a mapping has by a merge key. A new one is
// written into the mapping itself, where it overrides the merged one.
type mergedSite struct {
	*refSite
	item *yaml.Node
}

func (m *mergedSite) pin() Pin { return m.at(m.refSite.pin()) }

func (m *mergedSite) want(c Change) Pin { return m.at(m.refSite.want(c)) }

func (m *mergedSite) at(p Pin) Pin {
	p.Position = position(m.src, m.item)
	return p
}

func (m *mergedSite) set(s *setter, c Change) error {
	w := m.want(c)
	if _, ok := s.written[nodes.Resolve(m.node)]; ok {
		return nil // as above
	}
	s.changed(FieldChange{Image: m.p.Name, Field: m.field, Old: nodes.Text(m.node), New: w.Ref(), Position: w.Position})
	field := syntax.Field{Key: m.field, Value: w.Ref(), Like: nodes.Resolve(m.node)}
	return s.edit(m.src).InsertField(m.item, max(nodes.KeyIndex(m.item, "name"), nodes.KeyIndex(m.item, "<<")), field)
}
