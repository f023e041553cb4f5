// Package textdiff shows what differs between two texts.
package textdiff

import (
	"bytes"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// most bounds the texts that are compared, in bytes.
const most = 1 << 20

// Unified gives the unified diff of two versions of a file; of what is no text, or too long,
// that they differ, as git says it.
func Unified(name string, old, now []byte) string {
	if len(old)+len(now) > most || !utf8.Valid(old) || !utf8.Valid(now) || bytes.IndexByte(now, 0) >= 0 {
		return "Binary files a/" + name + " and b/" + name + " differ\n"
	}
	d := diff.Diff("a/"+name, old, "b/"+name, now)
	return string(d[bytes.IndexByte(d, '\n')+1:])
}
