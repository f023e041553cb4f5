package yamlfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// MaxFaults is how many faults of a file are told; of the others, their number.
const MaxFaults = 20

// Options say how a file is read. A bound that is zero stands for its default.
type Options struct {
	// Size is that of the file in bytes; by default 1 MiB.
	Size int
	// Documents that the file may hold; by default one.
	Documents int
	// Values is how many values there may be, fields' names among them. What
	// stands behind an alias counts each time. By default 100,000.
	Values int
	// Depth is how deep values may stand in each other; by default 64.
	Depth int
	// Aliases is how many there may be. By default there may be none, and
	// [File.Check] tells the place of each.
	Aliases int
	// Secret leaves out of messages what the parser quotes of values.
	Secret bool
}

func (o Options) withDefaults() Options {
	o.Size = cmp.Or(o.Size, 1<<20)
	o.Documents = cmp.Or(o.Documents, 1)
	o.Values = cmp.Or(o.Values, 100_000)
	o.Depth = cmp.Or(o.Depth, 64)
	return o
}

// Fault is something wrong in a file.
type Fault struct {
	// File is the name that the file was parsed under.
	File string
	// Line and Col count from 1, Col in characters; both are zero where the fault
	// concerns the file as a whole.
	Line, Col int
	// Path leads to the value, such as spec.images[0]; it may be empty.
	Path string
	// Msg says what is wrong: one line, lower case, no full stop.
	Msg string
	// Brief is Msg for one who has named the path already; it may be empty.
	Brief string
	// Hint, if any, says what to type or to change.
	Hint string
}

// File is a file and what is wrong with it. The zero value is a file without a
// name, for values that were parsed by somebody else.
type File struct {
	name      string
	documents []*yaml.Node
	aliases   bool
	secret    bool
	faults    []Fault
	places    map[string]*yaml.Node
}

// Parse reads a file; name is for messages. A file that cannot be read has a
// fault, and no documents.
func Parse(name string, data []byte, o Options) *File {
	o = o.withDefaults()
	f := &File{name: name, aliases: o.Aliases > 0, secret: o.Secret}
	if len(data) > o.Size {
		f.Add(nil, "", "is larger than %s", size(o.Size))
		return f
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		doc := &yaml.Node{}
		switch err := dec.Decode(doc); {
		case errors.Is(err, io.EOF):
			if len(f.documents) == 0 {
				f.Add(nil, "", "is empty")
			}
			return f.bounded(o)
		case err != nil:
			f.syntax(err)
			f.documents = nil
			return f
		case len(doc.Content) == 0:
		case len(f.documents) < o.Documents:
			f.documents = append(f.documents, doc.Content[0])
		case o.Documents == 1:
			f.Add(doc, "keep one document", "a second document")
			return f.bounded(o)
		default:
			f.Add(doc, "", "more than %d documents", o.Documents)
			return f.bounded(o)
		}
	}
}

