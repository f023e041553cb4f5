package history

import (
	"bytes"
	"slices"
)

// reduced is a text without lines that surely have no pin and are of none: what is left has
// the same pins at the same paths. Large files of values are mostly such lines, and parsing
// many versions of them takes long. keys are those of pins that the pipeline names.
func reduced(text []byte, keys []string) []byte {
	all := bytes.SplitAfter(text, []byte("\n"))
	telling := tellingLines(text, all, keys)
	out := make([]byte, 0, len(text)/8)
	type key struct {
		indent        int
		item, telling bool
	}
	var above []key
	before := -1 // the indentation of the line before
	for i, raw := range all {
		l, ok := edgeOf(raw)
		if !ok {
			out = append(out, raw...)
			continue
		}
		for n := len(above) - 1; n >= 0 && (above[n].indent > l.indent || above[n].indent == l.indent && (above[n].item || !l.item)); n-- {
			above = above[:n]
		}
		here := telling[i] || len(above) > 0 && above[len(above)-1].telling
		above = append(above, key{l.indent, l.item, here})
		if here || l.item || l.indent > before || !isLeaf(l, all[i+1:]) || !isPlainEntry(raw) {
			out = append(out, raw...)
		}
		before = l.indent
	}
	return out
}

// tellingLines are those that have a word of pins, or a key that the pipeline names.
func tellingLines(text []byte, all [][]byte, keys []string) []bool {
	low := bytes.ToLower(text)
	telling := make([]bool, len(all))
	if len(low) != len(text) { // letters that are longer when they are small
		for i := range telling {
			telling[i] = true
		}
		return telling
	}
	for _, word := range slices.Concat(words, keys, []string{"&"}) { // what an anchor is for stands elsewhere
		line, end := 0, len(all[0])
		for at := 0; ; {
			n := bytes.Index(low[at:], []byte(word))
			if n < 0 {
				break
			}
			for at += n; at >= end; end += len(all[line]) {
				line++
			}
			telling[line], at = true, end
		}
	}
	return telling
}

// edgeOf tells where a line begins; ok is false where it has no content.
func edgeOf(raw []byte) (l line, ok bool) {
	rest := bytes.TrimLeft(raw, " ")
	if len(rest) == 0 || rest[0] == '#' || rest[0] == '\n' {
		return l, false
	}
	return line{indent: len(raw) - len(rest), item: bytes.HasPrefix(rest, []byte("- ")) || string(bytes.TrimRight(rest, "\n ")) == "-"}, true
}

// isLeaf tells whether nothing that comes after a line is below it.
func isLeaf(l line, after [][]byte) bool {
	for _, raw := range after {
		if next, ok := edgeOf(raw); ok {
			return next.indent < l.indent || next.indent == l.indent && !next.item
		}
	}
	return true
}

// isPlainEntry tells whether a line is a key and its value, in which nothing reaches beyond
// it, and which belongs to nothing beside it.
func isPlainEntry(raw []byte) bool {
	rest := bytes.Trim(raw, " \n")
	name, _, found := bytes.Cut(rest, []byte(": "))
	if !found {
		name, found = bytes.CutSuffix(rest, []byte(":"))
	}
	return found && !bytes.ContainsAny(rest, "&*\t\r!%\\\"'{}[]<>|?`@,") && string(name) != "name" && string(name) != "value"
}
