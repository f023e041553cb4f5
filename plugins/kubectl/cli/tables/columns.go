package tables

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/jsonpath"
)

// path is a JSONPath as kubectl takes it: {.metadata.name}, .metadata.name or
// metadata.name.
func path(text string) (*jsonpath.JSONPath, error) {
	text = strings.TrimSpace(text)
	if inner, braced := strings.CutPrefix(text, "{"); braced {
		text = strings.TrimSuffix(inner, "}")
	}
	if text == "" {
		return nil, fmt.Errorf("the path is empty")
	}
	if !strings.HasPrefix(text, ".") && !strings.HasPrefix(text, "[") {
		text = "." + text
	}
	p := jsonpath.New("path").AllowMissingKeys(true)
	return p, p.Parse("{" + text + "}")
}

// values are what a path finds.
func values(p *jsonpath.JSONPath, in any) ([]any, error) {
	found, err := p.FindResults(in)
	var out []any
	for _, set := range found {
		for _, v := range set {
			if v.IsValid() && v.CanInterface() && !(v.Kind() == reflect.Interface && v.IsNil()) {
				out = append(out, v.Interface())
			}
		}
	}
	return out, err
}

// Columns prints a list as a table of columns that are given by paths. It is a printer of
// cli-runtime's.
type Columns struct {
	headings []string
	paths    []*jsonpath.JSONPath
	// Table writes the rows.
	Table func(w io.Writer, rows [][]string) error
}

// ParseColumns reads HEADING:PATH,HEADING:PATH.
func ParseColumns(spec string) (*Columns, error) {
	c := &Columns{}
	for _, one := range strings.Split(spec, ",") {
		heading, text, ok := strings.Cut(one, ":")
		if heading = strings.TrimSpace(heading); !ok || heading == "" {
			return nil, fmt.Errorf("%q is no HEADING:PATH", one)
		}
		p, err := path(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", heading, err)
		}
		c.headings, c.paths = append(c.headings, heading), append(c.paths, p)
	}
	return c, nil
}

// ParseColumnsFile reads two lines, as kubectl has them: one with the headings, one with
// the paths below them.
func ParseColumnsFile(text string) (*Columns, error) {
	headings, paths, _ := strings.Cut(strings.TrimSpace(text), "\n")
	h, p := strings.Fields(headings), strings.Fields(paths)
	if len(h) != len(p) {
		return nil, fmt.Errorf("%d headings stand above %d paths", len(h), len(p))
	}
	for i := range h {
		h[i] += ":" + p[i]
	}
	return ParseColumns(strings.Join(h, ","))
}

// PrintObj prints a list, or the one object that it is given.
func (c *Columns) PrintObj(obj runtime.Object, w io.Writer) error {
	all := []runtime.Object{obj}
	if meta.IsListType(obj) {
		var err error
		if all, err = meta.ExtractList(obj); err != nil {
			return err
		}
	}
	rows := [][]string{c.headings}
	for _, one := range all {
		u, ok := one.(runtime.Unstructured)
		if !ok {
			return fmt.Errorf("%T has no columns", one)
		}
		var row []string
		for _, p := range c.paths {
			found, err := values(p, u.UnstructuredContent())
			if err != nil {
				return err
			}
			row = append(row, cell(found))
		}
		rows = append(rows, row)
	}
	return c.Table(w, rows)
}

// cell is what a path has found, as kubectl shows it.
func cell(found []any) string {
	if len(found) == 0 {
		return "<none>"
	}
	var out []string
	for _, v := range found {
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, ",")
}

// Sort sorts items by what stands at a path in what they are as JSON: numbers by size,
// other things as text; without it, first. It is stable.
func Sort[T any](all []T, by string, object func(T) any) error {
	p, err := path(by)
	if err != nil {
		return err
	}
	type keyed struct {
		item T
		key  any
	}
	items, there := make([]keyed, len(all)), false
	for i, item := range all {
		data, err := json.Marshal(object(item))
		if err != nil {
			return err
		}
		var decoded map[string]any
		if err := json.Unmarshal(data, &decoded); err != nil {
			return err
		}
		found, err := values(p, decoded)
		if err != nil {
			return err
		}
		if items[i].item = item; len(found) > 0 {
			items[i].key, there = found[0], true
		}
	}
	if !there && len(all) > 0 {
		return fmt.Errorf("no item has it")
	}
	slices.SortStableFunc(items, func(a, b keyed) int { return compare(a.key, b.key) })
	for i := range items {
		all[i] = items[i].item
	}
	return nil
}

func compare(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	x, numbers := a.(float64)
	y, both := b.(float64)
	if numbers && both {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
