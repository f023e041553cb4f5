package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// The picture of how it works, and the file whose steps it shows.
const (
	picture   = "docs/how-it-works.svg"
	planSteps = "promote/plan.go"
)

// step is one of the planner's: what it does, whom it asks, and what the plan has of it.
type step struct{ does, asks, gives string }

// steps are those that the picture shows, by the planner's methods. Each method that makes a
// plan is here, in their order.
var steps = []struct {
	method string
	step
}{
	{"chooseServices", step{"which services are asked for", "Git", "services"}},
	{"read", step{"their files: each pin of the source, and its counterpart", "Git", "pins"}},
	{"chooseImages", step{"which of their images are asked for", "", ""}},
	{"checkState", step{"is anything in the way that is not committed?", "Git", ""}},
	{"enter", step{"a new build: its version, or the newest that may enter", "registry", ""}},
	{"resolve", step{"what each tag stands for: its digest, once", "registry", "digests"}},
	{"verify", step{"signatures and attestations of that digest", "registry", "evidence"}},
	{"copies", step{"files that go along as they are", "Git", "files"}},
	{"holds", step{"is it held?", "Git", "verdicts"}},
	{"gates", step{"all gates, side by side", "clusters, servers, people", "verdicts"}},
	{"edit", step{"the edit: only the pins change; parsed again, and compared", "", "diff"}},
	{"writtenOver", step{"does anybody else write these pins?", "Git", "warnings"}},
}

// runs are the ways that a plan is carried out, in the words of the picture.
var runs = map[pipeline.DeliverMode]string{
	pipeline.DeliverWorktree: "files, left to you", pipeline.DeliverCommit: "a commit with its record",
	pipeline.DeliverPush: "on the branch of others", pipeline.DeliverPullRequest: "for people to review",
}

// drawSteps gives the picture. It fails where the planner has other steps than are known.
func drawSteps() ([]byte, error) {
	methods, err := plannedSteps(planSteps)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, s := range steps {
		known = append(known, s.method)
		if len(s.does) > longest {
			return nil, fmt.Errorf("the picture has no room for %q", s.does)
		}
	}
	if got, want := strings.Join(methods, " "), strings.Join(known, " "); got != want {
		return nil, fmt.Errorf("the steps of %s are\n%s, and those of the picture\n%s\nhint: mend steps in docs/gen/picture.go", planSteps, got, want)
	}
	return draw()
}

// plannedSteps reads the methods that the planner calls one after the other: the one list of
// them in its source.
func plannedSteps(file string) (methods []string, err error) {
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return nil, err
	}
	ast.Inspect(source, func(n ast.Node) bool {
		loop, ok := n.(*ast.RangeStmt)
		if !ok {
			return true
		}
		list, ok := loop.X.(*ast.CompositeLit)
		if key, named := loop.Value.(*ast.Ident); !ok || !named || key.Name != "step" {
			return true
		}
		for _, e := range list.Elts {
			if method, ok := e.(*ast.SelectorExpr); ok {
				methods = append(methods, method.Sel.Name)
			}
		}
		return false
	})
	if len(methods) == 0 {
		return nil, fmt.Errorf("%s has no list of steps", file)
	}
	return methods, nil
}

// The measures of the picture.
const (
	width, margin = 900, 20
	rowHeight     = 40
	askX, askW    = margin, 190
	stepX, stepW  = 240, 490
	planX, planW  = 770, 110
	top           = 50
	longest       = 60 // letters of a step
)

const style = `
text { font: 14px system-ui, sans-serif; fill: #1f2328; dominant-baseline: middle }
.small { font-size: 12px; fill: #59636e } .head { font-size: 12px; font-weight: 600; fill: #59636e } .middle { text-anchor: middle } .strong { font-weight: 600 }
.back { fill: #ffffff } .box { fill: #f6f8fa; stroke: #d1d9e0 } .asked { fill: #ddf4ff; stroke: #54aeff } .plan { fill: #dafbe1; stroke: #4ac26b }
.line { stroke: #818b98; fill: none } .tip { fill: #818b98 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small, .head { fill: #9198a1 } .back { fill: #0d1117 } .box { fill: #151b23; stroke: #3d444d }
.asked { fill: #0c2d6b; stroke: #388bfd } .plan { fill: #033a16; stroke: #2ea043 }
}
`

// canvas is the text of a picture.
type canvas struct{ bytes.Buffer }

func (c *canvas) box(class string, x, y, w, h int) {
	fmt.Fprintf(c, "<rect class=%q x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", class, x, y, w, h)
}

func (c *canvas) text(class string, x, y int, text string) {
	fmt.Fprintf(c, "<text class=%q x=\"%d\" y=\"%d\">%s</text>\n", class, x, y, html.EscapeString(text))
}

func (c *canvas) arrow(x1, y1, x2, y2 int) {
	fmt.Fprintf(c, "<line class=\"line\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" marker-end=\"url(#tip)\"/>\n", x1, y1, x2, y2)
}

// draw puts the steps below one another, whom they ask to the left of them and the plan to
// the right; below the plan stands what it may become.
func draw() ([]byte, error) {
	c := &canvas{}
	bottom := top + len(steps)*rowHeight
	height := bottom + 130
	fmt.Fprintf(c, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"The steps of a plan, and what it may become\">\n<style>%s</style>\n", width, height, style)
	c.WriteString("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>\n")
	fmt.Fprintf(c, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", width, height)
	c.text("head middle", askX+askW/2, 25, "who is asked")
	c.text("head middle", stepX+stepW/2, 25, "kubectl promote cart --to production")
	c.text("head middle", planX+planW/2, 25, "the plan")
	c.box("plan", planX, top, planW, len(steps)*rowHeight-10)
	for n, s := range steps {
		y := top + n*rowHeight
		mid := y + 15
		if s.asks != "" {
			c.box("asked", askX, y, askW, 30)
			c.text("middle", askX+askW/2, mid, s.asks)
			c.arrow(askX+askW, mid, stepX-2, mid)
		}
		c.box("box", stepX, y, stepW, 30)
		c.text("", stepX+12, mid, s.does)
		if n > 0 {
			c.arrow(stepX+stepW/2, y-10, stepX+stepW/2, y-1)
		}
		if s.gives != "" {
			c.arrow(stepX+stepW, mid, planX-2, mid)
			c.text("middle", planX+planW/2, mid, s.gives)
		}
	}
	if err := c.outcomes(bottom + 15); err != nil {
		return nil, err
	}
	c.WriteString("</svg>\n")
	return c.Bytes(), nil
}

// outcomes draws what a plan becomes: it is shown, or carried out in one of the ways that
// there are.
func (c *canvas) outcomes(y int) error {
	modes := pipeline.DeliverModes()
	c.text("small middle", width/2, y+5, "nothing is written before the whole plan stands; then it is the same plan that is shown, proposed, committed and recorded")
	w := (width-2*margin)/(len(modes)+1) - 10
	for n := range len(modes) + 1 {
		name, means := "plan, -o json", "shown, and nothing else"
		if n > 0 {
			name = modes[n-1]
			if means = runs[pipeline.DeliverMode(name)]; means == "" {
				return fmt.Errorf("the picture has no words for the delivery %q\nhint: mend runs in docs/gen/picture.go", name)
			}
		}
		x := margin + n*(w+10) + 5
		c.box("box", x, y+30, w, 60)
		c.text("strong middle", x+w/2, y+50, name)
		c.text("small middle", x+w/2, y+72, means)
	}
	return nil
}
