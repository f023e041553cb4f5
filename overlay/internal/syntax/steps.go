package syntax

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Steps tells apart what several have asked of one edit, each as if those that were taken
// before it had been made already. The text as a whole is proved by the edit.
type Steps struct {
	src   *Source
	of    [][]splice // in the order of the text
	lines []int      // where the source's lines begin
	taken []splice   // in the order of the text
	more  int        // lines that these have added
	// touched are lines by the steps that change them.
	touched map[int]int
}

// Mark ends a step: what is asked from now on is of the next one.
func (e *Edit) Mark() { e.marks = append(e.marks, len(e.splices)) }

// Steps gives the steps that marks have ended; nil where two of them touch one line, as
// neither of these could be shown without the other, and where YAML counts other lines than
// a diff. Afterwards Apply proves what all make.
func (e *Edit) Steps() *Steps {
	if otherBreaks(e.src.Bytes) {
		return nil
	}
	s := &Steps{src: e.src, lines: []int{0}, touched: make(map[int]int)}
	for i, c := range e.src.Bytes {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	from := 0
	for n, mark := range e.marks {
		own := slices.Clone(e.splices[from:mark])
		from = mark
		sortSplices(own)
		for _, sp := range own {
			for line := s.line(sp.start); line <= s.line(sp.end); line++ {
				if by, ok := s.touched[line]; ok && by != n {
					return nil
				}
				s.touched[line] = n
			}
		}
		s.of = append(s.of, own)
	}
	return s
}

// otherBreaks tells whether something else than \n or \r\n ends a line, for YAML.
func otherBreaks(text []byte) bool {
	for _, b := range []string{"\u0085", "\u2028", "\u2029"} {
		if bytes.Contains(text, []byte(b)) {
			return true
		}
	}
	return bytes.Count(text, []byte("\r")) != bytes.Count(text, []byte("\r\n"))
}

// line is the index of the line in which an offset is.
func (s *Steps) line(offset int) int {
	n, ok := slices.BinarySearch(s.lines, offset)
	if !ok {
		n--
	}
	return n
}

// Take makes a step: those that are shown from now on stand upon it.
func (s *Steps) Take(n int) {
	for _, sp := range s.of[n] {
		at, _ := slices.BinarySearchFunc(s.taken, sp.start, func(t splice, start int) int { return cmp.Compare(t.start, start) })
		for at < len(s.taken) && s.taken[at].start == sp.start && s.taken[at].end == sp.start {
			at++ // an insertion comes before what is replaced at its place
		}
		s.taken = slices.Insert(s.taken, at, sp)
		s.more += s.adds(sp)
	}
}

// Line is where a line of the source, of which the first is 1, stands upon the steps that
// were taken.
func (s *Steps) Line(line int) int {
	if line < 1 || line > len(s.lines) {
		return line
	}
	return line + s.added(s.lines[line-1]+1)
}

// LineWith is Line with a step made upon those that were taken; false where any step
// changes the line.
func (s *Steps) LineWith(n, line int) (int, bool) {
	if _, ok := s.touched[line-1]; ok || line < 1 || line > len(s.lines) {
		return 0, false
	}
	out := s.Line(line)
	for _, sp := range s.of[n] {
		if sp.start <= s.lines[line-1] {
			out += s.adds(sp)
		}
	}
	return out, true
}

// added is how many lines the steps that were taken have added before an offset.
func (s *Steps) added(offset int) int {
	if len(s.taken) == 0 || s.taken[len(s.taken)-1].start < offset {
		return s.more // steps are often taken in the order of the text
	}
	n := 0
	for _, sp := range s.taken {
		if sp.start >= offset {
			break
		}
		n += s.adds(sp)
	}
	return n
}

// adds is how many lines more there are with a splice.
func (s *Steps) adds(sp splice) int {
	return strings.Count(sp.text, "\n") - bytes.Count(s.src.Bytes[sp.start:sp.end], []byte("\n"))
}

// Around gives the whole lines around a step as they are without and with it, upon those
// that were taken, and how many lines stand before them. There are at least as many lines
// on both sides as context says, if the text has them. All are empty where the step changes nothing.
func (s *Steps) Around(n, context int) (before, after []byte, skipped int) {
	own := s.of[n]
	if len(own) == 0 {
		return nil, nil, 0
	}
	first, last := s.line(own[0].start)-context, s.line(own[len(own)-1].end)+context
	from, to := 0, 0
	for again := true; again; { // what was taken is there as a whole
		again = false
		first, last = max(first, 0), min(last, len(s.lines)-1)
		from, to = s.lines[first], len(s.src.Bytes)
		if last+1 < len(s.lines) {
			to = s.lines[last+1]
		}
		for _, sp := range s.taken {
			if sp.start < from && sp.end > from {
				first, again = s.line(sp.start), true
			}
			if sp.start < to && sp.end > to {
				last, again = s.line(sp.end), true
			}
		}
	}
	var there []splice
	for _, sp := range s.taken {
		if sp.start >= from && (sp.start < to || to == len(s.src.Bytes)) {
			there = append(there, sp)
		}
	}
	all := slices.Concat(there, own)
	sortSplices(all)
	return s.src.spliced(from, to, there), s.src.spliced(from, to, all), first + s.added(from)
}

// sortSplices brings splices into the order of the text. At one offset, insertions come
// before what is removed or replaced there.
func sortSplices(all []splice) {
	slices.SortStableFunc(all, func(a, b splice) int {
		switch {
		case a.start != b.start:
			return cmp.Compare(a.start, b.start)
		case a.end == a.start && b.end > b.start:
			return -1
		case b.end == b.start && a.end > a.start:
			return 1
		}
		return 0
	})
}

// spliced gives a part of the text with splices that are in order and do not touch each
// other; nil where they do.
func (s *Source) spliced(from, to int, all []splice) []byte {
	var out bytes.Buffer
	out.Grow(to - from + 256)
	done := from
	for _, sp := range all {
		if sp.start < done || sp.end < sp.start {
			return nil
		}
		out.Write(s.Bytes[done:sp.start])
		out.WriteString(sp.text)
		done = sp.end
	}
	out.Write(s.Bytes[done:to])
	return out.Bytes()
}
