package kustomize

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/unbroken"
	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// The exit statuses of the program. Hosts know success and failure only; the
// others are for people and scripts, and as those of kubectl promote.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitUnknown = 5

	exitInterrupted = 130
)

// Streams are what a program reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// legacyRoot is the variable by which kustomize's older plugins get the directory
// of the kustomization. The resources are on the standard input then.
const legacyRoot = "KUSTOMIZE_PLUGIN_CONFIG_ROOT"

const programLong = `Run a KRM function on Kubernetes objects.

Without arguments, a ResourceList is read from the standard input and written to
the standard output, as kustomize and kpt do with functions that are programs or
containers. With arguments, the first is a file with the configuration and the
others are files with objects, - for the standard input; plain objects are
written.

The functions, of the group kubepromote.dev/v1alpha1: PinImages, SetImages,
VerifyImages, PromotionGuard, ImageInventory. A ConfigMap is a configuration as
well: its key "kind" names the function, the others are the fields of spec.

Exit status: 0 done, 1 failed, 2 usage error, 3 an image was refused, 5 something
about an image could not be found out, 130 interrupted.`

const programExample = `  # the pins of a rendered overlay
  promote-fn verify-images.yaml rendered.yaml

  # from kpt
  kpt fn eval --exec promote-fn -- kind=PinImages lock=images.lock

  # the definition of a function, with the schema of its configuration
  promote-fn --definition VerifyImages`

// Run is the program promote-fn: it carries out one command line, without the
// program's name, and returns its exit status. Cancelling the context stops it.
//
// Nothing is written before all is done. Items that no function has changed are
// written as they were read, byte for byte.
func Run(ctx context.Context, args []string, streams Streams) int {
	p := &program{streams: streams}
	cmd := p.command(ctx)
	cmd.SetArgs(p.arguments(args))
	cmd.SetOut(&p.out)
	cmd.SetErr(&p.err)
	return p.finish(cmd.ExecuteContext(ctx))
}

// RunToSignal is Run for a program that a signal ends by ending ctx. What does not notice,
// such as the reading of an input that nobody ends, is given up: no file is written here.
func RunToSignal(ctx context.Context, args []string, streams Streams) int {
	status, ok := unbroken.Run(ctx, func() int { return Run(ctx, args, streams) })
	switch {
	case !ok:
		fmt.Fprintln(streams.Err, "interrupted")
		return exitInterrupted
	case ctx.Err() != nil && status != exitDone:
		return exitInterrupted
	}
	return status
}

// program is one run.
type program struct {
	streams   Streams
	processor *Processor
	host      Host
	show      string   // a kind whose definition is printed
	args      []string // files
	texts     [][]byte // what was read, but for the configuration
	root      *yaml.RNode
	list      *framework.ResourceList
	out, err  bytes.Buffer
	called    bool // a function was
}

// arguments adds the standard input to those of an older plugin of kustomize,
// which names the configuration alone.
func (p *program) arguments(args []string) []string {
	if len(args) == 1 && !strings.HasPrefix(args[0], "-") && os.Getenv(legacyRoot) != "" {
		p.host.Dir = os.Getenv(legacyRoot)
		return append(args, "-")
	}
	return args
}

func (p *program) command(ctx context.Context) *cobra.Command {
	p.processor = p.host.Processor(ctx)
	cmd := &cobra.Command{
		Use:     "promote-fn [CONFIG FILE...]",
		Short:   "Run a KRM function on Kubernetes objects",
		Long:    programLong,
		Example: programExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if p.show != "" {
				return p.print()
			}
			return guarded(func() error { return p.run(args) })
		},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.Flags().StringVar(&p.host.Root, "root", "", "directory that no path in a configuration may leave (default: the repository, by .git or promotion.yaml)")
	cmd.Flags().StringVar(&p.show, "definition", "", "print the KRMFunctionDefinition of a kind, or of all, and do nothing else")
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err.Error(), "promote-fn --help"} })
	return cmd
}

// run reads what there is to read and calls the function.
func (p *program) run(args []string) error {
	read := p.readList
	if p.args = args; len(args) > 0 {
		read = p.readFiles
		if p.host.Dir == "" {
			p.host.Dir = filepath.Dir(args[0])
		}
	}
	list, err := read()
	if err != nil {
		return err
	}
	p.called, p.list = true, list
	return p.processor.Process(list)
}

// usageError is a fault in the command line.
type usageError struct{ msg, hint string }

// Error is the message, without the hint.
func (e *usageError) Error() string { return e.msg }

