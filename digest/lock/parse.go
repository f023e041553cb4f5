package lock

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// maxFaults bounds how many faults of one file are reported.
const maxFaults = 20

// ParseLock reads a lock file; see [Lock] for its form. name is the file's name
// in messages. Faults are [*FileError] values, joined, each with its place. An
// image that stands twice and not with the same content, and what a merge in
// Git leaves behind, are faults. Lines may end in CR LF.
func ParseLock(name string, data []byte) (*Lock, error) {
	p := &lockParser{lock: &Lock{name: name, entries: make(map[digest.Reference]*lockEntry)}}
	switch {
	case len(data) > maxLockSize:
		p.add(0, 0, "", "is larger than %d MiB", maxLockSize>>20)
		return nil, p.err()
	case len(data) == 0:
		p.add(0, 0, "remove it, or write this line", "is empty, the first line is to be %q", lockHeader)
		return nil, p.err()
	}
	for line := range bytes.Lines(data) {
		p.number++
		text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
		if p.number == 1 {
			if !p.header(text) {
				break
			}
			continue
		}
		p.line(text)
		if len(p.errs) >= maxFaults {
			break
		}
	}
	if len(p.errs) > 0 {
		return nil, p.err()
	}
	p.lock.tail = p.comments
	return p.lock, nil
}

type lockParser struct {
	lock     *Lock
	number   int      // of the line that is being read, from 1
	comments []string // above the image that comes next
	errs     []error
}

