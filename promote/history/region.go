package history

import (
	"bytes"
	"slices"
	"strings"
)

// region is what two versions of a file differ in, in whole lines: old became now, between
// what stands before and after it in both. Large files change often, and seldom their
// pins: what a few lines can tell need not be parsed.
type region struct{ before, old, now, after []byte }

// differing finds the region of two versions.
func differing(old, now []byte) region {
	n := commonPrefix(old, now)
	n = bytes.LastIndexByte(old[:n], '\n') + 1
	a, b := old[n:], now[n:]
	m := 0
	for m < len(a) && m < len(b) && a[len(a)-1-m] == b[len(b)-1-m] {
		m++
	}
	end := a[len(a)-m:]
	if !atLine(a, m) || !atLine(b, m) { // it begins within a line of one of them
		i := bytes.IndexByte(end, '\n')
		end = end[max(i+1, 0):]
		if i < 0 {
			end = nil
		}
	}
	return region{old[:n], a[:len(a)-len(end)], b[:len(b)-len(end)], end}
}

// atLine tells whether the last k bytes begin a line.
func atLine(b []byte, k int) bool { return k == len(b) || b[len(b)-k-1] == '\n' }

func commonPrefix(a, b []byte) int {
	const chunk = 4 << 10
	n, most := 0, min(len(a), len(b))
	for n+chunk <= most && bytes.Equal(a[n:n+chunk], b[n:n+chunk]) {
		n += chunk
	}
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}

// words are what the lines of pins, and of what they belong to, have in their keys.
var words = []string{
	"image", "tag", "digest", "newname", "version", "regist", "repo", "chart", "revision", "ref", "sha", "global", "kind", "hub", "source", "parameter", "substitut", "commit",
}

// keeps tells whether the pins of both versions are surely the same. parts, where there
// are any, are the keys that lead to what is of interest; keys are those of pins that the
// pipeline names. What is not surely so is false: that costs a look at the whole file.
func (r region) keeps(parts [][]string, keys []string) bool {
	if len(r.old)+len(r.now) > maxRegion {
		return false
	}
	r = r.items()
	least, ok := depth(-1, r.old)
	if least, ok = depthIf(ok, least, r.now); !ok {
		return false
	}
	above := r.above(least, slices.Concat(lines(r.old), lines(r.now)))
	if len(parts) > 0 && !slices.ContainsFunc(parts, func(part []string) bool { return !elsewhere(above, part) }) {
		return true
	}
	texts := []string{strings.ToLower(string(r.old)), strings.ToLower(string(r.now))}
	for _, some := range [][]line{lines(r.old), lines(r.now)} {
		if len(some) > 0 {
			texts = append(texts, r.above(some[0].indent, some)...)
		}
	}
	for _, text := range texts {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) ||
			slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(text, k) }) {
			return false
		}
	}
	return r.leads()
}

// maxRegion is the size of a region that is looked at.
const maxRegion = 16 << 10

// line is one line of a block, without what is a comment or blank.
type line struct {
	indent int
	item   bool // it begins an item of a list
	key    string
	plain  bool // nothing in it reaches beyond the line
}

// lines gives the lines of a text that have content.
func lines(text []byte) []line {
	var out []line
	for l := range bytes.Lines(text) {
		if one, ok := lineOf(l); ok {
			out = append(out, one)
		}
	}
	return out
}

