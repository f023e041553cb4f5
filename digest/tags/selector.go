package tags

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	maxSelectorLen = 2048
	maxPatternLen  = 1024
	// wordPrereleases lets prereleases in that the range does not name.
	wordPrereleases = "prereleases"
)

// orderKind is what tags are ordered by.
type orderKind int

const (
	bySemver orderKind = iota
	byNumber
	byText
	byCreated
)

// Selector chooses the newest of the tags of a repository. Make it with
// [ParseSelector]. It is safe for concurrent use.
type Selector struct {
	text       string
	pattern    *regexp.Regexp // nil: every tag takes part
	group      int            // of pattern, whose text is ordered; 0 is the whole tag
	kind       orderKind
	descending bool
	rangeText  string              // of kind bySemver, for messages
	versions   *semver.Constraints // of kind bySemver
	bounds     []numberBound       // of kind byNumber
}

// numberBound is one side of an interval: op is "<", "<=", ">", ">=" or "=".
type numberBound struct{ op, number string }

// SelectorError is a selector outside the grammar of [ParseSelector].
type SelectorError struct {
	// Selector is the text as it was given.
	Selector string
	// At is the position of the fault in bytes, from 1.
	At int
	// Msg says what it is.
	Msg string
	// Hint, if any, says what to write.
	Hint string
}

// Error is one line with the selector, the position and the fault.
func (e *SelectorError) Error() string {
	return fault.OneLine(fmt.Sprintf("selector %q: byte %d: %s", fault.Shorten(e.Selector), e.At, e.Msg))
}

// HintText gives the hint, or "".
func (e *SelectorError) HintText() string { return e.Hint }

const selectorHint = "write semver:RANGE, numeric:asc, alphabetical:asc or created, each also behind regexp:PATTERN and a space"

// ParseSelector parses how to find the newest tag: an order, or a pattern, a
// space and an order.
//
//	semver:>=1.0 <2
//	regexp:^main-[0-9a-f]+-(?P<n>\d+)$ numeric:n
//	regexp:^v(.*)-alpine$ semver:^3.1 prereleases
//	alphabetical:desc
//	regexp:^main- created
//
// "regexp:PATTERN" (the syntax of package regexp, not anchored, up to the first
// space) leaves only the tags that match. A group in it makes the text of that
// group what is ordered, in place of the whole tag. With several groups the
// order names one. In the terms of Flux's ImagePolicy this is filterTags with
// pattern, extract being one group.
//
// The orders, each of them followed by a colon and words where it has any:
//
//   - "semver" takes versions of two or three numbers, with or without a "v" in
//     front: the highest is the newest. A lone number is no version, since tags
//     such as 20240131 or an abbreviated commit would be. The words are a range
//     as github.com/Masterminds/semver defines them, "*" if left out. Prereleases
//     take part only in those parts of a range, separated by "||", that name a
//     prerelease (">=1.0-0"), or everywhere with the word "prereleases" at the end.
//   - "numeric" takes decimal numbers of any length, compared exactly. The words
//     are "asc" (the default: the largest is the newest) or "desc" (the smallest
//     is) and bounds: ">=100 <200". The operators are <, <=, >, >= and =.
//   - "alphabetical" compares bytes. The words are "asc" (the default: the last
//     is the newest) or "desc" (the first is).
//   - "created" compares when images were built, which costs requests for each
//     tag that takes part; see [Selector.SelectCreated].
//
// In an order with words, the first of them may be the name of a group of the
// pattern. Errors are [*SelectorError] values.
func ParseSelector(s string) (*Selector, error) {
	sel, e := parseSelector(s)
	if e != nil {
		e.Selector, e.At = s, e.At+1
		return nil, e
	}
	return sel, nil
}

// String is the selector as it was given.
func (s *Selector) String() string { return s.text }

// NeedsCreated says whether the times at which images were built decide.
func (s *Selector) NeedsCreated() bool { return s.kind == byCreated }

