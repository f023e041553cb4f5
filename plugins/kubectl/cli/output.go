package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/tables"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
)

// Output is the -o flag: the formats of cli-runtime's PrintFlags, and wide.
// PrintFlags itself is not used: it links every Kubernetes type there is and
// doubles the time that the program takes to start. The printers are the same.
type Output struct {
	format   string
	template string
	own      []string // formats of this command alone, which it prints itself
	sortBy   string
	list     bool
}

// formats are the values of -o; those that end in "=" are followed by a template.
var formats = []string{"wide", "json", "yaml", "name", "jsonpath=", "jsonpath-as-json=", "jsonpath-file=", "go-template=", "go-template-file="}

// AddOutput gives a command the flags -o and --template. Own are formats that it prints
// itself, for which Printer gives nil.
func AddOutput(cmd *cobra.Command, own ...string) *Output {
	o := &Output{own: own}
	formats := slices.Concat(own, formats)
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "output format. One of: ("+strings.ReplaceAll(strings.Join(formats, ", "), "=", "")+")")
	cmd.Flags().StringVar(&o.template, "template", "", "template string or path to a template file for -o go-template and -o go-template-file")
	MayBeEmpty(cmd, "output")
	MayBeEmpty(cmd, "template")
	Must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)))
	return o
}

// noHeadersFlag is looked up by [Session.start]: all tables of the command obey it.
const noHeadersFlag = "no-headers"

// AddListOutput is AddOutput with what kubectl has for lists besides: columns of one's own,
// --sort-by and --no-headers. The command calls [SortBy] before it prints.
func AddListOutput(cmd *cobra.Command, own ...string) *Output {
	o := AddOutput(cmd, append(own, customColumns+"=", customColumns+"-file=")...)
	o.list, o.own = true, own
	cmd.Flags().StringVar(&o.sortBy, "sort-by", "", "sort the list by this JSONPath of its items, for example .metadata.name")
	cmd.Flags().Bool(noHeadersFlag, false, "print tables without headings")
	Must(cmd.RegisterFlagCompletionFunc("sort-by", cobra.NoFileCompletions))
	return o
}

// customColumns is the format of columns that are given by paths.
const customColumns = "custom-columns"

// SortBy sorts what a list is made of, where --sort-by asks for it.
func SortBy[T any](o *Output, all []T, object func(T) Object) error {
	if o.sortBy == "" {
		return nil
	}
	var broken error
	err := tables.Sort(all, o.sortBy, func(item T) any {
		var b bytes.Buffer
		broken = errors.Join(broken, writeObject(&b, "", object(item)))
		return json.RawMessage(b.Bytes())
	})
	if broken == nil && err != nil {
		return &UsageError{Msg: "--sort-by " + Clean(o.sortBy) + ": " + err.Error(), Hint: "--sort-by .metadata.name; -o yaml shows what there is"}
	}
	return cmp.Or(broken, err)
}

// columnsPrinter gives the printer of columns that are given by paths.
func columnsPrinter(asked, format, spec string) (printers.ResourcePrinter, error) {
	parse := tables.ParseColumns
	if format != customColumns {
		data, err := ReadBounded(spec)
		if err != nil {
			return nil, err
		}
		parse, spec = tables.ParseColumnsFile, string(data)
	}
	c, err := parse(spec)
	if err != nil {
		return nil, &UsageError{Msg: "the columns of -o " + Clean(asked) + " are malformed: " + err.Error(), Hint: "-o custom-columns=NAME:.metadata.name"}
	}
	c.Table = Table
	return c, nil
}

// Wide tells whether the table shall have its further columns.
func (o *Output) Wide() bool { return o.format == "wide" }

// Is tells whether a format that is the command's own was asked for.
func (o *Output) Is(own string) bool { return o.format == own }

// Names tells whether names alone are printed.
func (o *Output) Names() bool { return o.format == "name" }

