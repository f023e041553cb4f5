package policy

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// renaming says under which other names images may be used that were signed
// under some names: mirrors and copies.
type renaming struct {
	from *regexp.Regexp
	to   []string // the texts between the stars
}

func (d *decoder) renamings(n *yaml.Node) []renaming {
	var all []renaming
	for _, e := range d.list(n, "names") {
		f := d.fields(e, "names", "from", "to")
		if f == nil {
			continue
		}
		from, to := d.need(f, "from", ""), d.need(f, "to", "")
		if from == nil || to == nil {
			continue
		}
		all = append(all, d.renaming(from, to))
	}
	return all
}

func (d *decoder) renaming(from, to *yaml.Node) renaming {
	f, t := d.pattern(from), d.pattern(to)
	if f.re == nil || t.re == nil {
		return renaming{}
	}
	if a, b := stars(f.full), stars(t.full); strings.Join(a, " ") != strings.Join(b, " ") {
		d.fail(to, "give both the same stars in the same order", "names: %q and %q have different stars", untrusted.OneLine(f.text), untrusted.OneLine(t.text))
	}
	quoted := regexp.QuoteMeta(f.full)
	quoted = strings.ReplaceAll(quoted, `\*\*`, `(.*)`)
	quoted = strings.ReplaceAll(quoted, `\*`, `([^/]*)`)
	return renaming{
		from: regexp.MustCompile(`^(?:` + quoted + `)$`),
		to:   regexp.MustCompile(`\*+`).Split(t.full, -1),
	}
}

// stars lists the wildcards of a glob.
func stars(s string) []string { return regexp.MustCompile(`\*+`).FindAllString(s, -1) }

// Apply gives the name under which an image signed as signed may be used, or "".
func (r renaming) Apply(signed string) string {
	m := r.from.FindStringSubmatch(signed)
	if m == nil || len(m) != len(r.to) {
		return ""
	}
	var b strings.Builder
	for i, text := range r.to {
		if i > 0 {
			b.WriteString(m[i])
		}
		b.WriteString(text)
	}
	return b.String()
}