// HintText gives what to type, or "".
func (e *usageError) HintText() string { return e.hint }

// print prints definitions.
func (p *program) print() error {
	kinds := []string{p.show}
	if p.show == "all" {
		kinds = Kinds()
	}
	for n, kind := range kinds {
		text, ok := definition(kind)
		if !ok {
			return &usageError{"there is no function " + quoted(kind), spelling.Meant(kind, Kinds())}
		}
		if n > 0 {
			p.out.WriteString("---\n")
		}
		p.out.WriteString(text)
	}
	return nil
}

// readList reads a ResourceList from the standard input.
func (p *program) readList() (*framework.ResourceList, error) {
	text, err := readBounded("input", p.streams.In)
	if err != nil {
		return nil, err
	}
	p.texts = [][]byte{text}
	docs, err := documents("input", text)
	if err != nil {
		return nil, err
	}
	list := &framework.ResourceList{}
	if len(docs) == 0 {
		return list, nil
	}
	root := docs[0]
	if kind := root.GetKind(); kind != kio.ResourceListKind || len(docs) > 1 {
		msg := "is " + quoted(kind) + ", and must be one ResourceList"
		if len(docs) > 1 {
			msg = fmt.Sprintf("has %d documents, and must be one ResourceList", len(docs))
		}
		return nil, &pathError{"input", msg, "promote-fn CONFIG - takes objects as they are"}
	}
	if key := yamlbound.Twice(root.YNode()); key != "" {
		return nil, &pathError{"input", "the key " + quoted(key) + " stands twice", "keep one of them"}
	}
	p.root = root
	if config := root.Field("functionConfig"); config != nil {
		list.FunctionConfig = config.Value
	}
	list.Items, err = listed("input", root)
	return list, err
}

// listed gives the items of a list.
func listed(name string, root *yaml.RNode) ([]*yaml.RNode, error) {
	items := root.Field("items")
	if items == nil || items.Value.IsNil() || items.Value.YNode().ShortTag() == yaml.NodeTagNull {
		return nil, nil
	}
	if n := items.Value.YNode(); n.Kind != yaml.SequenceNode {
		return nil, &pathError{path: name, msg: "items must be a list, not of type " + yamlfile.KindOf(n)}
	}
	return items.Value.Elements()
}

// readFiles reads a configuration, and objects from the other files.
func (p *program) readFiles() (*framework.ResourceList, error) {
	list := &framework.ResourceList{}
	total := 0
	for n, file := range p.args {
		text, err := p.readFile(file, n > 0)
		if err != nil {
			return nil, err
		}
		if total += len(text); total > yamlbound.MaxInput {
			return nil, &pathError{file, fmt.Sprintf("is, with the files before it, larger than %d MiB", yamlbound.MaxInput>>20), "run it on the parts"}
		}
		docs, err := documents(file, text)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if len(docs) > 1 {
				return nil, &pathError{file, fmt.Sprintf("has %d documents, and must be one configuration", len(docs)), ""}
			}
			if len(docs) == 1 {
				list.FunctionConfig = docs[0]
			}
			continue
		}
		p.texts = append(p.texts, text)
		if len(docs) == 1 && (docs[0].GetKind() == "List" || docs[0].GetKind() == kio.ResourceListKind) {
			if key := yamlbound.Twice(docs[0].YNode()); key != "" {
				return nil, &pathError{file, "the key " + quoted(key) + " stands twice", "keep one of them"}
			}
			if docs, err = listed(file, docs[0]); err != nil {
				return nil, err
			}
		}
		list.Items = append(list.Items, docs...)
	}
	return list, nil
}

// readFile reads a file or, where that is allowed, the standard input.
func (p *program) readFile(file string, stdin bool) ([]byte, error) {
	if file == "-" && stdin {
		return readBounded("input", p.streams.In)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, readError(file, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &pathError{path: file, msg: "is not a file"}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, readError(file, err)
	}
	defer f.Close()
	return readBounded(file, f)
}

// documents takes a text apart into its documents. The framework reads lists apart
// as well, of any kind and whatever their items are.
func documents(name string, text []byte) ([]*yaml.RNode, error) {
	docs, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true}).Read()
	if err != nil {
		_, why, _ := strings.Cut(err.Error(), "MalformedYAMLError: ")
		return nil, &pathError{path: name, msg: cmp.Or(why, err.Error())}
	}
	return docs, nil
}

