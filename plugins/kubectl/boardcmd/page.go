package boardcmd

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/boardcmd/page"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/standing"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/report"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
)

// change is one of a cell's, as the page has it.
type change struct {
	was, became, by, from, commit string
	at                            int64
}

const (
	// mostChanges is how many changes a cell has on a page, and mostInAll all of them: the
	// page of 3,000 services stays below three megabytes.
	mostChanges = 8
	mostInAll   = 10_900
	// mostRead is how many changes are read for them.
	mostRead = 50_000
	// figuresOf is the span that the figures are of.
	figuresOf = 90 * 24 * time.Hour
)

// readChanges reads the newest changes of each cell, and counts deliveries.
func (o *options) readChanges(ctx context.Context, w *cli.Workspace, v *view) error {
	v.changes = make(map[[2]string][]change)
	book := report.NewBook(w.Pipeline, report.Request{Since: v.now.Add(-figuresOf), Until: v.now})
	counts := true
	read, kept := 0, 0
	bar := o.session.NewProgress()
	failed := history.Read(ctx, w.Pipeline, w.Promoter.Repo, w.Log(), history.Request{}, func(c history.Change) bool {
		at := [2]string{c.Service, c.Environment}
		read++
		bar.Show("reading the history", read, max(read, mostRead))
		if list := v.changes[at]; len(list) < mostChanges && kept < mostInAll {
			v.changes[at] = append(list, changeOf(c))
			kept++
		}
		counts = counts && book.Add(c)
		return read < mostRead && (kept < mostInAll || counts)
	})
	bar.Clear()
	v.report = book.Report()
	v.cut = read >= mostRead || kept >= mostInAll || failed != nil
	if err := o.session.WarnTruncated(failed); err != nil && !errors.As(err, new(*pipeline.Unreached)) {
		return err
	}
	return nil
}

func changeOf(c history.Change) change {
	var was, became []string
	for _, i := range c.Images {
		was, became = append(was, i.Old.Short()), append(became, i.New.Short())
	}
	for _, a := range c.Along {
		was, became = append(was, cmp.Or(a.Old, "none")), append(became, cmp.Or(a.New, "none"))
	}
	const most = 4
	if n := len(was); n > most {
		was, became = append(was[:most], "…"), append(became[:most], "…")
	}
	out := change{was: strings.Join(was, ", "), became: strings.Join(became, ", "), by: c.Author, commit: c.Commit[:min(len(c.Commit), 9)], at: c.Time.Unix()}
	if c.Record != nil && c.Mismatch == "" {
		if out.from = cli.Origin(c.Record.From, c.Record.Entry); c.Record.RollbackOf != "" {
			out.from = "rolled back"
		}
	}
	return out
}

// pageOf makes what the page shows, of one repository or of several, which have a name each:
// a column for each environment that any of them has.
func pageOf(title string, views []*view, commands []string) *page.Board {
	b := &page.Board{Title: title, Next: []string{}, Environments: []page.Environment{}, Rows: []page.Row{}, Deliveries: []page.Deliveries{}}
	b.Text("")
	at := make(map[string]int) // the columns
	for _, v := range views {
		b.Head, b.Made, b.Cut = v.head, v.now.Unix(), b.Cut || v.cut
		for _, d := range v.drifts {
			n, known := at[d.Environment]
			if !known {
				n = len(b.Environments)
				at[d.Environment] = n
				b.Environments = append(b.Environments, page.Environment{Name: d.Environment, From: d.From})
			}
			b.Environments[n].Behind += len(d.Behind)
		}
	}
	var unknown []string
	for _, v := range views {
		b.Fleet = b.Fleet || v.repository != ""
		figures := v.figures(b)
		for _, d := range v.drifts {
			if f := figures[[2]string{"", d.Environment}]; f != nil {
				b.Deliveries = append(b.Deliveries, page.Deliveries{Repository: b.Text(v.repository), Environment: b.Text(d.Environment), Figures: f})
			}
		}
		for _, st := range v.statuses {
			row := page.Row{Repository: b.Text(v.repository), Name: b.Text(st.Service), Cells: make([]page.Cell, len(b.Environments))}
			for _, e := range st.Environments {
				c := v.pageCell(b, st, e)
				if f := figures[[2]string{st.Service, e.Environment}]; f != nil {
					if c.Figures = []int64{int64(f.Deployments), f.Lead}; f.Failed > 0 {
						c.Figures = append(c.Figures, int64(f.Failed), f.Recovery)
					}
				}
				row.Cells[at[e.Environment]] = c
			}
			b.Rows = append(b.Rows, row)
		}
		if v.unread != "" {
			bad := page.Cell{Pin: b.Text("unknown"), Error: b.Text(v.unread)}
			b.Rows = append(b.Rows, page.Row{Repository: b.Text(v.repository), Name: b.Text("unknown"), Cells: slices.Repeat([]page.Cell{bad}, len(b.Environments))})
			unknown = append(unknown, v.repository+" could not be read")
			b.Deliveries = append(b.Deliveries, page.Deliveries{Repository: b.Text(v.repository)})
		}
		next, _ := v.nextCommands(commands)
		b.Next = append(b.Next, next...)
		if text := unknownText(v.drifts); text != "" {
			if v.repository != "" {
				text = v.repository + ": " + text
			}
			unknown = append(unknown, text)
		}
	}
	b.Unknown = strings.Join(unknown, "; ")
	return b
}