func (p *lockParser) add(line, col int, hint, format string, args ...any) {
	p.errs = append(p.errs, &FileError{File: p.lock.Name(), Line: line, Col: col, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (p *lockParser) err() error { return errors.Join(p.errs...) }

// merged adds a fault that a merge has left, after which the lock is to be updated.
func (p *lockParser) merged(before, format string, args ...any) {
	p.errs = append(p.errs, &FileError{File: p.lock.Name(), Line: p.number, Col: 1, Msg: fmt.Sprintf(format, args...),
		do: DoUpdateLock, with: map[string]string{"lock": p.lock.Name(), "before": before}})
}

// header reads the first line. Where it is another one, nothing is known about
// the rest.
func (p *lockParser) header(text string) bool {
	switch version, ours := strings.CutPrefix(text, strings.TrimSuffix(lockHeader, "1")); {
	case text == lockHeader:
		return true
	case isConflictMarker(text):
		p.conflict()
	case ours:
		p.add(1, len(lockHeader), "use a newer kubectl promote", "version v%s of the lock file is not known, this is v1", strings.TrimSpace(fault.Shorten(version)))
	default:
		p.add(1, 1, "", "the first line is not %q", lockHeader)
	}
	return false
}

func (p *lockParser) line(text string) {
	switch at := grammar.BadRune(text); {
	case len(text) > maxLockLine:
		p.add(p.number, maxLockLine+1, "", "line longer than %d bytes", maxLockLine)
	case isConflictMarker(text):
		p.conflict()
	case at >= 0:
		p.add(p.number, utf8.RuneCountInString(text[:at])+1, "", "character %s", grammar.QuoteFirst(text[at:]))
	case strings.HasPrefix(text, "#"):
		p.comments = append(p.comments, strings.TrimRight(text, " \t"))
	case strings.Trim(text, " \t") == "":
		if len(p.lock.entries) == 0 && p.lock.head == nil {
			p.lock.head, p.comments = p.comments, nil
		}
	default:
		p.entry(text)
	}
}

// isConflictMarker knows the lines that Git puts around what it could not merge.
func isConflictMarker(text string) bool {
	return slices.ContainsFunc([]string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"}, func(marker string) bool {
		return text == marker || strings.HasPrefix(text, marker+" ")
	})
}

func (p *lockParser) conflict() {
	p.merged("remove the marker, keep one line for each image, then run", "conflict marker of a merge")
}

func (p *lockParser) entry(text string) {
	entry, key, at, why := parseLockLine(text)
	if why != "" {
		p.add(p.number, at+1, "", "%s", why)
		return
	}
	if len(p.lock.entries) == maxLockEntries && p.lock.entries[key] == nil {
		p.add(p.number, 1, "", "%s", tooManyImages())
		return
	}
	e := &lockEntry{Locked: entry, comments: p.comments, line: p.number}
	p.comments = nil
	first := p.lock.entries[key]
	if first == nil {
		p.lock.entries[key] = e
		return
	}
	what := ""
	switch {
	case first.Digest != e.Digest:
		what = fmt.Sprintf("is %s here and %s", e.Digest, first.Digest)
	case first.MediaType != e.MediaType:
		what = fmt.Sprintf("is %q here and %q", e.MediaType, first.MediaType)
	case !slices.Equal(first.Platforms, e.Platforms):
		what = "has other platforms here than"
	default:
		// Both sides of a merge added it. Which spelling stays must not depend
		// on the order.
		first.Ref = min(first.Ref, e.Ref)
		first.comments = mergeComments(first.comments, e.comments)
		return
	}
	p.merged("keep one of the two lines, or remove both and run",
		"image %q %s at %s:%d:1", e.Ref, what, p.lock.Name(), first.line)
}

func mergeComments(a, b []string) []string {
	for _, c := range b {
		if !slices.Contains(a, c) {
			a = append(a, c)
		}
	}
	return a
}

// parseLockLine returns the offset of the first fault and what it is.
func parseLockLine(text string) (e Locked, key digest.Reference, at int, why string) {
	if tab := strings.IndexByte(text, '\t'); tab >= 0 {
		return e, key, utf8.RuneCountInString(text[:tab]), "tab, fields are separated by one space"
	}
	fields, offset := strings.Split(text, " "), 0
	for i, field := range fields {
		switch {
		case field == "":
			at, why = 0, "space at the start or end of the line, or two in a row"
		case i == 0:
			key, at, why = e.readRef(field)
		case i == 1:
			e.Digest = field
			at, why = grammar.CheckDigest(field)
			if why == "" && key.Digest != "" && key.Digest != field {
				at, why = 0, "another digest than the reference has"
			}
		case i == 2 && field == noMediaType:
		case i == 2:
			e.MediaType = field
			at, why = checkMediaType(field)
		default:
			at, why = e.addPlatform(field)
		}
		if why != "" {
			return e, key, offset + at, why
		}
		offset += len(field) + 1
	}
	if len(fields) < 3 {
		return e, key, len(text), "the line ends after " + strconv.Itoa(len(fields)) + " of 3 fields: reference, digest, media type or \"-\""
	}
	e.Platforms = sortedPlatforms(e.Platforms)
	return e, key, 0, ""
}

func (e *Locked) readRef(field string) (digest.Reference, int, string) {
	parsed, at, why := grammar.ParseReference(field)
	ref := digest.Reference(parsed)
	switch {
	case why != "":
		return ref, at, why
	case ref.Tag != "" && ref.Digest != "":
		return ref, len(field) - len(ref.Digest) - 1, "digest in a reference with a tag, the digest has a field of its own"
	}
	e.Ref = field
	return lockKey(ref), 0, ""
}

func (e *Locked) addPlatform(field string) (int, string) {
	name, digest, ok := strings.Cut(field, "=")
	if at, why := grammar.CheckPlatform(name); why != "" {
		return at, why
	}
	if !ok {
		return len(field), "no \"=\" and digest behind the platform"
	}
	if at, why := grammar.CheckDigest(digest); why != "" {
		return len(name) + 1 + at, why
	}
	if slices.ContainsFunc(e.Platforms, func(p LockedPlatform) bool { return p.Platform == name }) {
		return 0, "platform " + strconv.Quote(name) + " stands twice"
	}
	if len(e.Platforms) == maxPlatforms {
		return 0, fmt.Sprintf("more than %d platforms", maxPlatforms)
	}
	e.Platforms = append(e.Platforms, LockedPlatform{Platform: name, Digest: digest})
	return 0, ""
}
