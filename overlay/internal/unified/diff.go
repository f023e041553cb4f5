// Package unified writes what an edit changes as a unified diff, in a time that goes
// with the change rather than with the file.
package unified

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Context is how many lines a unified diff has around a change.
const Context = 3

// Diff gives what differs with the file's name on both sides (a/ and b/), or ""
// where nothing does.
func Diff(name string, before, after []byte) string { return DiffAt(name, 0, before, after) }

// DiffAt is Diff for parts of texts that have a number of lines before them.
func DiffAt(name string, line int, before, after []byte) string {
	skipped, start, end := alike(before, after)
	skipped += line
	d := diff.Diff("a/"+name, before[start:len(before)-end], "b/"+name, after[start:len(after)-end])
	if i := bytes.IndexByte(d, '\n'); i >= 0 {
		d = d[i+1:] // "diff a/… b/…" says nothing that the next two lines do not
	}
	if skipped == 0 {
		return string(d)
	}
	var out strings.Builder
	out.Grow(len(d) + 16)
	for line := range bytes.Lines(d) {
		var x, nx, y, ny int
		if !bytes.HasPrefix(line, []byte("@@")) {
			out.Write(line)
		} else if _, err := fmt.Sscanf(string(line), "@@ -%d,%d +%d,%d @@", &x, &nx, &y, &ny); err == nil {
			fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n", x+skipped, nx, y+skipped, ny)
		}
	}
	return out.String()
}

// alike tells how many lines, and bytes, at the beginning of both texts need not
// be compared, and how many bytes at their end: an edit changes a few lines of a
// file that may have very many. What is left has the context of the change.
func alike(a, b []byte) (lines, start, end int) {
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	start = same
	for n := 0; n <= Context && start > 0; n++ {
		start = bytes.LastIndexByte(a[:start], '\n')
		if start < 0 {
			start = 0
		}
	}
	if start > 0 {
		start++
	}
	for end < len(a)-same && end < len(b)-same && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	for n := 0; n <= Context && end > 0; n++ {
		next := bytes.IndexByte(a[len(a)-end:], '\n')
		if next < 0 {
			end = 0
			break
		}
		end -= next + 1
	}
	return bytes.Count(a[:start], []byte("\n")), start, end
}
