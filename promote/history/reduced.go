package history

import (
	"bytes"
	"slices"
)

// reduced is a text without lines that surely have no pin and are of none: what is left has
// the same pins at the same paths. Large files of values are mostly such lines, and parsing
// many versions of them takes long. keys are those of pins that the pipeline names. Where the
// file is of one service, whole is true: mappings go with all that is in them then, but for the
// first of each mapping. Else one of them may be a service, and is there without a pin.
func reduced(text []byte, keys []string, whole bool) []byte {
	all := bytes.SplitAfter(text, []byte("\n"))
	telling := tellingLines(text, all, keys)
	out := make([]byte, 0, len(text)/8)
	type key struct {
		indent        int
		item, telling bool
	}
	var above []key
	before := -1 // the indentation of the line before
	skip := 0
	for i, raw := range all {
		if i < skip {
			continue
		}
		l, ok := edgeOf(raw)
		if !ok {
			out = append(out, raw...)
			continue
		}
		for n := len(above) - 1; n >= 0 && (above[n].indent > l.indent || above[n].indent == l.indent && (above[n].item || !l.item)); n-- {
			above = above[:n]
		}
		here := telling[i] || len(above) > 0 && above[len(above)-1].telling
		if whole && !here && !l.item && l.indent <= before {
			if n := subtree(l, telling[i:], all[i:]); n > 0 {
				skip = i + n
				continue
			}
		}
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
	name, ok := plainKey(raw)
	return ok && name != "name" && name != "value"
}

// plainKey gives the key of a line in which nothing reaches beyond it.
func plainKey(raw []byte) (key string, ok bool) {
	rest := bytes.Trim(raw, " \n")
	name, _, found := bytes.Cut(rest, []byte(": "))
	if !found {
		name, found = bytes.CutSuffix(rest, []byte(":"))
	}
	rest = name
	if _, value, ok := bytes.Cut(bytes.Trim(raw, " \n"), []byte(": ")); ok && !isQuoted(bytes.TrimLeft(value, " ")) {
		rest = bytes.Trim(raw, " \n")
	}
	return string(name), found && !bytes.ContainsAny(rest, "&*\t\r!%\\\"'{}[]<>|?`@,")
}

// isQuoted tells a text that begins and ends with the same quote, in which there is no other and
// nothing is escaped.
func isQuoted(text []byte) bool {
	if len(text) < 2 || text[0] != '"' && text[0] != '\'' || text[len(text)-1] != text[0] {
		return false
	}
	return !bytes.ContainsAny(text[1:len(text)-1], string(text[:1])+"\\\t\r")
}

// subtree is how many lines the first of some lines has below it, with itself, where none of
// them may have a pin or reach beyond its line; 0 where one does.
func subtree(l line, telling []bool, all [][]byte) int {
	for i, raw := range all {
		next, ok := edgeOf(raw)
		switch {
		case i > 0 && ok && (next.indent < l.indent || next.indent == l.indent && !next.item):
			return i
		case telling[i] || i == 0 && !isPlainEntry(raw):
			return 0
		}
		if _, plain := plainKey(raw); ok && !plain {
			return 0
		}
	}
	return len(all)
}