// Printer gives the printer asked for, or nil for a table.
func (o *Output) Printer() (printers.ResourcePrinter, error) {
	format, template, given := strings.Cut(o.format, "=")
	if !given {
		template = o.template
	}
	if format == "" && o.template != "" {
		format = "go-template"
	}
	switch {
	case given && slices.Contains(formats, format):
		return nil, o.unknownFormat() // "wide=x", "json=x"
	case format == "", format == "wide", slices.Contains(o.own, o.format):
		return nil, nil
	}
	switch format {
	case "json":
		return &printers.JSONPrinter{}, nil
	case "yaml":
		return &printers.YAMLPrinter{}, nil
	case "name":
		return &printers.NamePrinter{ShortOutput: true}, nil
	}
	if o.list && strings.TrimSuffix(format, "-file") == customColumns {
		if template == "" {
			return nil, &UsageError{Msg: "output format " + strconv.Quote(format) + " has no columns", Hint: "-o custom-columns=NAME:.metadata.name"}
		}
		return columnsPrinter(o.format, format, template)
	}
	text, isFile := strings.CutSuffix(format, "-file")
	if isFile {
		data, err := ReadBounded(template)
		if err != nil {
			return nil, err
		}
		format, template = text, string(data)
	}
	switch format {
	case "jsonpath", "jsonpath-as-json", "go-template":
		return templatePrinter(o.format, format, template)
	}
	return nil, o.unknownFormat()
}

// templatePrinter gives a printer for a template or for a path.
func templatePrinter(asked, format, template string) (printers.ResourcePrinter, error) {
	if template == "" {
		return nil, &UsageError{Msg: "output format " + strconv.Quote(asked) + " has no template", Hint: exampleOf(format)}
	}
	var p printers.ResourcePrinter
	var err error
	if format == "go-template" {
		p, err = printers.NewGoTemplatePrinter([]byte(template))
	} else {
		var path *printers.JSONPathPrinter
		if path, err = printers.NewJSONPathPrinter(template); err == nil {
			path.EnableJSONOutput(format == "jsonpath-as-json")
			path.AllowMissingKeys(true)
			p = path
		}
	}
	if err != nil {
		return nil, &UsageError{Msg: "the template of -o " + format + " is malformed: " + strings.TrimPrefix(err.Error(), "template: output:"), Hint: exampleOf(format)}
	}
	return p, nil
}

// unknownFormat names the formats that there are, those of the command first.
func (o *Output) unknownFormat() error {
	own := slices.DeleteFunc(slices.Clone(o.own), func(format string) bool { return strings.HasSuffix(format, "=") })
	return &UsageError{Msg: "unknown output format " + strconv.Quote(o.format), Hint: "-o " + strings.Join(append(own, "wide", "json", "yaml", "name", "jsonpath=…"), ", ") + " or go-template=…"}
}

// exampleOf gives an output format with a template that works.
func exampleOf(format string) string {
	if format == "go-template" {
		return "-o go-template='{{range .items}}{{.metadata.name}} {{end}}'"
	}
	return "-o " + format + "='{.items[*].metadata.name}'"
}

// Object is one item of a printed list: its name and its content.
type Object struct {
	Name    string
	Content any
}

// PrintList prints a versioned list object of a kind, for example Promotion. The
// content's fields stand beside metadata, as in the lists of kubectl top.
func PrintList(w io.Writer, p printers.ResourcePrinter, kind string, items []Object) error {
	return PrintListWith(w, p, kind, struct{}{}, items)
}

// PrintListWith is PrintList with the fields of head beside items.
func PrintListWith(w io.Writer, p printers.ResourcePrinter, kind string, head any, items []Object) error {
	var b bytes.Buffer
	more, err := json.Marshal(head)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, `{"apiVersion":%q,"kind":%q,"metadata":{},`, pipeline.APIVersion, kind+"List")
	if len(more) > len("{}") {
		b.Write(more[1 : len(more)-1])
		b.WriteByte(',')
	}
	b.WriteString(`"items":[`)
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
	return printWhole(w, p, list)
}

// Print prints a list by the printer asked for, or rows as a table where that is nil.
func (s *Session) Print(p printers.ResourcePrinter, kind string, items []Object, rows [][]string) error {
	if p != nil {
		return PrintListWith(s.Out, p, kind, s.Part, items)
	}
	return Table(s.Out, rows)
}

