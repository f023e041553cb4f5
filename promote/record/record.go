// Package record is what a promotion leaves in the message of its commit: a set of
// trailers for each service (https://git-scm.com/docs/git-interpret-trailers).
//
// [Parse] reads the sets of a message, as a promotion wrote them or as a forge has left
// them: a squash puts a paragraph of co-authors behind them. [Escape] keeps a value on
// its line, so that no service's name, tag or reason can add a trailer. [Lines] are what
// two messages are compared by.
package record

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The keys of the trailers that record a promotion in a commit. A set begins
// with Promotion-Service; there is one set for each service.
const (
	KeyService      = "Promotion-Service"
	KeyFrom         = "Promotion-From"
	KeyEntry        = "Promotion-Entry"
	KeyTo           = "Promotion-To"
	KeyImage        = "Promotion-Image"
	KeySourceCommit = "Promotion-Source-Commit"
	KeyGate         = "Promotion-Gate"
	KeyRules        = "Promotion-Rules"
	KeyOverride     = "Promotion-Override"
	KeyAlong        = "Promotion-Along"
	KeyRollbackOf   = "Promotion-Rollback-Of"
	KeyReason       = "Promotion-Reason"
)

// Overridden stands in a record in the place of a gate's answer that was no, or
// unknown, and did not stop the promotion.
const Overridden = "overridden"

// Trailers are what a commit says about one service's promotion.
type Trailers struct {
	Service string `json:"service"`
	// From is empty where images came in from outside. Entry says by what: "version" or
	// "newest", a blank, and the version or the rule that was asked for.
	From  string `json:"from,omitempty"`
	Entry string `json:"entry,omitempty"`
	To    string `json:"to,omitempty"`
	// RollbackOf is the commit of the oldest change that this one takes back, where it does;
	// then From and Entry are empty. Reason says why.
	RollbackOf string `json:"rollbackOf,omitempty"`
	Reason     string `json:"reason,omitempty"`
	// Images are written as repository[:tag][@digest].
	Images []string `json:"images,omitempty"`
	// Along is what moved with them: "kind name=value".
	Along        []string `json:"along,omitempty"`
	SourceCommit string   `json:"sourceCommit,omitempty"`
	// Gates are written as "name=answer; reason".
	Gates []string `json:"gates,omitempty"`
	// Overrides are the gates that somebody went past.
	Overrides []Override `json:"overrides,omitempty"`
	// Rules are the files that it was judged by that are not those of the commit
	// that it was made on: "kind digest name".
	Rules []string `json:"rules,omitempty"`
}

// Escape keeps a value on its line: line breaks, control characters, bytes
// that are no text and the escape character itself are written as in URLs.
func Escape(value string) string {
	value = strings.TrimSpace(value)
	escaped := func(r rune) bool { return r == '%' || unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
	if utf8.ValidString(value) && strings.IndexFunc(value, escaped) < 0 {
		return value
	}
	var b strings.Builder
	for len(value) > 0 {
		r, n := utf8.DecodeRuneInString(value)
		if escaped(r) || r == utf8.RuneError && n == 1 {
			for _, c := range []byte(value[:n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(value[:n])
		}
		value = value[n:]
	}
	return b.String()
}

// unescape is the reverse; what is no escape stays as it is.
func unescape(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		var c byte
		if value[i] == '%' && i+2 < len(value) {
			if _, err := fmt.Sscanf(value[i+1:i+3], "%02X", &c); err == nil {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// Lines gives the lines of a record as they stand.
func Lines(message string) []string {
	var lines []string
	for line := range strings.Lines(paragraph(message)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "Promotion-") {
			lines = append(lines, line)
		}
	}
	return lines
}

// paragraph gives the last paragraph of a message, where Git has trailers.
// Forges put one behind it that names the authors of what they have squashed.
func paragraph(message string) string {
	message = strings.TrimRight(strings.ReplaceAll(message, "\r\n", "\n"), "\n \t")
	for {
		i := strings.LastIndex(message, "\n\n")
		if i < 0 {
			return "" // a subject alone has no trailers
		}
		last := message[i+2:]
		if !namesAuthors(last) {
			return last
		}
		message = strings.TrimRight(message[:i], "\n \t")
	}
}

// namesAuthors tells whether a paragraph has nothing but co-authors.
func namesAuthors(text string) bool {
	for line := range strings.Lines(text) {
		if key, _, ok := strings.Cut(line, ":"); !ok || !strings.EqualFold(key, "Co-authored-by") {
			return false
		}
	}
	return true
}

// Parse reads the records in a commit's message: those of its last
// paragraph, as Git has it, or of the one before where that names co-authors alone.
// Other trailers are skipped.
func Parse(message string) []Trailers {
	message = paragraph(message)
	var sets []Trailers
	for _, line := range strings.Split(message, "\n") {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = unescape(strings.TrimSpace(value))
		if key == KeyService {
			sets = append(sets, Trailers{Service: value})
			continue
		}
		if len(sets) > 0 {
			sets[len(sets)-1].add(key, value)
		}
	}
	return sets
}

func (t *Trailers) add(key, value string) {
	switch key {
	case KeyFrom:
		t.From = value
	case KeyEntry:
		t.Entry = value
	case KeyTo:
		t.To = value
	case KeyImage:
		t.Images = append(t.Images, value)
	case KeyAlong:
		t.Along = append(t.Along, value)
	case KeyRollbackOf:
		t.RollbackOf = value
	case KeyReason:
		t.Reason = value
	case KeySourceCommit:
		t.SourceCommit = value
	case KeyGate:
		t.Gates = append(t.Gates, value)
	case KeyRules:
		t.Rules = append(t.Rules, value)
	case KeyOverride:
		t.Overrides = append(t.Overrides, parseOverride(value))
	}
}