// figures are those of each service in each environment, and without a service those of all.
func (v *view) figures(b *page.Board) map[[2]string]*page.Figures {
	all := make(map[[2]string]*page.Figures)
	if v.report == nil {
		return all
	}
	b.Since = v.report.Since.Unix()
	for _, f := range v.report.Figures {
		one := &page.Figures{Deployments: f.Deployments, Failed: f.Failed, Lead: -1, Recovery: -1}
		if f.LeadTime != nil {
			one.Lead = f.LeadTime.Median
		}
		if f.Recovery != nil {
			one.Recovery = f.Recovery.Median
		}
		if f.Service != "" {
			all[[2]string{f.Service, f.Environment}] = one
		}
		whole := *one // of one service alone as well, until those of all come
		for _, w := range f.Weeks {
			whole.Weeks = append(whole.Weeks, [2]int{w.Deployments, w.Failed})
		}
		all[[2]string{"", f.Environment}] = &whole
	}
	return all
}

func (v *view) pageCell(b *page.Board, st status.Service, e status.Environment) page.Cell {
	if !e.Exists {
		return page.Cell{}
	}
	c := page.Cell{Pin: b.Text(pinOf(st, e)), Differs: e.Differs, Unsure: len(e.UnknownFrom) > 0, Error: b.Text(e.Error)}
	if e.Held != nil {
		c.Held = b.Text(e.Held.String())
	}
	if last := newest(e); last != nil {
		c.Since, c.By, c.From, c.Commit = last.Time.Unix(), b.Text(last.Author), b.Text(strings.TrimPrefix(cli.Origin(last.From, last.Entry), "-")), b.Text(last.Commit[:min(len(last.Commit), 9)])
		for _, g := range last.Gates {
			c.Gates = append(c.Gates, b.Text(g))
		}
		for _, g := range last.Overrides {
			c.Gates = append(c.Gates, b.Text("overridden: "+g.String()))
		}
	}
	// Paths differ in the names of service and environment alone: they are stored once.
	file := func(name string) int {
		name = strings.NewReplacer("\x01", "?", "\x02", "?").Replace(name)
		return b.Text(strings.NewReplacer("/"+st.Service+"/", "/\x01/", "/"+e.Environment+"/", "/\x02/").Replace(name))
	}
	for _, i := range e.Images {
		c.Images = append(c.Images, [4]int{b.Text(i.Name), b.Text(i.Tag), b.Text(i.Digest), file(i.File)})
	}
	for _, a := range e.Along {
		c.Images = append(c.Images, [4]int{b.Text(a.Kind + " " + a.Name), b.Text(a.Version), 0, file(a.File)})
	}
	for _, p := range e.Pending {
		c.Pending = append(c.Pending, b.Text(standing.Numbers([]status.Pending{p})), b.Text(p.URL), b.Text(p.Title))
	}
	for _, h := range v.changes[[2]string{st.Service, e.Environment}] {
		text := func(s string) int64 { return int64(b.Text(s)) }
		c.History = append(c.History, [6]int64{h.at, text(h.was), text(h.became), text(h.by), text(h.from), text(h.commit)})
	}
	return c
}

// writePage writes the page to the output. An overlay that cannot be read is on it, and is
// told as well.
func (o *options) writePage(cmd *cobra.Command) error {
	v, failed := o.read(cmd.Context())
	if v == nil {
		return failed
	}
	return errors.Join(page.Write(o.session.Out, pageOf(v.title, []*view{v}, o.commands), false), failed)
}
