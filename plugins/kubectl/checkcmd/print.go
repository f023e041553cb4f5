package checkcmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/check"
)

// noPins is what there is to say of a change that is no promotion.
const noPins = "no pin changes"

func objects(r *check.Report) []cli.Object {
	items := []cli.Object{}
	for _, c := range r.Changes {
		items = append(items, cli.Object{Name: strings.Trim(c.Service+"-"+c.Environment+"-"+c.Name, "-"), Content: c})
	}
	return items
}

// rows are the changes of pins. What nobody can read, and what is refused of the change as a
// whole, has a message alone.
func rows(r *check.Report) [][]string {
	var rows [][]string
	for _, c := range r.Changes {
		if c.Name == "" {
			continue
		}
		was, became := c.Old.Short(), c.New.Short()
		if was == became && c.Old != c.New {
			was, became = c.Old.Ref(""), c.New.Ref("")
		}
		rows = append(rows, []string{c.Service, c.Environment, c.Name, was, became, string(c.Kind), cli.Dash(c.From), string(c.Answer)})
	}
	return rows
}

// finding is a verdict that does not pass, of all images that it is about.
type finding struct {
	where string
	promote.Verdict
}

var findingWords = map[promote.Answer]string{promote.Fail: "refused", promote.Wait: "waiting", promote.Unknown: "unknown"}

// String is a line as that of a promotion that is refused.
func (f finding) String() string {
	return strings.TrimPrefix(fmt.Sprintf("%s: %s: %s: %s", f.where, findingWords[f.Answer], f.Gate, f.Text()), ": ")
}

func findings(r *check.Report) []finding {
	var all []finding
	seen := make(map[string]bool)
	for _, c := range r.Changes {
		for _, v := range c.Verdicts {
			f := finding{c.Service, v}
			if c.Environment != "" {
				f.where += " in " + c.Environment
			}
			if v.Answer != promote.Pass && !seen[f.String()] {
				seen[f.String()] = true
				all = append(all, f)
			}
		}
	}
	return all
}

// mostPlaces is how many other places of a change are listed.
const mostPlaces = 20

// places lists what else a change touches.
func places(r *check.Report) (listed []string, left int) {
	for _, p := range r.Along[:min(len(r.Along), mostPlaces)] {
		at := p.File
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		listed = append(listed, at)
	}
	return listed, len(r.Along) - len(listed)
}

// table prints the report for a terminal or a workflow's log.
func (o *options) table(r *check.Report) error {
	s := o.session
	all := rows(r)
	if len(all) > 0 {
		heading := []string{"SERVICE", "ENVIRONMENT", "IMAGE", "WAS", "BECOMES", "KIND", "FROM", "ANSWER"}
		if err := cli.Table(s.Out, slices.Concat([][]string{heading}, all)); err != nil {
			return err
		}
	} else if len(r.Changes) == 0 {
		fmt.Fprintln(s.Out, noPins)
	}
	listed, left := places(r)
	if len(r.Changes) == 0 && len(r.Rules) == 0 {
		listed, left = nil, 0 // a change of anything else is nobody's business here
	}
	for _, at := range listed {
		fmt.Fprintln(s.Out, "also changes: "+cli.Clean(at))
	}
	if left > 0 {
		fmt.Fprintf(s.Out, "also changes: %s\n", cli.Plural(left, "other file"))
	}
	return nil
}

// tell says on the standard error what is to be known of the change, whatever the format.
func (o *options) tell(c change, r *check.Report) {
	s := o.session
	if len(r.Rules) > 0 {
		s.Warn("the change touches the rules, and is judged by those of %.9s: %s", c.rules, strings.Join(r.Rules, ", "))
	}
	s.WarnAll(r.Warnings)
	var facts []cli.Fact
	for _, f := range findings(r) {
		facts = append(facts, cli.Fact{Text: f.String(), Hint: s.WithAdvice(f.Hint, string(f.Advice.Do), f.Advice.With)})
	}
	s.PrintFacts(facts)
}
