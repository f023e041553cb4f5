package overlay

import (
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
