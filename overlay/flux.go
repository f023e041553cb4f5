package overlay

import "go.yaml.in/yaml/v3"

// flux finds the pins of Flux's objects; false where the kind is another.
func (f *finder) flux(kind string, root *yaml.Node, path string) bool { return false }

// markers finds scalars with an $imagepolicy comment. A pin that is found already
// gets the policy; other scalars become pins of their own.
func (f *finder) markers() {}
