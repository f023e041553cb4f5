package discover

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"go.yaml.in/yaml/v3"
)

// Write gives the text of a pipeline file: what a pipeline of [Pipeline] says, with
// comments for those who read it, and what was left as comments at the end. It is read
// back by [pipeline.Parse].
func Write(p *pipeline.Pipeline, left []Leftover) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# yaml-language-server: $schema=%s", pipeline.SchemaURL)
	line("apiVersion: %s", pipeline.APIVersion)
	line("kind: Pipeline")
	if p.Metadata.Name != "" {
		line("metadata: {name: %s}", scalar(p.Metadata.Name))
	}
	line("spec:")
	line("  # where the pins of a service stand in an environment")
	line("  layout:")
	for _, l := range p.Spec.Layout {
		line("  - %s", flow(l))
	}
	if p.Spec.Pin == pipeline.PinTag {
		line("  # no file says which images these tags are of: they are promoted as text. Without these")
		line("  # two lines, and with repository: REGISTRY/IMAGE under images, digests are written")
		line("  pin: tag")
		line("  allowMutable: true")
	}
	if len(p.Spec.Promote) > 0 {
		var kinds []string
		for _, k := range p.Spec.Promote {
			kinds = append(kinds, string(k))
		}
		line("  # what moves: no image is pinned here")
		line("  promote: [%s]", strings.Join(kinds, ", "))
	}
	if len(p.Spec.Images) > 0 {
		line("  # pins that no convention finds. With repository: REGISTRY/IMAGE a tag is resolved to")
		line("  # its digest and verified; without one it is text, which needs pin: tag")
		line("  images:")
		for _, i := range p.Spec.Images {
			line("  - {path: %s, name: %s}", scalar(i.Path), scalar(i.Name))
		}
	}
	line("  # in the order in which versions pass through them")
	line("  environments:")
	for _, e := range p.Spec.Environments {
		line("  - name: %s", scalar(e.Name))
		if e.Path != "" {
			line("    path: %s", scalar(e.Path))
		}
		if len(e.From) > 0 {
			var from []string
			for _, f := range e.From {
				from = append(from, scalar(f))
			}
			line("    from: [%s]", strings.Join(from, ", "))
		}
	}
	line("  # what an environment may demand of what comes to it:")
	line("  #   verify: {policy: policies/images.yaml}")
	line("  #   deliver: {mode: commit}")
	if len(left) > 0 {
		line("\n# What was seen and is not in the layout:")
		for _, l := range left {
			line("# %s: %s", comment(l.Path), comment(l.Reason))
		}
	}
	return b.Bytes()
}

// flow is a location in one line.
func flow(l pipeline.Location) string {
	if l.Within == "" && l.Service == "" {
		return scalar(l.Path)
	}
	out := "{path: " + scalar(l.Path)
	if l.Within != "" {
		out += ", within: " + scalar(l.Within)
	}
	if l.Service != "" {
		out += ", service: " + scalar(l.Service)
	}
	return out + "}"
}

// scalar is a text as a YAML value that may stand in a flow mapping.
func scalar(s string) string {
	if strings.ContainsAny(s, "{}[],&*#?|<>=!%@:`\"'") {
		return fmt.Sprintf("%q", s)
	}
	out, err := yaml.Marshal(s)
	if err != nil {
		return fmt.Sprintf("%q", s)
	}
	return strings.TrimSpace(string(out))
}

// comment keeps a text on its line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u0085' {
			return ' '
		}
		return r
	}, s)
}
