package versions

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
)

// The bounds of a file.
const (
	maxSize    = 16 << 20
	maxEntries = 200_000
)

// fixHint writes a file anew.
const fixHint = "kubectl promote lint --fix"

// form is how entries are written: lines before and behind them, and a line for each.
type form interface {
	head() []string
	tail() []string
	line(e Entry, last bool) string
	// parse reads a line that may be one of an entry.
	parse(line string) (Entry, error)
	// marks tells whether a text is one of this form, however it has been changed.
	marks(data []byte) bool
}

// formOf is that of a file's name.
func formOf(name string) form {
	if path.Ext(name) == ".md" {
		return markdown{}
	}
	return lines{}
}

// File is a file of versions.
type File struct {
	Name string
	// Entries are in the order in which they stand.
	Entries []Entry

	eol string
}

// New is a file with entries.
func New(name string, entries []Entry) *File {
	f := &File{Name: name, eol: "\n"}
	f.Entries = slices.DeleteFunc(slices.Clone(entries), Entry.empty)
	slices.SortFunc(f.Entries, Entry.compare)
	return f
}

// Bytes is the file as it stands on disk.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, line := range f.lines() {
		b.WriteString(line + f.eol)
	}
	return b.Bytes()
}

func (f *File) lines() []string {
	as := formOf(f.Name)
	out := as.head()
	for n, e := range f.Entries {
		out = append(out, as.line(e, n == len(f.Entries)-1))
	}
	return append(out, as.tail()...)
}

// line is where an entry stands; where the next one would stand for the number behind the last.
func (f *File) line(entry int) int { return len(formOf(f.Name).head()) + entry + 1 }

// find gives the number of an entry.
func (f *File) find(e Entry) (int, bool) {
	return slices.BinarySearchFunc(f.Entries, e, Entry.compare)
}

// Put replaces what the file has of the entries' services in their environments. One
// without pins is taken out.
func (f *File) Put(entries []Entry) {
	for _, e := range entries {
		n, there := f.find(e)
		switch {
		case there && e.empty():
			f.Entries = slices.Delete(f.Entries, n, n+1)
		case there:
			f.Entries[n] = e
		case !e.empty():
			f.Entries = slices.Insert(f.Entries, n, e)
		}
	}
}

// Parse reads a file, whose name says its form. One that is not just as [File.Bytes] would
// write it again is an *overlay.Error with the first line that is not: what a person has
// put there, or a merge, would be lost.
func Parse(name string, data []byte) (*File, error) {
	if len(data) > maxSize {
		return nil, fault(name, 1, "is larger than %d MiB", maxSize>>20)
	}
	f, as := &File{Name: name, eol: "\n"}, formOf(name)
	if first, _, _ := bytes.Cut(data, []byte("\n")); bytes.HasSuffix(first, []byte("\r")) {
		f.eol = "\r\n"
	}
	text, ended := strings.CutSuffix(string(data), f.eol)
	got := strings.Split(text, f.eol)
	head, tail := as.head(), as.tail()
	if n := len(got) - len(head) - len(tail); n > maxEntries {
		return nil, fault(name, 1, "has more than %d entries", maxEntries)
	}
	for n := len(head); n < len(got)-len(tail); n++ {
		e, err := as.parse(got[n])
		if err != nil {
			return nil, fault(name, n+1, "is no entry: %v", err)
		}
		if len(f.Entries) > 0 && f.Entries[len(f.Entries)-1].compare(e) >= 0 {
			return nil, fault(name, n+1, "%s in %s is not where it belongs, or stands there twice", e.Service, e.Environment)
		}
		f.Entries = append(f.Entries, e)
	}
	want := f.lines()
	for n := range max(len(got), len(want)) {
		switch {
		case n >= len(got):
			return nil, fault(name, len(got), "ends too early")
		case n >= len(want) || got[n] != want[n]:
			return nil, fault(name, n+1, "is not as kubectl promote writes it")
		}
	}
	if !ended {
		return nil, fault(name, len(got), "the last line has no end")
	}
	return f, nil
}

func fault(name string, line int, format string, args ...any) error {
	return &overlay.Error{File: name, Line: line, Col: 1, Msg: fmt.Sprintf(format, args...), Hint: fixHint}
}

// Anew gives the file with entries, in the place of what is there, which nil stands for
// where nothing is. What nobody has written as a file of versions is not replaced.
func Anew(name string, there []byte, entries []Entry) ([]byte, error) {
	if len(bytes.TrimSpace(there)) > 0 && !formOf(name).marks(there) {
		return nil, &overlay.Error{File: name, Line: 1, Col: 1, Msg: "is another file than one of versions, and is not written over", Hint: "record: {versions: versions.json} in the pipeline, or git rm " + shell.Pathspecs(name)}
	}
	f := New(name, entries)
	if bytes.Contains(there, []byte("\r\n")) {
		f.eol = "\r\n"
	}
	return f.Bytes(), nil
}

// Difference is an entry that is not as the overlays have it.
type Difference struct {
	// Line is where it stands in the file, or would stand.
	Line                 int
	Service, Environment string
	// File and Overlays are what the two have.
	File, Overlays Entry
}

// Compare holds a file against what the overlays have.
func Compare(f *File, overlays []Entry) []Difference {
	var out []Difference
	want := New(f.Name, overlays)
	for _, e := range want.Entries {
		n, there := f.find(e)
		if there && f.Entries[n].same(e) {
			continue
		}
		d := Difference{Line: f.line(n), Service: e.Service, Environment: e.Environment, Overlays: e}
		if there {
			d.File = f.Entries[n]
		}
		out = append(out, d)
	}
	for n, e := range f.Entries {
		if _, there := want.find(e); !there {
			out = append(out, Difference{Line: f.line(n), Service: e.Service, Environment: e.Environment, File: e})
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return a.Line - b.Line })
	return out
}
