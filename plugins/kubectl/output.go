package kubectl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
)

// output is the -o flag: cli-runtime's formats, and wide.
type output struct {
	flags *genericclioptions.PrintFlags
}

func addOutput(cmd *cobra.Command) *output {
	o := &output{flags: genericclioptions.NewPrintFlags("")}
	o.flags.AddFlags(cmd)
	f := cmd.Flags().Lookup("output")
	f.Usage = strings.Replace(f.Usage, "One of: (", "One of: (wide, ", 1)
	f.Usage = strings.ToLower(f.Usage[:1]) + strings.TrimSuffix(f.Usage[1:], ".")
	cmd.Flags().Lookup("template").Usage = "template string or path to a template file for -o go-template and -o go-template-file"
	for _, hidden := range []string{"show-managed-fields", "allow-missing-template-keys"} {
		cmd.Flags().Lookup(hidden).Hidden = true
	}
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(append([]string{"wide"}, o.flags.AllowedFormats()...), cobra.ShellCompDirectiveNoFileComp)))
	return o
}

// must reports a mistake in the program itself, such as a flag that is not there.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// wide tells whether the table shall have its further columns.
func (o *output) wide() bool { return *o.flags.OutputFormat == "wide" }

// names tells whether names alone are printed.
func (o *output) names() bool { return *o.flags.OutputFormat == "name" }

// printer gives the printer asked for, or nil for a table.
func (o *output) printer() (printers.ResourcePrinter, error) {
	if f := *o.flags.OutputFormat; (f == "" || f == "wide") && *o.flags.TemplatePrinterFlags.TemplateArgument == "" {
		return nil, nil
	}
	p, err := o.flags.ToPrinter()
	if err != nil {
		return nil, &usageError{msg: err.Error(), hint: "-o wide, json, yaml, name, jsonpath=… or go-template=…"}
	}
	return p, nil
}

// object is one item of a printed list: its name and its content.
type object struct {
	name    string
	content any
}

// printList prints a versioned list object of a kind, for example Promotion. The
// content's fields stand beside metadata, as in the lists of kubectl top.
func printList(w io.Writer, p printers.ResourcePrinter, kind string, items []object) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"apiVersion":%q,"kind":%q,"metadata":{},"items":[`, promote.APIVersion, kind+"List")
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeObject(&b, kind, item); err != nil {
			return err
		}
	}
	b.WriteString("]}")
	list, err := runtime.Decode(unstructured.UnstructuredJSONScheme, b.Bytes())
	if err != nil {
		return fmt.Errorf("making a %sList: %w", kind, err)
	}
	return p.PrintObj(list, forTerminal(w))
}

// printObject prints one versioned object.
func printObject(w io.Writer, p printers.ResourcePrinter, kind string, item object) error {
	var b bytes.Buffer
	if err := writeObject(&b, kind, item); err != nil {
		return err
	}
	obj, err := runtime.Decode(unstructured.UnstructuredJSONScheme, b.Bytes())
	if err != nil {
		return fmt.Errorf("making a %s: %w", kind, err)
	}
	return p.PrintObj(obj, forTerminal(w))
}

// forTerminal keeps what stands in files, in commits or in registries from
// steering a terminal: formats such as jsonpath print it as it is. Elsewhere a
// program reads it, and gets it whole.
func forTerminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &cleanWriter{f}
	}
	return w
}

// cleanWriter writes control characters, other than line breaks and tabs, as
// blanks.
type cleanWriter struct{ w io.Writer }

func (c *cleanWriter) Write(b []byte) (int, error) {
	_, err := io.WriteString(c.w, strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return ' '
		}
		return r
	}, string(b)))
	return len(b), err
}

func writeObject(b *bytes.Buffer, kind string, item object) error {
	content, err := json.Marshal(item.content)
	if err != nil {
		return err
	}
	name, err := json.Marshal(item.name)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, `{"apiVersion":%q,"kind":%q,"metadata":{"name":%s}`, promote.APIVersion, kind, name)
	if len(content) > len("{}") {
		b.WriteByte(',')
		b.Write(content[1:])
		return nil
	}
	b.WriteByte('}')
	return nil
}

// table prints rows with aligned columns, two spaces apart, without trailing
// spaces. The first row is the heading.
func table(w io.Writer, rows [][]string) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i := range r {
			r[i] = clean(r[i])
		}
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