func size(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// Documents gives the documents of the file, without those that are empty. There
// are none where the file could not be read.
func (f *File) Documents() []*yaml.Node { return f.documents }

// Add notes a fault in a value or, where n is nil, in the file as a whole.
func (f *File) Add(n *yaml.Node, hint, format string, args ...any) {
	f.add(n, Fault{Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (f *File) add(n *yaml.Node, fault Fault) {
	fault.File = f.name
	if n != nil {
		fault.Line, fault.Col = n.Line, n.Column
	}
	f.faults = append(f.faults, fault)
}

// Has tells whether the file that was checked has a value at a path.
func (f *File) Has(path string) bool { return f.places[path] != nil }

// At notes a fault in the value with a path, such as spec.environments[0].name,
// that Decode or Check has come by. Where the file does not have it, the place is
// that of the nearest value around it.
func (f *File) At(path, hint, format string, args ...any) {
	place := path
	for f.places[place] == nil && place != "" {
		place = place[:max(strings.LastIndexAny(place, ".["), 0)]
	}
	f.add(f.places[place], Fault{Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// Place writes where the value with a path stands, as file:line:col; without a line
// where the file that was checked does not have it.
func (f *File) Place(path string) string {
	n := f.places[path]
	if n == nil {
		return f.name
	}
	return fmt.Sprintf("%s:%d:%d", f.name, n.Line, n.Column)
}

// Faults gives what is wrong, in the order of the file and each once: what stands
// behind an alias is seen several times. Beyond MaxFaults the last one is about
// the number of those left out.
func (f *File) Faults() []Fault {
	slices.SortStableFunc(f.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	var once []Fault
	seen := make(map[Fault]bool)
	for _, fault := range f.faults {
		if !seen[fault] {
			seen[fault] = true
			once = append(once, fault)
		}
	}
	if more := len(once) - MaxFaults; more > 0 {
		once = append(once[:MaxFaults], Fault{File: f.name, Msg: fmt.Sprintf("has %d more faults", more)})
	}
	return once
}

// Err joins the faults, as errors that convert makes; nil where there are none.
func (f *File) Err(convert func(Fault) error) error {
	var errs []error
	for _, fault := range f.Faults() {
		errs = append(errs, convert(fault))
	}
	return errors.Join(errs...)
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): `)
})

// syntax gives the parser's message a place.
func (f *File) syntax(err error) {
	printable := func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}
	msg := strings.Join(strings.Fields(strings.Map(printable, err.Error())), " ")
	at := &yaml.Node{Line: 1, Column: 1}
	if m := yamlLine().FindStringSubmatch(msg); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	if f.secret {
		f.Add(at, "", "not valid YAML")
		return
	}
	f.Add(at, "", "not valid YAML: %s", strings.TrimPrefix(msg, "yaml: "))
}

// bounded drops documents that have too many values, or values too deep. One that
// contains itself, by an alias, is too deep.
func (f *File) bounded(o Options) *File {
	b := &bounds{options: o}
	for _, doc := range f.documents {
		if !b.walk(doc, 1) {
			f.documents = nil
			f.Add(b.at, "", "%s", b.why)
			return f
		}
	}
	if o.Aliases == 0 && b.aliases > 0 {
		return f.unfolded(o)
	}
	if o.Aliases > 0 && b.aliases > o.Aliases {
		f.Add(f.documents[0], "", "has %d aliases, and %d are the most", b.aliases, o.Aliases)
		f.documents = nil
	}
	return f
}

// unfolded drops documents whose aliases, which may not be there anyway, stand for too
// many values: that is said once, and not of every alias and field around them.
func (f *File) unfolded(o Options) *File {
	o.Aliases = math.MaxInt
	b := &bounds{options: o}
	for _, doc := range f.documents {
		if !b.walk(doc, 1) {
			f.documents = nil
			f.Add(b.first, "write the values out", "aliases are not supported in this file, and these stand for more than %d values", o.Values)
			return f
		}
	}
	return f
}

// bounds counts values.
type bounds struct {
	options         Options
	values, aliases int
	at, first       *yaml.Node // first is the first alias
	why             string
}

func (b *bounds) walk(n *yaml.Node, depth int) bool {
	switch b.values++; {
	case b.values > b.options.Values:
		b.at, b.why = n, fmt.Sprintf("has more than %d values", b.options.Values)
		return false
	case depth > b.options.Depth:
		b.at, b.why = n, fmt.Sprintf("values stand more than %d deep", b.options.Depth)
		return false
	case n.Kind == yaml.AliasNode:
		if b.aliases++; b.aliases == 1 {
			b.first = n
		}
		return b.options.Aliases == 0 || b.walk(n.Alias, depth+1)
	}
	for _, c := range n.Content {
		if !b.walk(c, depth+1) {
			return false
		}
	}
	return true
}

// Resolve follows an alias. An alias never names another one.
func Resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// KindOf says in a word what a value is: mapping, list, string, boolean, number,
// null, alias, or another type.
func KindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	case yaml.AliasNode:
		return "alias"
	}
	switch tag := n.ShortTag(); tag {
	case "!!str":
		return "string"
	case "!!bool":
		return "boolean"
	case "!!int", "!!float":
		return "number"
	case "!!null", "!!timestamp", "!!binary", "!!merge":
		return tag[2:]
	default: // of its own, with whatever the file says
		return "value of type " + strconv.Quote(shorten(tag))
	}
}
