package promote

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// The keys of the trailers that record a promotion in a commit. A set begins
// with Promotion-Service; there is one set for each service.
const (
	trailerService      = "Promotion-Service"
	trailerFrom         = "Promotion-From"
	trailerTo           = "Promotion-To"
	trailerImage        = "Promotion-Image"
	trailerSourceCommit = "Promotion-Source-Commit"
	trailerGate         = "Promotion-Gate"
	trailerRules        = "Promotion-Rules"
	trailerAlong        = "Promotion-Along"
)

// Overridden stands in a record in the place of a gate's answer that was no, or
// unknown, and did not stop the promotion.
const Overridden = "overridden"

// Trailers are what a commit says about one service's promotion.
type Trailers struct {
	Service string `json:"service"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	// Images are written as repository[:tag][@digest].
	Images []string `json:"images,omitempty"`
	// Along is what moved with them: "kind name=value".
	Along        []string `json:"along,omitempty"`
	SourceCommit string   `json:"sourceCommit,omitempty"`
	// Gates are written as "name=answer; reason".
	Gates []string `json:"gates,omitempty"`
	// Rules are the files that it was judged by that are not those of the commit
	// that it was made on: "kind digest name".
	Rules []string `json:"rules,omitempty"`
}

// message is the message of the commit that carries the plan out: a subject, a
// table where several images move, and a set of trailers for each service.
func (p *Plan) message() string {
	services := p.changed()
	var b strings.Builder
	b.WriteString(p.Subject() + "\n\n")
	images := 0
	for _, s := range services {
		images += len(s.Images)
	}
	if images > 1 {
		b.WriteString(imageTable(services))
		b.WriteByte('\n')
	}
	for _, s := range services {
		for _, t := range p.trailers(s) {
			fmt.Fprintf(&b, "%s: %s\n", t[0], escapeTrailer(t[1]))
		}
	}
	return b.String()
}

// Subject is the first line of the commit's message.
func (p *Plan) Subject() string { return fmt.Sprintf("promote(%s): %s", p.To, p.what(p.changed())) }

func (p *Plan) what(services []*ServicePlan) string {
	if len(services) != 1 {
		return fmt.Sprintf("%d services from %s", len(services), p.From)
	}
	s := services[0]
	pins := make(map[string]bool)
	for _, i := range s.Images {
		pins[i.New.Short()] = true
	}
	switch {
	case len(pins) == 0 && len(s.Along) == 1:
		return s.Service + " → " + escapeTrailer(s.Along[0].New)
	case len(pins) == 0:
		return s.Service
	case len(pins) == 1:
		return s.Service + " → " + escapeTrailer(s.Images[0].New.Short())
	}
	return fmt.Sprintf("%s, %d images", s.Service, len(s.Images))
}

// imageTable lists the images with their old and new pins.
func imageTable(services []*ServicePlan) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range services {
		for _, i := range s.Images {
			fmt.Fprintf(w, "%s\t%s\t%s → %s\n", s.Service, escapeTrailer(i.Name), escapeTrailer(i.Old.Short()), escapeTrailer(i.New.Short()))
		}
	}
	_ = w.Flush() // a strings.Builder does not fail
	return b.String()
}

func (p *Plan) trailers(s *ServicePlan) [][2]string {
	out := [][2]string{{trailerService, s.Service}, {trailerFrom, p.From}, {trailerTo, p.To}}
	for _, i := range s.Images {
		if i.Old == i.New {
			continue // it was there before, and this promotion has not looked at it
		}
		if t := [2]string{trailerImage, i.New.Ref(i.Repository)}; !slices.Contains(out, t) { // which several files may have
			out = append(out, t)
		}
	}
	for _, a := range s.Along {
		out = append(out, [2]string{trailerAlong, a.Kind + " " + a.Name + "=" + a.New})
	}
	if p.Head != "" {
		out = append(out, [2]string{trailerSourceCommit, p.Head})
	}
	for _, r := range p.Rules {
		out = append(out, [2]string{trailerRules, r.Kind + " " + r.Digest + " " + r.Name})
	}
	for _, v := range s.Verdicts {
		answer, reason := string(v.Answer), v.Reason
		if v.Override != "" {
			answer, reason = Overridden, v.Override+": "+v.Reason
		}
		out = append(out, [2]string{trailerGate, fmt.Sprintf("%s=%s; %s", v.Gate, answer, reason)})
	}
	return out
}

// escapeTrailer keeps a value on its line: line breaks, control characters, bytes
// that are no text and the escape character itself are written as in URLs.
func escapeTrailer(value string) string {
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

// unescapeTrailer is the reverse; what is no escape stays as it is.
func unescapeTrailer(value string) string {
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

// isRecordedBy tells by an error in what a message differs from the plan's record.
func (p *Plan) isRecordedBy(message string) error {
	want, got := recordLines(p.message()), recordLines(message)
	for i := 0; i < len(want) || i < len(got); i++ {
		switch {
		case i >= len(got):
			return failure("", "%q is missing", want[i])
		case i >= len(want):
			return failure("", "%q was added", got[i])
		case got[i] != want[i]:
			return failure("", "%q stands in place of %q", got[i], want[i])
		}
	}
	return nil
}

// recordLines gives the lines of a record as they stand.
func recordLines(message string) []string {
	var lines []string
	for line := range strings.Lines(recordParagraph(message)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "Promotion-") {
			lines = append(lines, line)
		}
	}
	return lines
}

// recordParagraph gives the last paragraph of a message, where Git has trailers.
// Forges put one behind it that names the authors of what they have squashed.
func recordParagraph(message string) string {
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
func namesAuthors(paragraph string) bool {
	for line := range strings.Lines(paragraph) {
		if key, _, ok := strings.Cut(line, ":"); !ok || !strings.EqualFold(key, "Co-authored-by") {
			return false
		}
	}
	return true
}

// ParseTrailers reads the records in a commit's message: those of its last
// paragraph, as Git has it, or of the one before where that names co-authors alone.
// Other trailers are skipped.
func ParseTrailers(message string) []Trailers {
	message = recordParagraph(message)
	var sets []Trailers
	for _, line := range strings.Split(message, "\n") {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = unescapeTrailer(strings.TrimSpace(value))
		if key == trailerService {
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
	case trailerFrom:
		t.From = value
	case trailerTo:
		t.To = value
	case trailerImage:
		t.Images = append(t.Images, value)
	case trailerAlong:
		t.Along = append(t.Along, value)
	case trailerSourceCommit:
		t.SourceCommit = value
	case trailerGate:
		t.Gates = append(t.Gates, value)
	case trailerRules:
		t.Rules = append(t.Rules, value)
	}
}
