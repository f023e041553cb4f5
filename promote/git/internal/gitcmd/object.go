package gitcmd

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/files"
)

// Object is what git cat-file answers. Kind is empty where there is none.
type Object struct {
	ID, Kind string
	Data     []byte
}

// ReadObject reads one answer: "id kind size", a newline, the data, a newline.
// What is missing is answered with the name as it was asked for, and that may
// hold blanks and newlines.
func ReadObject(r *bufio.Reader, name string) (Object, error) {
	missing, err := isMissing(r, name)
	if err != nil || missing {
		return Object{}, err
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return Object{}, err
	}
	fields := strings.Fields(line)
	if len(fields) == 2 && IsHash(fields[0]) {
		// A commit of another repository: "id submodule" or "id missing".
		return Object{ID: fields[0]}, nil
	}
	if len(fields) != 3 || !IsHash(fields[0]) {
		return Object{}, &Error{Op: "git cat-file", Msg: "unexpected answer: " + Clean(line)}
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return Object{}, &Error{Op: "git cat-file", Msg: "unexpected answer: " + Clean(line)}
	}
	if size > files.MaxSize {
		return Object{}, &Error{Msg: "object " + fields[0] + " (" + Clean(name) + ") is larger than 64 MiB"}
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(r, data); err != nil {
		return Object{}, err
	}
	return Object{ID: fields[0], Kind: fields[1], Data: data[:size:size]}, nil
}

// isMissing tells whether the next answer is that there is no such object, and
// consumes that answer. The reader's buffer is larger than any path.
func isMissing(r *bufio.Reader, name string) (bool, error) {
	want := []byte(name + " missing\n")
	if IsHash(name) {
		// An answer begins with a hash in any case; only the rest differs.
		have, err := r.Peek(len(want))
		if err != nil || !bytes.Equal(have, want) {
			return false, nil
		}
	} else if have, err := r.Peek(len("HEAD:")); err != nil || string(have) != "HEAD:" {
		return false, err
	}
	have := make([]byte, len(want))
	if _, err := io.ReadFull(r, have); err != nil {
		return false, err
	}
	if !bytes.Equal(have, want) {
		return false, &Error{Op: "git cat-file", Msg: "unexpected answer for " + Clean(name)}
	}
	return true, nil
}

// IsHash tells whether s is a full object name, SHA-1 or SHA-256.
func IsHash(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