func lineOf(text []byte) (line, bool) {
	text = bytes.TrimRight(text, "\n ")
	rest := bytes.TrimLeft(text, " ")
	if len(rest) == 0 || rest[0] == '#' {
		return line{}, false
	}
	l := line{indent: len(text) - len(rest)}
	for bytes.HasPrefix(rest, []byte("- ")) || string(rest) == "-" {
		l.item, rest = true, bytes.TrimLeft(rest[1:], " ")
	}
	at := bytes.Index(rest, []byte(": "))
	if at < 0 && len(rest) > 0 && rest[len(rest)-1] == ':' {
		at = len(rest) - 1
	}
	if at >= 0 {
		l.key = strings.ToLower(strings.Trim(string(rest[:at]), `"'`))
	}
	count := func(c string) int { return bytes.Count(rest, []byte(c)) }
	l.plain = (at >= 0 || l.item) && !bytes.ContainsAny(rest, "&*\t\r!%\\") && !bytes.HasPrefix(rest, []byte("? ")) && !bytes.Contains(rest, []byte("<<")) &&
		count(`"`)%2 == 0 && count("'")%2 == 0 && count("{") == count("}") && count("[") == count("]")
	return l, true
}

// depth gives the least indentation of a text and of what was before, or not ok where a
// line may reach beyond itself.
func depth(least int, text []byte) (int, bool) {
	for _, l := range lines(text) {
		if !l.plain {
			return 0, false
		}
		if least < 0 || l.indent < least {
			least = l.indent
		}
	}
	return least, true
}

func depthIf(ok bool, least int, text []byte) (int, bool) {
	if !ok {
		return 0, false
	}
	return depth(least, text)
}

// items widens a region to whole items of a list, where a name or a value in it belongs to
// something else in its item.
func (r region) items() region {
	belongs := func(l line) bool { return l.key == "name" || l.key == "value" || l.key == "" }
	all := slices.Concat(lines(r.old), lines(r.now))
	if !slices.ContainsFunc(all, belongs) || len(all) == 0 || all[0].item {
		return r
	}
	start, indent := len(r.before), all[0].indent
	for start > 0 {
		from := bytes.LastIndexByte(r.before[:start-1], '\n') + 1
		l, ok := lineOf(r.before[from:start])
		start = from
		if ok && l.indent < indent {
			if indent = l.indent; l.item {
				break
			}
			return region{r.before[:0], nil, []byte("image"), nil} // in no item: it is parsed
		}
	}
	end := 0
	for end < len(r.after) {
		next := bytes.IndexByte(r.after[end:], '\n')
		if next < 0 {
			next = len(r.after) - end - 1
		}
		if l, ok := lineOf(r.after[end : end+next+1]); ok && l.indent <= indent {
			break
		}
		end += next + 1
	}
	wide := func(text []byte) []byte { return slices.Concat(r.before[start:], text, r.after[:end]) }
	return region{r.before[:start], wide(r.old), wide(r.now), r.after[end:]}
}

// above gives the keys that the lines of an indentation are below, the outermost first.
func (r region) above(indent int, of []line) []string {
	item := slices.ContainsFunc(of, func(l line) bool { return l.indent == indent && l.item })
	var out []string
	for at := len(r.before); at > 0 && (indent > 0 || item); {
		from := bytes.LastIndexByte(r.before[:at-1], '\n') + 1
		l, ok := lineOf(r.before[from:at])
		at = from
		if ok && (l.indent < indent || l.indent == indent && item && !l.item) {
			out = append(out, l.key)
			indent, item = l.indent, l.item
		}
	}
	slices.Reverse(out)
	return out
}

// elsewhere tells whether what is below some keys is no part of what others lead to, and
// nothing that holds for all parts of a file.
func elsewhere(above, part []string) bool {
	for i := range min(len(above), len(part)) {
		if above[i] == strings.ToLower(part[i]) {
			continue
		}
		return i > 0 || !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(above[0], w) })
	}
	return false
}

// leads tells whether nothing of the region leads to what comes after it: that is below
// the same keys in both versions.
func (r region) leads() bool {
	next, found := line{}, false
	for l := range bytes.Lines(r.after) {
		if next, found = lineOf(l); found {
			break
		}
	}
	if !found {
		return true
	}
	for _, l := range slices.Concat(lines(r.old), lines(r.now)) {
		if l.indent < next.indent || l.indent == next.indent && next.item && !l.item {
			return false
		}
	}
	return true
}
