package lintcmd

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// mostRespelled is how many fields of a file are mended.
const mostRespelled = 50

// respelled mends the misspelt fields of a pipeline file, byte by byte: each where one known name
// is near, where the key stands at the place that the fault names, and where nothing else on its
// line is wrong under that name. It gives the file as it was where there is none.
func respelled(name string, data []byte) []byte {
	kept := make(map[string]bool) // faults that stay
	for range mostRespelled {
		before := faultsOf(name, data)
		n := slices.IndexFunc(before, func(f *overlay.Error) bool {
			return !kept[f.Error()] && strings.HasPrefix(f.Msg, "unknown field ") && strings.HasPrefix(f.Hint, "did you mean ")
		})
		if n < 0 {
			return data
		}
		fault := before[n]
		next := respell(data, fault)
		if next == nil || !better(before, faultsOf(name, next), fault) {
			kept[fault.Error()] = true
			continue
		}
		data = next
	}
	return data
}

// faultsOf are what is wrong with a pipeline file.
func faultsOf(name string, data []byte) []*overlay.Error {
	_, err := pipeline.Parse(name, data)
	var all []*overlay.Error
	for _, e := range cli.Split(err) {
		if fault, ok := errors.AsType[*overlay.Error](e); ok {
			all = append(all, fault)
		}
	}
	return all
}

// better tells whether a fault is gone, and none is there that was not before: neither on its line
// nor elsewhere about the field that it has become, which may stand there twice or have a value
// that does not fit. What is wrong inside of the field is seen only now.
func better(before, after []*overlay.Error, gone *overlay.Error) bool {
	at, _, meant := field(gone)
	for _, f := range after {
		now, was := alike(after, f), alike(before, f)
		about := strings.HasPrefix(f.Msg, at+meant+" ") || f.Msg == fmt.Sprintf("duplicate field %q", meant)
		if f.Msg == gone.Msg || now > was && (about || f.Line == gone.Line && was == 0) || f.Line == 0 {
			return false
		}
	}
	return true
}

// alike counts the faults that say the same as one.
func alike(all []*overlay.Error, one *overlay.Error) int {
	n := 0
	for _, f := range all {
		if f.Msg == one.Msg {
			n++
		}
	}
	return n
}

// field gives where a misspelt field is, with a dot behind it, its name, and the one that is meant.
func field(fault *overlay.Error) (at, word, meant string) {
	word = strings.TrimSuffix(strings.TrimPrefix(fault.Msg, `unknown field "`), `"`)
	n := strings.LastIndexByte(word, '.') + 1
	return word[:n], word[n:], strings.TrimSuffix(strings.TrimPrefix(fault.Hint, "did you mean "), "?")
}

// respell puts the name that is meant in the place of a key; nil where the key is not there.
func respell(data []byte, fault *overlay.Error) []byte {
	_, word, meant := field(fault)
	at := offsetOf(data, fault.Line, fault.Col)
	if at < 0 || word == "" {
		return nil
	}
	for _, quote := range []string{"", `"`, "'"} {
		if rest, ok := bytes.CutPrefix(data[at:], []byte(quote+word+quote)); ok && bytes.HasPrefix(bytes.TrimLeft(rest, " "), []byte(":")) {
			return slices.Concat(data[:at], []byte(quote+meant+quote), rest)
		}
	}
	return nil
}

// offsetOf is where a line and a column are, which count letters from 1; -1 where there is no
// such place.
func offsetOf(data []byte, line, col int) int {
	at := 0
	for n := 1; n < line; n++ {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			return -1
		}
		at += end + 1
	}
	letters := []rune(string(bytes.SplitN(data[at:], []byte("\n"), 2)[0]))
	if line < 1 || col < 1 || col > len(letters) {
		return -1
	}
	return at + len(string(letters[:col-1]))
}
