package hold

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"go.yaml.in/yaml/v3"
)

// head begins a new file.
const head = `# Services that stay at their pins: kubectl promote hold and unhold write this file.
# What is committed here counts; a promotion of what is held is refused.
apiVersion: ` + pipeline.APIVersion + `
kind: ` + Kind + `
holds: []
`

// Add makes the file that has one more hold, behind the others; all other bytes are kept.
// No data stands for a file that is not there yet. A file that is malformed, or in a form
// that nothing can be added to, is an error.
func Add(data []byte, h Hold) ([]byte, error) {
	h.Reason, h.By = oneLine(h.Reason), oneLine(h.By)
	h.Since, h.Until = h.Since.UTC().Truncate(time.Second), h.Until.UTC().Truncate(time.Second)
	if len(data) == 0 {
		data = []byte(head)
	}
	t, err := read(data)
	if err != nil {
		return nil, err
	}
	now, at := t.lines, t.end
	switch {
	case t.seq == nil:
		now, at = append(slices.Clone(now), "holds:"+t.eol), len(now)+1
	case len(t.seq.Content) == 0:
		if now, at, err = t.open(); err != nil {
			return nil, err
		}
	case t.seq.Style&yaml.FlowStyle != 0:
		return nil, t.wrong(t.seq, "the list is written in one line")
	}
	if at > 0 && !strings.HasSuffix(now[at-1], "\n") {
		now = slices.Clone(now)
		now[at-1] += t.eol
	}
	out := []byte(strings.Join(slices.Insert(slices.Clone(now), at, t.entry(h)...), ""))
	return out, t.same(out, append(slices.Clone(t.holds), h))
}

// Remove makes the file that has none of the holds that pick tells, and gives these; all
// other bytes are kept. Where there is none, the data is given back.
func Remove(data []byte, pick func(Hold) bool) ([]byte, []Hold, error) {
	if len(data) == 0 {
		return data, nil, nil
	}
	t, err := read(data)
	if err != nil {
		return nil, nil, err
	}
	var gone, kept []Hold
	lines := slices.Clone(t.lines)
	for i := len(t.holds) - 1; i >= 0; i-- {
		if !pick(t.holds[i]) {
			kept = append(kept, t.holds[i])
			continue
		}
		gone = append(gone, t.holds[i])
		if t.seq.Style&yaml.FlowStyle != 0 {
			return nil, nil, t.wrong(t.seq, "the list is written in one line")
		}
		first, end := t.span(i)
		lines = slices.Delete(lines, first, end)
	}
	slices.Reverse(gone)
	slices.Reverse(kept)
	if len(gone) == 0 {
		return data, nil, nil
	}
	if len(kept) == 0 {
		n, col := t.key.Line-1, t.key.Column-1+len(t.key.Value)
		if !strings.HasPrefix(lines[n][min(col, len(lines[n])):], ":") {
			return nil, nil, t.wrong(t.key, "the name of the list is not written plainly")
		}
		lines[n] = lines[n][:col+1] + " []" + lines[n][col+1:]
	}
	out := []byte(strings.Join(lines, ""))
	return out, gone, t.same(out, kept)
}

// text is a file, its lines with their ends, and where its list stands.
type text struct {
	lines    []string
	eol      string
	holds    []Hold
	key, seq *yaml.Node // seq is nil where the file has no list
	end      int        // the line behind the last hold
}

