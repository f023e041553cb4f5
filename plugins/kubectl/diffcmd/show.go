package diffcmd

import (
	"fmt"
	"io"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/objects"
	"k8s.io/cli-runtime/pkg/printers"
)

// content is what differs of a service, as an API object.
type content struct {
	Service string           `json:"service"`
	From    string           `json:"from,omitempty"`
	To      string           `json:"to"`
	Context string           `json:"context,omitempty"`
	Objects []objects.Report `json:"objects"`
}

// notCompared is what nobody knows of, as an API object has it: each a line.
type notCompared struct {
	NotCompared []string `json:"notCompared,omitempty"`
}

// show prints what differs, or that nothing does: where something could not be compared,
// nobody knows that.
func show(s *cli.Session, output *cli.Output, printer printers.ResourcePrinter, kind string, all []result, faults ...error) error {
	switch {
	case printer != nil:
		items := []cli.Object{}
		for _, r := range all {
			c := content{r.service, r.from, r.to, r.context, []objects.Report{}}
			for n := range r.differences {
				c.Objects = append(c.Objects, r.differences[n].Report())
			}
			items = append(items, cli.Object{Name: r.service, Content: c})
		}
		var head notCompared
		for _, err := range faults {
			head.NotCompared = append(head.NotCompared, cli.Clean(err.Error()))
		}
		return cli.PrintListWith(s.Out, printer, kind, head, items)
	case output.Is(markdown):
		return asMarkdown(s.Out, all, faults)
	}
	for _, r := range all {
		if len(r.differences) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(s.Out, "# %s\n", heading(r)); err != nil {
			return err
		}
		if err := objects.Write(s.Out, r.differences, r.style(s.Style().Color)); err != nil {
			return err
		}
	}
	if status(all) == cli.ExitDone && len(faults) == 0 {
		s.Note("nothing differs")
	}
	return nil
}

// arrow stands between the environments: what comes from one to the other, or both.
func (r result) arrow() string {
	if r.parity {
		return " and "
	}
	return " → "
}

// style names the environments where two are compared.
func (r result) style(color bool) objects.Style {
	if r.parity {
		return objects.Style{Color: color, Old: r.from, New: r.to}
	}
	if r.live {
		return objects.Style{Color: color, Old: "Git", New: "the cluster"}
	}
	return objects.Style{Color: color}
}

func heading(r result) string {
	if r.context != "" {
		return cli.Clean(r.service + " in " + r.to + " (context " + r.context + ")")
	}
	if r.from == "" {
		return cli.Clean(r.service + " in " + r.to)
	}
	return cli.Clean(r.service + ": " + r.from + r.arrow() + r.to)
}

func asMarkdown(w io.Writer, all []result, faults []error) error {
	for _, err := range faults {
		if _, err := fmt.Fprintf(w, "- not compared: %s\n", objects.Code(err.Error())); err != nil {
			return err
		}
	}
	left := mostLines
	for _, r := range all {
		if len(r.differences) == 0 {
			continue
		}
		if left <= 0 {
			_, err := fmt.Fprintln(w, "\nand more services")
			return err
		}
		if _, err := fmt.Fprintf(w, "### %s\n\n%s\n", heading(r), objects.Markdown(r.differences, left, r.style(false))); err != nil {
			return err
		}
		left -= len(r.differences)
	}
	if status(all) == cli.ExitDone && len(faults) == 0 {
		_, err := fmt.Fprintln(w, "Nothing differs.")
		return err
	}
	return nil
}
