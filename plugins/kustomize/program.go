package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/fn/framework/command"
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
)

// Streams are what a program reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// maxInput bounds what the program reads, in bytes.
const maxInput = 64 << 20

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
about an image could not be found out.`

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
	p := &program{streams: streams, in: streams.In}
	cmd := p.command(ctx)
	cmd.SetArgs(p.arguments(args))
	cmd.SetIn(&lazyReader{p})
	cmd.SetOut(&p.out)
	cmd.SetErr(&p.err)
	return p.finish(cmd.ExecuteContext(ctx))
}

// program is one run.
type program struct {
	streams   Streams
	processor *Processor
	host      Host
	show      string   // a kind whose definition is printed
	args      []string // files
	texts     [][]byte // what is in those behind the first
	in        io.Reader
	read      bytes.Buffer // what came from the standard input
	out, err  bytes.Buffer
	results   framework.Results
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
	cmd := command.Build(framework.ResourceListProcessorFunc(p.process), command.StandaloneEnabled, false)
	run := cmd.RunE
	cmd.Use = "promote-fn [CONFIG FILE...]"
	cmd.Short = "Run a KRM function on Kubernetes objects"
	cmd.Long, cmd.Example = programLong, programExample
	cmd.Flags().StringVar(&p.host.Root, "root", "", "directory that no path in a configuration may leave (default: the repository, by .git or promotion.yaml)")
	cmd.Flags().StringVar(&p.show, "definition", "", "print the KRMFunctionDefinition of a kind, or of all, and do nothing else")
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err.Error(), "promote-fn --help"} })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if p.show != "" {
			return p.print()
		}
		if p.args = args; len(args) > 0 && p.host.Dir == "" {
			p.host.Dir = filepath.Dir(args[0])
		}
		if err := checkSizes(args); err != nil {
			return err
		}
		if len(args) > 1 {
			if err := p.load(args[1:]); err != nil {
				return err
			}
			args = []string{args[0], "-"}
		}
		return guarded(func() error { return run(cmd, args) })
	}
	return cmd
}

// usageError is a fault in the command line.
type usageError struct{ msg, hint string }

func (e *usageError) Error() string    { return e.msg }
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

// checkSizes refuses files that are too large; the framework reads them whole.
func checkSizes(files []string) error {
	for _, f := range files {
		if f == "-" {
			continue
		}
		info, err := os.Stat(f)
		switch {
		case err != nil:
			return readError(f, err)
		case !info.Mode().IsRegular():
			return &pathError{path: f, msg: "is not a file"}
		case info.Size() > maxInput:
			return &pathError{path: f, msg: fmt.Sprintf("is larger than %d MiB", maxInput>>20)}
		}
	}
	return nil
}

// load reads the files with objects. The framework would put one directly behind
// the other, and take an object for more fields of the one before it.
func (p *program) load(files []string) error {
	for _, file := range files {
		var text []byte
		var err error
		if file == "-" {
			text, err = io.ReadAll(io.LimitReader(p.streams.In, maxInput+1))
		} else {
			text, err = os.ReadFile(file)
		}
		if err != nil {
			return readError(file, err)
		}
		p.texts = append(p.texts, text)
	}
	p.in = bytes.NewReader(bytes.Join(p.texts, []byte("\n---\n")))
	return nil
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

// lazyReader reads the standard input when it is needed, and keeps it.
type lazyReader struct{ p *program }

func (l *lazyReader) Read(b []byte) (int, error) {
	n, err := l.p.in.Read(b)
	l.p.read.Write(b[:n])
	if l.p.read.Len() > maxInput {
		return n, &pathError{path: "input", msg: fmt.Sprintf("is larger than %d MiB", maxInput>>20)}
	}
	return n, err
}

func (p *program) process(list *framework.ResourceList) error {
	p.called = true
	err := p.processor.Process(list)
	p.results = list.Results
	if err == nil && len(p.results) == 0 && !p.processor.Changed() {
		list.Items = nil // what was read is written: no need to format it
	}
	return err
}

// finish writes what there is to write, once.
func (p *program) finish(err error) int {
	p.report(err)
	if _, failed := p.streams.Out.Write(p.output(err)); failed != nil {
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
	lines := Lines(p.results)
	var refused *Refused
	if err != nil && !errors.As(err, &refused) {
		lines = append(lines, oneLine(err.Error()))
		var hinted interface{ HintText() string }
		if errors.As(err, &hinted) && hinted.HintText() != "" {
			lines = append(lines, "hint: "+oneLine(hinted.HintText()))
		}
	}
	for _, l := range lines {
		fmt.Fprintln(p.streams.Err, l)
	}
}

// output gives what the framework has written or, where no item differs, what was
// read: the framework writes YAML in a form of its own. Where something failed,
// plain objects are not written, lest someone applies them; a ResourceList is, for
// its results.
func (p *program) output(err error) []byte {
	switch {
	case err == nil && (!p.called || p.processor.Changed()): // a definition, help
		return p.out.Bytes()
	case len(p.args) > 0 && err != nil:
		return nil
	case len(p.args) > 0:
		return p.inputs()
	case !p.called: // nothing could be read
		return nil
	case len(p.results) == 0:
		return p.read.Bytes()
	}
	if text, ok := withResults(p.read.Bytes(), p.results); ok {
		return text
	}
	return p.out.Bytes()
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
// mapping in block style that has none; ok is false otherwise.
func withResults(text []byte, results framework.Results) (out []byte, ok bool) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if dec.Decode(&doc) != nil || len(doc.Content) != 1 || dec.Decode(new(yaml.Node)) != io.EOF {
		return nil, false
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 || root.Column != 1 ||
		lookup(root, "results", 0) != nil || bytes.Contains(text, []byte("\n...")) {
		return nil, false
	}
	added, err := yaml.Marshal(map[string]any{"results": results})
	if err != nil {
		return nil, false
	}
	out = bytes.Clone(text)
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return append(out, added...), true
}
