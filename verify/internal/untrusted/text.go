// Package untrusted handles what came from outside and may be hostile: it makes
// text fit for a message, bounds JSON before it is parsed, and keeps a panic of a
// parser from the caller.
package untrusted

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// The bounds of texts, in characters.
const (
	MaxText    = 200  // text from outside that is part of a message
	MaxMessage = 1000 // a message with names of images in it
)

// OneLine makes text that came from outside fit for a one-line message: no
// control characters, which could move a terminal's cursor, and not too long.
func OneLine(s string) string { return clean(s, MaxText) }

// Message is OneLine for a whole message.
func Message(s string) string { return clean(s, MaxMessage) }

func clean(s string, limit int) string {
	s = strings.Join(strings.Fields(fault.Printable(s)), " ")
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

// Quoted is OneLine for text whose limits must be seen.
func Quoted(s string) string { return strconv.Quote(OneLine(s)) }

// Number is a number with what there are of it, in the plural where it has to be.
func Number(n int, what string) string {
	if n != 1 && what != "more" {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// PlainProto makes one plain line of an error of the parser of protocol buffers,
// which varies its spaces on purpose.
func PlainProto(err error) string {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return OneLine(strings.NewReplacer("failed to proto-json unmarshal trusted root: ", "", "proto: ", "").Replace(text))
}

// BareFile takes the path out of an error.
func BareFile(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return OneLine(err.Error())
}
