package objects

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// Style is how differences are shown as text. The zero value has no colour.
type Style struct {
	// Color has added, removed and named things stand out on a terminal.
	Color bool
	// Old and New, if not empty, are what the two sets are called.
	Old, New string
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	bold   = "\x1b[1m"
	normal = "\x1b[0m"
)

func (s Style) paint(color, text string) string {
	if !s.Color {
		return text
	}
	return color + text + normal
}

// Summary says in a line what becomes of an object.
func (d *Difference) Summary() string { return d.summary(Style{}) }

func (d *Difference) summary(s Style) string {
	name := fault.OneLine(d.Object().String())
	switch {
	case d.Old == nil && s.New != "":
		return "+ " + name + " is in " + s.New + " alone"
	case d.New == nil && s.Old != "":
		return "- " + name + " is in " + s.Old + " alone"
	case d.Old == nil:
		return "+ " + name + " is new"
	case d.New == nil:
		return "- " + name + " is gone"
	case len(d.Changes) == 1:
		return "~ " + name + ": 1 field differs"
	}
	return fmt.Sprintf("~ %s: %d fields differ", name, len(d.Changes))
}

// Write shows differences: a line for each object and, below it, each field with where it
// comes from, what it was and what it is.
func Write(w io.Writer, all []Difference, s Style) error {
	var b strings.Builder
	for n := range all {
		d := &all[n]
		b.WriteString(s.paint(bold, d.summary(s)) + "\n")
		for _, c := range d.Changes {
			b.WriteString("    " + fault.OneLine(c.Path.String()))
			if at := d.Place(c).String(); at != "" {
				b.WriteString("  (" + fault.OneLine(at) + ")")
			}
			if by := c.By.String(); by != "" {
				b.WriteString("  by " + fault.OneLine(by))
			}
			b.WriteByte('\n')
			if c.Old != nil {
				b.WriteString(s.paint(red, "    - "+Text(c.Old)) + "\n")
			}
			if c.New != nil {
				b.WriteString(s.paint(green, "    + "+Text(c.New)) + "\n")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mostText bounds how much of a value is shown, in bytes.
const mostText = 400

// Text is a value on one line: a text as it is, anything else as JSON has it, shortened
// where it is long.
func Text(v any) string {
	s, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		s = string(data)
	} else if strings.ContainsAny(s, "\n\r\t") || strings.TrimSpace(s) != s || s == "" {
		data, _ := json.Marshal(s) // a text can always be
		s = string(data)
	}
	s = fault.Printable(s)
	if len(s) > mostText {
		s = strings.ToValidUTF8(s[:mostText], "") + "…"
	}
	return s
}

// Report is a difference as JSON has it.
type Report struct {
	// Change is added, removed or changed.
	Change     string        `json:"change"`
	APIVersion string        `json:"objectAPIVersion"`
	Kind       string        `json:"objectKind"`
	Namespace  string        `json:"namespace,omitempty"`
	Name       string        `json:"name"`
	Place      Place         `json:"origin,omitzero"`
	Fields     []FieldReport `json:"fields"`
}

// FieldReport is a field that differs. Old and New are absent where it was not there.
type FieldReport struct {
	Path  string `json:"path"`
	Old   any    `json:"old,omitempty"`
	New   any    `json:"new,omitempty"`
	Place Place  `json:"origin,omitzero"`
	// Manager is who has set it so in a cluster, where that is known.
	Manager Manager `json:"manager,omitzero"`
}

// Report is the difference for programs.
func (d *Difference) Report() Report {
	o := d.Object()
	r := Report{Change: "changed", APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Place: o.Place(nil), Fields: []FieldReport{}}
	switch {
	case d.Old == nil:
		r.Change = "added"
	case d.New == nil:
		r.Change = "removed"
	}
	for _, c := range d.Changes {
		r.Fields = append(r.Fields, FieldReport{c.Path.String(), c.Old, c.New, d.Place(c), c.By})
	}
	return r
}

// Markdown shows differences in a pull request, at most so many lines: a summary line for
// each object, and the fields as a diff. Nothing in it is taken for Markdown; of the style
// the names of the sets count.
func Markdown(all []Difference, most int, s Style) string {
	var b strings.Builder
	for n := range all {
		if n == most {
			fmt.Fprintf(&b, "- and %d more\n", len(all)-most)
			break
		}
		fmt.Fprintf(&b, "- %s\n", Code(all[n].summary(s)))
	}
	var text strings.Builder
	lines := 0
	for n := range all {
		d := &all[n]
		for _, c := range d.Changes {
			if lines++; lines > most {
				continue
			}
			fmt.Fprintf(&text, "  %s %s", fault.OneLine(d.Object().String()), fault.OneLine(c.Path.String()))
			if by := c.By.String(); by != "" {
				text.WriteString(" by " + fault.OneLine(by))
			}
			text.WriteByte('\n')
			if c.Old != nil {
				text.WriteString("- " + Text(c.Old) + "\n")
			}
			if c.New != nil {
				text.WriteString("+ " + Text(c.New) + "\n")
			}
		}
	}
	if lines > most {
		fmt.Fprintf(&text, "  and %d more fields\n", lines-most)
	}
	if text.Len() > 0 {
		fmt.Fprintf(&b, "\n<details><summary>Fields</summary>\n\n```diff\n%s```\n\n</details>\n", strings.ReplaceAll(text.String(), "```", "'''"))
	}
	return b.String()
}

// Code is a text that Markdown leaves as it is.
func Code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "¦").Replace(s) + "`"
}