// guarded turns a panic into an error: input of any kind goes through a parser of
// YAML that is not ours.
func guarded(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &pathError{path: "input", msg: "cannot be read: " + oneLine(fmt.Sprint(r))}
		}
	}()
	return do()
}

// finish writes what there is to write, once.
func (p *program) finish(err error) int {
	p.report(err)
	text, failed := p.output(err)
	if failed == nil {
		_, failed = p.streams.Out.Write(text)
	}
	if failed != nil {
		fmt.Fprintln(p.streams.Err, "writing the output: "+oneLine(failed.Error()))
		return exitFailed
	}
	var refused *Refused
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused) && refused.Answer() == No:
		return exitRefused
	case errors.As(err, &refused) && refused.Answer() == Unknown:
		return exitUnknown
	}
	return exitFailed
}

// report says on the standard error what the results say: kustomize shows no
// results.
func (p *program) report(err error) {
	var lines []string
	if p.called {
		lines = Lines(p.list.Results)
	}
	var refused *Refused
	if err != nil && !errors.As(err, &refused) {
		lines = append(lines, oneLine(err.Error()))
		if hint := fault.HintOf(err); hint != "" {
			lines = append(lines, "hint: "+oneLine(hint))
		}
	}
	for _, l := range lines {
		fmt.Fprintln(p.streams.Err, l)
	}
}

// output gives the items as they are now or, where none differs, what was read: the
// framework writes YAML in a form of its own. Where something failed, plain objects
// are not written, lest someone applies them; a ResourceList is, for its results.
func (p *program) output(err error) ([]byte, error) {
	switch {
	case !p.called && err == nil: // a definition, help
		return p.out.Bytes(), nil
	case !p.called || len(p.args) > 0 && err != nil:
		return nil, nil
	case p.processor.Changed():
		return p.written()
	case len(p.args) > 0:
		return p.inputs(), nil
	case len(p.list.Results) == 0:
		return p.texts[0], nil
	}
	if text, ok := withResults(p.texts[0], p.root, p.list.Results); ok {
		return text, nil
	}
	return p.written()
}

// written gives the items as the framework writes them, and in the form of the
// input where that is JSON.
func (p *program) written() ([]byte, error) {
	var b bytes.Buffer
	w := kio.ByteWriter{Writer: &b, KeepReaderAnnotations: true}
	if len(p.args) == 0 {
		w.WrappingKind, w.WrappingAPIVersion, w.FunctionConfig = kio.ResourceListKind, kio.ResourceListAPIVersion, p.list.FunctionConfig
		if p.root != nil {
			w.WrappingAPIVersion = p.root.GetApiVersion()
			if old := p.root.Field("results"); old != nil {
				w.Results = old.Value
			}
		}
		if len(p.list.Results) > 0 {
			text, err := yaml.Marshal(p.list.Results)
			if err != nil {
				return nil, err
			}
			if w.Results, err = yaml.Parse(string(text)); err != nil {
				return nil, err
			}
		}
	}
	if err := w.Write(p.list.Items); err != nil {
		return nil, err
	}
	if len(p.texts) == 0 || slices.ContainsFunc(p.texts, func(text []byte) bool { return !isJSON(text) }) {
		return b.Bytes(), nil
	}
	return toJSON(b.Bytes(), p.texts[0])
}

// inputs gives the files as they are, one behind the other.
func (p *program) inputs() []byte {
	var all []byte
	for i, text := range p.texts {
		if i > 0 {
			if !bytes.HasSuffix(all, []byte("\n")) {
				all = append(all, '\n')
			}
			if !bytes.HasPrefix(text, []byte("---")) {
				all = append(all, "---\n"...)
			}
		}
		all = append(all, text...)
	}
	return all
}

// withResults adds results to a ResourceList's text. It does where the text is a
// mapping in block style, or JSON, that has none; ok is false otherwise.
func withResults(text []byte, list *yaml.RNode, results framework.Results) (out []byte, ok bool) {
	if list == nil {
		return nil, false
	}
	root := list.YNode()
	if root.Kind != yaml.MappingNode || lookup(root, "results", 0) != nil {
		return nil, false
	}
	added, err := yaml.Marshal(map[string]any{"results": results})
	if err != nil {
		return nil, false
	}
	if isJSON(text) {
		return withMember(text, added)
	}
	if root.Style&yaml.FlowStyle != 0 || root.Column != 1 || bytes.Contains(text, []byte("\n...")) {
		return nil, false
	}
	out = bytes.Clone(text)
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return append(out, added...), true
}