// PrintObject prints one versioned object.
func PrintObject(w io.Writer, p printers.ResourcePrinter, kind string, item Object) error {
	var b bytes.Buffer
	if err := writeObject(&b, kind, item); err != nil {
		return err
	}
	obj, err := runtime.Decode(unstructured.UnstructuredJSONScheme, b.Bytes())
	if err != nil {
		return fmt.Errorf("making a %s: %w", kind, err)
	}
	return printWhole(w, p, obj)
}

// printWhole prints an object, or nothing of it: the printers of templates write
// what they know about a failure to the output, and into the error.
func printWhole(w io.Writer, p printers.ResourcePrinter, obj runtime.Object) error {
	if c, ok := p.(*tables.Columns); ok {
		return printColumns(w, c, obj)
	}
	var b bytes.Buffer
	if err := p.PrintObj(obj, &b); err != nil {
		text, _, _ := strings.Cut(err.Error(), ". Printing more information")
		for _, before := range []string{"Error executing template: ", "template: output:"} {
			if _, what, found := strings.Cut(text, before); found {
				text = what
			}
		}
		return &promote.Error{Msg: "the template of -o does not fit: " + text, Hint: "-o yaml shows what there is"}
	}
	_, err := ForTerminal(w).Write(b.Bytes())
	return err
}

// printColumns is printWhole for columns, which write what a terminal is to show: fitted,
// coloured and clean.
func printColumns(w io.Writer, c *tables.Columns, obj runtime.Object) error {
	if err := c.PrintObj(obj, w); err != nil {
		return &promote.Error{Msg: "the columns of -o do not fit: " + err.Error(), Hint: "-o yaml shows what there is"}
	}
	return nil
}

// ForTerminal keeps what stands in files, in commits or in registries from
// steering a terminal: formats such as jsonpath print it as it is. Elsewhere a
// program reads it, and gets it whole.
func ForTerminal(w io.Writer) io.Writer {
	if o, ok := w.(*stdout); ok && o.terminal() {
		return &cleanWriter{o}
	}
	return w
}

// cleanWriter writes what is not to be seen, other than line breaks and tabs, as blanks.
type cleanWriter struct{ w io.Writer }

// Write implements [io.Writer]: all of b counts as written, however much is left of it.
func (c *cleanWriter) Write(b []byte) (int, error) {
	_, err := io.WriteString(c.w, cleanLines(string(b)))
	return len(b), err
}

// cleanLines is [Clean] for a text of several lines.
func cleanLines(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

func writeObject(b *bytes.Buffer, kind string, item Object) error {
	content, err := json.Marshal(item.Content)
	if err != nil {
		return err
	}
	name, err := json.Marshal(item.Name)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, `{"apiVersion":%q,"kind":%q,"metadata":{"name":%s}`, pipeline.APIVersion, kind, name)
	if len(content) > len("{}") {
		b.WriteByte(',')
		b.Write(content[1:])
		return nil
	}
	b.WriteByte('}')
	return nil
}

// Table prints rows with aligned columns, two spaces apart, without trailing spaces. The
// first row is the heading. A terminal gets it coloured, and as wide as it is.
func Table(w io.Writer, rows [][]string) error {
	for _, r := range rows {
		for i := range r {
			r[i] = Clean(r[i])
		}
	}
	return tables.Write(w, rows, styleOf(w))
}

// PrintDiff prints a unified difference, with its colours where there are any.
func PrintDiff(w io.Writer, text string) {
	style := styleOf(w)
	if o, ok := w.(*stdout); ok && o.terminal() {
		text = cleanLines(text)
	}
	if style.Color {
		text = tables.Difference(text)
	}
	fmt.Fprint(w, text)
}

// Plural gives a number of things.
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Dash gives the text for a cell of a table, "-" where there is none.
func Dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// Origin is the cell of a table that says where a pin came from: an environment, the
// flag that it came in by, or nothing that is known.
func Origin(from, entry string) string {
	if by, _, _ := strings.Cut(entry, " "); from == "" && by != "" {
		return "--" + by
	}
	return Dash(from)
}

// ShortDigest gives the first twelve digits of a digest.
func ShortDigest(digest string) string {
	if digest == "" {
		return "-"
	}
	_, hex, ok := strings.Cut(digest, ":")
	if !ok || len(hex) < 12 {
		return digest
	}
	return hex[:12]
}