// parseSelector counts positions from 0.
func parseSelector(text string) (*Selector, *SelectorError) {
	if len(text) > maxSelectorLen {
		return nil, &SelectorError{At: maxSelectorLen, Msg: fmt.Sprintf("longer than %d bytes", maxSelectorLen)}
	}
	if at := grammar.BadRune(text); at >= 0 {
		return nil, &SelectorError{At: at, Msg: "character " + grammar.QuoteFirst(text[at:])}
	}
	sel := &Selector{text: text}
	offset := 0
	if rest, ok := strings.CutPrefix(text, "regexp:"); ok {
		pattern, _, _ := strings.Cut(rest, " ")
		offset = len("regexp:")
		if e := sel.compile(pattern, offset); e != nil {
			return nil, e
		}
		offset += len(pattern)
	}
	offset += grammar.Span(text[offset:], isSpace)
	name, words, _ := strings.Cut(text[offset:], ":")
	name = strings.TrimRight(name, " ")
	at := offset + len(text[offset:]) - len(words)
	parse := map[string]func(string, int) *SelectorError{
		"semver": sel.parseSemver, "numeric": sel.parseNumeric,
		"alphabetical": sel.parseAlphabetical, "created": sel.parseCreated,
	}[name]
	if parse == nil {
		msg := "unknown order " + fmt.Sprintf("%q", name)
		if name == "" {
			msg = "no order"
		}
		return nil, &SelectorError{At: offset, Msg: msg, Hint: selectorHint}
	}
	words, at, e := sel.takeGroup(words, at)
	if e == nil {
		e = parse(words, at)
	}
	if e != nil {
		return nil, e
	}
	return sel, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func (s *Selector) compile(pattern string, at int) *SelectorError {
	switch {
	case pattern == "":
		return &SelectorError{At: at, Msg: "empty pattern"}
	case len(pattern) > maxPatternLen:
		return &SelectorError{At: at + maxPatternLen, Msg: fmt.Sprintf("pattern longer than %d bytes", maxPatternLen)}
	}
	var err error
	if s.pattern, err = regexp.Compile(pattern); err != nil {
		var e *syntax.Error
		if !errors.As(err, &e) {
			return &SelectorError{At: at, Msg: "pattern is no regular expression"}
		}
		return &SelectorError{At: at + max(0, strings.Index(pattern, e.Expr)), Msg: fmt.Sprintf("pattern: %s in %q", e.Code, fault.Shorten(e.Expr))}
	}
	return nil
}

// takeGroup settles which group of the pattern is ordered, and takes its name
// off the words.
func (s *Selector) takeGroup(words string, at int) (string, int, *SelectorError) {
	n := grammar.Span(words, isSpace)
	words, at = words[n:], at+n
	if s.pattern == nil {
		return words, at, nil
	}
	first, rest, _ := strings.Cut(words, " ")
	if i := s.pattern.SubexpIndex(first); first != "" && i > 0 {
		s.group = i
		n = grammar.Span(rest, isSpace)
		return rest[n:], at + len(words) - len(rest) + n, nil
	}
	switch s.pattern.NumSubexp() {
	case 0:
	case 1:
		s.group = 1
	default:
		var names []string
		for _, name := range s.pattern.SubexpNames() {
			if name != "" {
				names = append(names, name)
			}
		}
		hint := "name one as (?P<n>…), and write its name behind the order's colon, as in numeric:n"
		if len(names) > 0 {
			hint = "write one of these behind the order's colon: " + strings.Join(names, ", ")
		}
		return "", 0, &SelectorError{At: at, Msg: fmt.Sprintf("the pattern has %d groups, and the order names none", s.pattern.NumSubexp()), Hint: hint}
	}
	return words, at, nil
}

func (s *Selector) parseSemver(words string, at int) *SelectorError {
	s.kind = bySemver
	words = strings.TrimRight(words, " \t")
	all := false
	if rest, ok := strings.CutSuffix(words, wordPrereleases); ok && (rest == "" || isSpace(rest[len(rest)-1])) {
		words, all = strings.TrimRight(rest, " \t"), true
	}
	s.rangeText = words
	if words == "" {
		s.rangeText = "*"
	}
	switch parts := strings.Split(words, "||"); {
	case len(words) > semver.MaxConstraintLen:
		return &SelectorError{At: at + semver.MaxConstraintLen, Msg: fmt.Sprintf("range longer than %d bytes", semver.MaxConstraintLen)}
	case len(parts) > semver.MaxConstraintGroups:
		return &SelectorError{At: at, Msg: fmt.Sprintf("range of more than %d parts", semver.MaxConstraintGroups)}
	}
	versions, err := semver.NewConstraint(s.rangeText)
	if err != nil {
		offset := rangeFault(words)
		word, _, _ := strings.Cut(words[offset:], " ")
		return &SelectorError{At: at + offset, Msg: fmt.Sprintf("not a range of versions from %q on", fault.Shorten(word)), Hint: "write a range such as >=1.0 <2, ~1.4, ^2 or 1.x"}
	}
	versions.IncludePrerelease = all
	s.versions = versions
	return nil
}

// rangeFault is the offset of the first word with which a range stops being one:
// the library does not tell.
func rangeFault(text string) int {
	start := 0
	for part := range strings.SplitSeq(text, "||") {
		if _, err := semver.NewConstraint(part); err != nil {
			return start + longestRange(part)
		}
		start += len(part) + len("||")
	}
	return 0
}

func longestRange(part string) int {
	good := grammar.Span(part, isSpace)
	for i := range part {
		if !isSpace(part[i]) && part[i] != ',' || i <= good {
			continue
		}
		if _, err := semver.NewConstraint(part[:i]); err == nil && strings.TrimSpace(part[:i]) != "" {
			good = i + grammar.Span(part[i:], func(c byte) bool { return isSpace(c) || c == ',' })
		}
	}
	return min(good, max(0, len(part)-1))
}

func (s *Selector) parseNumeric(words string, at int) *SelectorError {
	s.kind = byNumber
	ordered := false
	return eachWord(words, at, func(word string, at int) *SelectorError {
		op := word[:grammar.Span(word, func(c byte) bool { return strings.IndexByte("<>=!", c) >= 0 })]
		switch {
		case op == "" && !ordered:
			ordered = true
			return s.parseDirection(word, at)
		case op == "":
			return &SelectorError{At: at, Msg: fmt.Sprintf("%q behind the direction, only bounds such as >=10 come here", fault.Shorten(word))}
		case !slices.Contains([]string{"<", "<=", ">", ">=", "="}, op):
			return &SelectorError{At: at, Msg: fmt.Sprintf("unknown operator %q", op), Hint: "write <, <=, >, >= or ="}
		case !isDecimal(word[len(op):]):
			return &SelectorError{At: at + len(op), Msg: "no number behind " + fmt.Sprintf("%q", op)}
		}
		ordered = true
		s.bounds = append(s.bounds, numberBound{op, word[len(op):]})
		return nil
	})
}

func (s *Selector) parseAlphabetical(words string, at int) *SelectorError {
	s.kind = byText
	given := false
	return eachWord(words, at, func(word string, at int) *SelectorError {
		if given {
			return &SelectorError{At: at, Msg: fmt.Sprintf("%q behind the direction", fault.Shorten(word))}
		}
		given = true
		return s.parseDirection(word, at)
	})
}

// parseCreated takes no words, and no group: nothing but the time is ordered.
func (s *Selector) parseCreated(words string, at int) *SelectorError {
	s.kind, s.group = byCreated, 0
	return eachWord(words, at, func(word string, at int) *SelectorError {
		return &SelectorError{At: at, Msg: fmt.Sprintf("%q behind created, which has no words", fault.Shorten(word))}
	})
}

func (s *Selector) parseDirection(word string, at int) *SelectorError {
	switch word {
	case "asc":
		return nil
	case "desc":
		s.descending = true
		return nil
	}
	msg := fmt.Sprintf("%q is neither asc nor desc", fault.Shorten(word))
	if s.pattern != nil {
		msg += ", nor a group of the pattern"
	}
	return &SelectorError{At: at, Msg: msg}
}

func eachWord(words string, at int, f func(word string, at int) *SelectorError) *SelectorError {
	for i := 0; i < len(words); {
		i += grammar.Span(words[i:], isSpace)
		n := grammar.Span(words[i:], func(c byte) bool { return !isSpace(c) })
		if n == 0 {
			return nil
		}
		if e := f(words[i:i+n], at+i); e != nil {
			return e
		}
		i += n
	}
	return nil
}
