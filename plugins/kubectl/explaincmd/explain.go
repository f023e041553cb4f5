// Package explaincmd implements kubectl promote explain: what a field of a pipeline file or
// of a verification policy means, as kubectl explain says it of a resource's.
package explaincmd

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/fleet"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

const long = `Say what a field of a pipeline file, of a verification policy or of a fleet file means, of which
type it is, and what may stand below it.

A field is named by its path, without the numbers of lists: pipeline.spec.environments.gates.soak.
What stands in front may be left out where the rest names one field alone: gates.soak.
With a kind alone, pipeline, policy or fleet, the whole file is explained.

--schema prints the kind's JSON Schema, for editors and other tools.`

const example = `  # all that a pipeline file may say
  kubectl promote explain pipeline

  # one field of a gate
  kubectl promote explain gates.soak.for

  # all gates with all their fields
  kubectl promote explain environments.gates --recursive

  # the schema of verification policies, for an editor
  kubectl promote explain policy --schema > policy.schema.json`

// kinds are the files that can be explained.
func kinds() []*kind {
	return []*kind{
		{names: []string{"pipeline", pipeline.FileName}, version: pipeline.APIVersion, text: pipeline.Schema()},
		{names: []string{"policy", "verificationpolicy"}, version: pipeline.APIVersion, text: verify.PolicySchema()},
		{names: []string{"fleet", fleet.FileName}, version: pipeline.APIVersion, text: fleet.Schema()},
	}
}

// New makes kubectl promote explain.
func New(s *cli.Session) *cobra.Command {
	var recursive, whole bool
	cmd := &cobra.Command{
		Use:               "explain FIELD",
		Short:             "Say what a field of a pipeline or a policy means",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupOther,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete,
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := find(args[0])
			if err != nil {
				return err
			}
			if whole {
				_, err := s.Out.Write(f.kind.text)
				return err
			}
			return f.print(s.Out, recursive)
		},
	}
	cmd.Flags().BoolVar(&recursive, "recursive", false, "print the fields below it with all of theirs, without what they mean")
	cmd.Flags().BoolVar(&whole, "schema", false, "print the JSON Schema of the whole kind")
	cmd.MarkFlagsMutuallyExclusive("recursive", "schema")
	return cmd
}

// field is one place in a kind's file.
type field struct {
	kind *kind
	path []string // from the root
	*schema
	required bool
}

// name is the field's path, as a user may give it.
func (f field) name() string { return strings.Join(append([]string{f.kind.names[0]}, f.path...), ".") }

// below gives what stands below a field.
func (f field) below() []field {
	var out []field
	for _, p := range f.kind.fields(f.schema) {
		out = append(out, field{f.kind, append(slices.Clone(f.path), p.name), p.schema, f.kind.requires(f.schema, p.name)})
	}
	return out
}

// walk visits a field and all below it, those nearest first. What a type has of its own
// kind is not gone into again.
func walk(from field, visit func(field)) {
	next := []field{from}
	for len(next) > 0 {
		f := next[0]
		next = next[1:]
		visit(f)
		for _, b := range f.below() {
			if !slices.Contains(f.path, b.path[len(b.path)-1]) {
				next = append(next, b)
			}
		}
	}
}

// find gives the field that a path means.
func find(path string) (field, error) {
	all := kinds()
	asked := strings.Split(strings.Trim(path, "."), ".")
	for i, segment := range asked {
		asked[i], _, _ = strings.Cut(segment, "[") // the number of a list
	}
	var fits []field
	var names []string
	for _, k := range all {
		if err := k.parse(); err != nil {
			return field{}, err
		}
		root := field{kind: k, schema: k.root}
		for _, name := range k.names {
			if strings.EqualFold(name, path) {
				return root, nil
			}
		}
		rest, named := asked, false
		for _, name := range k.names {
			front := strings.Split(name, ".") // that of a file has a dot
			if len(asked) > len(front) && slices.EqualFunc(asked[:len(front)], front, strings.EqualFold) {
				rest, named = asked[len(front):], true
				break
			}
		}
		walk(root, func(f field) {
			if len(f.path) > 0 {
				for at := range f.path {
					names = append(names, strings.Join(f.path[at:], "."))
				}
			}
			at := len(f.path) - len(rest)
			if at >= 0 && (!named || at == 0) && slices.EqualFunc(f.path[at:], rest, strings.EqualFold) {
				fits = append(fits, f)
			}
		})
	}
	fits = nearest(fits)
	switch {
	case len(fits) == 0:
		return field{}, &cli.UsageError{Msg: fmt.Sprintf("there is no field %q", path), Hint: unknownHint(path, names)}
	case len(fits) > 1:
		var names []string
		for _, f := range fits {
			names = append(names, f.name())
		}
		return field{}, &cli.UsageError{Msg: fmt.Sprintf("%q is the name of %d fields: %s", path, len(fits), strings.Join(names, ", ")), Hint: "kubectl promote explain " + names[0]}
	}
	return fits[0], nil
}

