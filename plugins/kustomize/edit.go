package kustomize

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// change is an image and what shall stand in its place.
type change struct {
	image *image
	to    ref
}

// apply makes all changes, and nothing but them: comments, quotes and the order
// of keys stay as they are.
func apply(changes []change, fields []string) error {
	declared := make(map[*yaml.RNode][]change)
	var order []*yaml.RNode
	for _, c := range changes {
		if c.image.node != nil {
			setScalar(c.image.node, c.to.String())
			continue
		}
		if declared[c.image.item] == nil {
			order = append(order, c.image.item)
		}
		declared[c.image.item] = append(declared[c.image.item], c)
	}
	for _, item := range order {
		if err := applyDeclared(item, declared[item], fields); err != nil {
			return err
		}
	}
	return nil
}

func setScalar(n *yaml.Node, text string) {
	n.Value, n.Tag = text, yaml.NodeTagString
	n.Style &^= yaml.LiteralStyle | yaml.FoldedStyle
}

// applyDeclared has the package overlay edit the text of an object: what a path
// names may be a reference, or repository, tag and digest side by side.
func applyDeclared(item *yaml.RNode, changes []change, fields []string) error {
	file, err := parseItem(item, fields)
	if err != nil {
		return err
	}
	var wanted []overlay.Change
	for _, c := range changes {
		o := overlay.Change{Path: c.image.pin.Path, Tag: overlay.To(c.to.tag), Digest: overlay.To(c.to.digest)}
		if c.to.repository != c.image.pin.Repository() {
			o.NewName = overlay.To(c.to.repository)
		}
		wanted = append(wanted, o)
	}
	edit, err := file.Set(wanted...)
	if err != nil {
		return err
	}
	after, err := yaml.Parse(string(edit.After.Bytes()))
	if err != nil {
		return fmt.Errorf("reading the edited object: %w", err)
	}
	item.SetYNode(after.YNode())
	return nil
}