func read(data []byte) (*text, error) {
	l, err := Parse(FileName, data, nil)
	if err != nil {
		return nil, err
	}
	t := &text{lines: slices.Collect(strings.Lines(string(data))), eol: "\n", holds: l.Holds}
	if bytes.Contains(data, []byte("\r\n")) {
		t.eol = "\r\n"
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 {
		return nil, &overlay.Error{File: FileName, Line: 1, Col: 1, Msg: "the file has no content"}
	}
	last := len(t.lines)
	fields := doc.Content[0].Content
	for i := 0; i+1 < len(fields); i += 2 {
		switch {
		case t.seq != nil:
			last = min(last, fields[i].Line-1)
		case fields[i].Value == "holds":
			t.key, t.seq = fields[i], fields[i+1]
		}
	}
	if i := slices.IndexFunc(t.lines, func(line string) bool { return strings.HasPrefix(line, "...") }); i >= 0 {
		last = min(last, i)
	}
	t.end = last
	if t.seq != nil && len(t.seq.Content) > 0 {
		_, t.end = t.span(len(t.seq.Content) - 1)
	}
	return t, nil
}

// span gives the lines of an entry, from the dash to the last that belongs to it. What
// stands behind, blank lines and comments that are not indented below the dash, is of
// nobody's or of the next.
func (t *text) span(i int) (first, end int) {
	dash := func(i int) int {
		n, col := t.seq.Content[i].Line-1, t.seq.Column-1
		for n > 0 && (len(t.lines[n]) <= col || strings.TrimLeft(t.lines[n][:col], " ") != "" || t.lines[n][col] != '-') {
			n--
		}
		return n
	}
	first, end = dash(i), t.end
	if i+1 < len(t.seq.Content) {
		end = dash(i + 1)
	}
	for ; end > first+1; end-- {
		line := strings.TrimSpace(t.lines[end-1])
		indent := len(t.lines[end-1]) - len(strings.TrimLeft(t.lines[end-1], " "))
		if line != "" && (line[0] != '#' || indent >= t.seq.Column) {
			break
		}
	}
	return first, end
}

// open takes the brackets of an empty list away.
func (t *text) open() (lines []string, at int, err error) {
	lines = slices.Clone(t.lines)
	n, col := t.seq.Line-1, t.seq.Column-1
	line := lines[n]
	if n != t.key.Line-1 || len(line) < col || !strings.HasPrefix(line[col:], "[]") {
		return nil, 0, t.wrong(t.seq, "the empty list is not written []")
	}
	lines[n] = strings.TrimRight(line[:col], " ") + line[col+len("[]"):]
	return lines, n + 1, nil
}

// entry writes a hold.
func (t *text) entry(h Hold) []string {
	indent := ""
	if t.seq != nil && len(t.seq.Content) > 0 {
		indent = strings.Repeat(" ", t.seq.Column-1)
	}
	var out []string
	for i, line := range h.lines() {
		lead := "  "
		if i == 0 {
			lead = "- "
		}
		out = append(out, indent+lead+line+t.eol)
	}
	return out
}

// lines are the fields of a hold.
func (h Hold) lines() []string {
	var out []string
	add := func(key, value string) {
		if value != "" {
			out = append(out, key+": "+value)
		}
	}
	add("service", scalar(h.Service))
	add("environment", scalar(h.Environment))
	add("reason", scalar(h.Reason))
	add("by", scalar(h.By))
	add("since", h.Since.Format(time.RFC3339))
	if !h.Until.IsZero() {
		add("until", h.Until.Format(time.RFC3339))
	}
	if len(h.Except) > 0 {
		var names []string
		for _, name := range h.Except {
			names = append(names, strconv.Quote(name))
		}
		add("except", "["+strings.Join(names, ", ")+"]")
	}
	return out
}

// scalar writes a text as YAML, in quotes where it needs them.
func scalar(s string) string {
	if s == "" {
		return ""
	}
	out, err := yaml.Marshal(s)
	if text := strings.TrimSuffix(string(out), "\n"); err == nil && !strings.ContainsAny(text, "\n") {
		return text
	}
	return strconv.Quote(s)
}

// oneLine keeps a text on its line, without what is not to be seen.
func oneLine(s string) string { return strings.TrimSpace(fault.Printable(s)) }

func (t *text) wrong(n *yaml.Node, msg string) error {
	return &overlay.Error{File: FileName, Line: n.Line, Col: n.Column, Msg: msg + ", and cannot be edited here", Hint: "write each hold as an item of its own line: \"- service: NAME\""}
}

// same makes sure that a new file says what it is meant to.
func (t *text) same(data []byte, want []Hold) error {
	got, err := Parse(FileName, data, nil)
	if err == nil && slices.EqualFunc(got.Holds, want, func(a, b Hold) bool { return slices.Equal(a.lines(), b.lines()) }) {
		return nil
	}
	return t.wrong(t.first(), "the file has a form of its own")
}

func (t *text) first() *yaml.Node {
	if t.seq != nil {
		return t.seq
	}
	return &yaml.Node{Line: 1, Column: 1}
}

// Resumes tells whether a file is what an interrupted run has made of another to add a
// hold: the same but for its time.
func Resumes(before, there []byte, h Hold) bool {
	l, err := Parse(FileName, there, nil)
	if err != nil || len(l.Holds) == 0 {
		return false
	}
	h.Since = l.Holds[len(l.Holds)-1].Since
	made, err := Add(before, h)
	return err == nil && bytes.Equal(made, there)
}