// nearest gives a field that stands at several places once, where it is nearest to the root:
// that of a gate, and not again that of the gates below anyOf.
func nearest(fits []field) []field {
	return slices.DeleteFunc(slices.Clone(fits), func(f field) bool {
		return slices.ContainsFunc(fits, func(other field) bool { return other.schema == f.schema && len(other.path) < len(f.path) })
	})
}

func second(_ field, err error) error { return err }

// unknownHint names the field that was meant, or how to see all.
func unknownHint(path string, names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	last := path[strings.LastIndexByte(path, '.')+1:]
	for _, asked := range []string{path, last} {
		if near := spelling.Nearest(asked, names); near != "" {
			if several, ok := errors.AsType[*cli.UsageError](second(find(near))); ok {
				return several.Hint // with the kind in front
			}
			return "kubectl promote explain " + near
		}
	}
	return "kubectl promote explain pipeline --recursive"
}

// print explains the field as kubectl explain does.
func (f field) print(out io.Writer, recursive bool) error {
	w := &strings.Builder{}
	fmt.Fprintf(w, "KIND:       %s\nVERSION:    %s\n\n", f.kind.root.Title, f.kind.version)
	if len(f.path) > 0 {
		fmt.Fprintf(w, "FIELD: %s\n\n", f.head(strings.Join(f.path, ".")))
	}
	if values := f.kind.values(f.schema); len(values) > 0 {
		fmt.Fprintf(w, "ENUM:\n    %s\n\n", strings.Join(values, "\n    "))
	}
	if about := f.kind.about(f.schema); len(about) > 0 {
		fmt.Fprintf(w, "DESCRIPTION:\n")
		wrap(w, "    ", about)
		fmt.Fprintln(w)
	}
	if below := f.below(); len(below) > 0 {
		fmt.Fprintf(w, "FIELDS:\n")
		for _, b := range below {
			b.list(w, "  ", recursive)
		}
	}
	_, err := io.WriteString(out, strings.TrimRight(w.String(), "\n")+"\n")
	return err
}

// head is the field's name and type.
func (f field) head(name string) string {
	head := name + "\t<" + f.kind.typeOf(f.schema) + ">"
	if f.required {
		head += " -required-"
	}
	return head
}

// list writes the field among others: what it means, or what is below it.
func (f field) list(w io.Writer, indent string, recursive bool) {
	name := f.path[len(f.path)-1]
	fmt.Fprintf(w, "%s%s\n", indent, f.head(name))
	if !recursive {
		if about := f.kind.about(f.schema); len(about) > 0 {
			wrap(w, indent+"  ", about[:1])
		}
		fmt.Fprintln(w)
		return
	}
	if slices.Contains(f.path[:len(f.path)-1], name) {
		return // of the same kind again
	}
	for _, b := range f.below() {
		b.list(w, indent+"  ", true)
	}
}

// wrap writes paragraphs in lines that are good to read.
func wrap(w io.Writer, indent string, paragraphs []string) {
	for i, text := range paragraphs {
		if i > 0 {
			fmt.Fprintln(w)
		}
		line := indent
		for word := range strings.FieldsSeq(text) {
			if len(line)+1+len(word) > 90 && line != indent {
				fmt.Fprintln(w, line)
				line = indent
			}
			if line != indent {
				line += " "
			}
			line += word
		}
		fmt.Fprintln(w, line)
	}
}

// complete offers what may follow in a path.
func complete(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var offers []string
	for _, k := range kinds() {
		if k.parse() != nil {
			continue
		}
		walk(field{kind: k, schema: k.root}, func(f field) {
			if name := f.name(); strings.HasPrefix(name, word) && strings.Count(name, ".") <= strings.Count(word, ".") {
				offers = append(offers, name)
			}
		})
	}
	return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
