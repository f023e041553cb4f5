package proposal

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/record"
)

// Rendered is what a promotion changes in the objects that are applied for a service.
type Rendered struct {
	Service     string
	Differences []objects.Difference
	// Err says why it could not be rendered; nil where it was.
	Err error
}

// Body is what the pull request of a plan says, in Markdown, and the footer that has to
// stay whole where a forge wants it shorter: the promotion's record.
func Body(plan *promote.Plan, rendered []Rendered) (body, footer string) {
	var b strings.Builder
	switch {
	case plan.RollbackOf != "":
		fmt.Fprintf(&b, "Takes %s back.\n\n", code(plan.To))
	case plan.From == "":
		fmt.Fprintf(&b, "Brings %s into %s.\n\n", code(plan.Entry), code(plan.To))
	default:
		fmt.Fprintf(&b, "Promotes from %s to %s.\n\n", code(plan.From), code(plan.To))
	}
	b.WriteString("| service | image | now | becomes | digest |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range plan.Services {
		for _, i := range s.Images {
			if i.Old == i.New {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(s.Service), code(cmp.Or(i.Repository, i.Name)), code(i.Old.Short()), code(i.New.Short()), code(i.New.Digest))
		}
		for _, a := range s.Along {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | |\n", code(s.Service), code(a.Kind+" "+a.Name), code(a.Old), code(a.New))
		}
	}
	changed(&b, plan)
	verdicts(&b, plan)
	warnings(&b, plan)
	applied(&b, rendered)
	diffs(&b, plan)
	return b.String(), "\n```\n" + fenced(plan.Record()) + "```\n"
}

// changed says which commits of the images' sources come with them. An address is
// of a form that is plain text in Markdown.
func changed(b *strings.Builder, plan *promote.Plan) {
	first := true
	for _, s := range plan.Services {
		for _, i := range s.Images {
			if i.Source == nil {
				continue
			}
			if first {
				b.WriteString("\n### Sources\n\n")
				first = false
			}
			fmt.Fprintf(b, "- %s: %s", code(s.Service), code(i.Source.String()))
			if i.Source.Compare != "" {
				fmt.Fprintf(b, ", [compare](<%s>)", i.Source.Compare)
			}
			b.WriteString("\n")
		}
	}
}

func verdicts(b *strings.Builder, plan *promote.Plan) {
	first := true
	for _, s := range plan.Services {
		for _, v := range s.Verdicts {
			if first {
				b.WriteString("\n### Gates\n\n| service | gate | answer | why |\n| --- | --- | --- | --- |\n")
				first = false
			}
			answer, why := string(v.Answer), v.Text()
			if v.Override != "" {
				answer, why = "overridden", v.Override+": "+why
			}
			if !v.Until.IsZero() {
				why += "; until " + v.Until.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", code(s.Service), code(v.Gate), code(answer), code(why))
		}
	}
}

func warnings(b *strings.Builder, plan *promote.Plan) {
	all := plan.Warnings
	for _, s := range plan.Services {
		for _, w := range s.Warnings {
			all = append(all[:len(all):len(all)], s.Service+": "+w)
		}
	}
	if len(all) == 0 {
		return
	}
	b.WriteString("\n### Warnings\n\n")
	const most = 50
	for _, w := range all[:min(len(all), most)] {
		fmt.Fprintf(b, "- %s\n", code(w))
	}
	if len(all) > most {
		fmt.Fprintf(b, "- and %d more\n", len(all)-most)
	}
}

// mostObjects bounds the objects that are listed for all services.
const mostObjects = 100

// applied says what changes in the objects that are applied.
func applied(b *strings.Builder, all []Rendered) {
	left := mostObjects
	for n, r := range all {
		if n == 0 {
			b.WriteString("\n### What is applied\n")
		}
		if left <= 0 {
			fmt.Fprintf(b, "\nand %d more services\n", len(all)-n)
			return
		}
		switch {
		case r.Err != nil:
			fmt.Fprintf(b, "\n%s could not be rendered: %s\n", code(r.Service), code(r.Err.Error()))
		case len(r.Differences) == 0:
			fmt.Fprintf(b, "\n%s: nothing changes\n", code(r.Service))
		default:
			fmt.Fprintf(b, "\n%s:\n\n%s", code(r.Service), objects.Markdown(r.Differences, left, objects.Style{}))
		}
		left -= len(r.Differences) + 1
	}
}

// diffs are last: they are what a forge's limit cuts first.
func diffs(b *strings.Builder, plan *promote.Plan) {
	var text strings.Builder
	for _, s := range plan.Services {
		for _, f := range s.Files {
			text.WriteString(f.Diff)
		}
		for _, c := range s.Copies {
			text.WriteString(c.Diff)
		}
	}
	for _, k := range plan.Kept {
		text.WriteString(k.Diff)
	}
	if text.Len() == 0 {
		return
	}
	fence := strings.Repeat("`", max(3, longestRun(text.String())+1))
	fmt.Fprintf(b, "\n<details><summary>Diff</summary>\n\n%sdiff\n%s%s\n\n</details>\n", fence, printable(text.String()), fence)
}

// code is a text of somebody else's on one line, which Markdown leaves as it is: no link,
// no mention, no cell of a table, no tag.
func code(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	const most = 500
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	// A bar ends a table's cell even in code, and a backslash in front of it does not show.
	s = strings.ReplaceAll(s, "|", `\|`)
	fence := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// longestRun is how many backticks stand side by side at most.
func longestRun(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// printable keeps lines, and drops what a terminal or a browser would take for more.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, s)
}

// fenced keeps a block of code from being ended by a line of its own.
func fenced(s string) string {
	return strings.ReplaceAll(printable(s), "```", "'''")
}

// sameText tells whether a forge has a text already: some end lines otherwise.
func sameText(a, b string) bool {
	clean := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return clean(a) == clean(b)
}

var sourceLine = regexp.MustCompile(`(?m)^` + record.KeySourceCommit + `: .*$`)

// withSources gives a body the source commits of another one: those of the commit that
// the pull request has.
func withSources(body, of string) string {
	old := sourceLine.FindAllString(strings.ReplaceAll(of, "\r\n", "\n"), -1)
	n := 0
	out := sourceLine.ReplaceAllStringFunc(body, func(line string) string {
		if n++; n <= len(old) {
			return old[n-1]
		}
		return line
	})
	if n != len(old) {
		return body
	}
	return out
}
