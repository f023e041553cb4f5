package across

import (
	"encoding/json"
	"slices"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"k8s.io/cli-runtime/pkg/printers"
)

// Heading is that of the column of repositories.
const Heading = "REPOSITORY"

// Table is a part of a table that is of one repository, with its heading; without rows the
// repository could not be read.
type Table struct {
	Repository string
	Rows       [][]string
}

// Rows puts tables together: a column for each heading that any of them has, behind that of
// the repositories. What a table has no column for is "-"; of what could not be read all is
// "unknown", and never none.
func Rows(heading []string, tables []Table) [][]string {
	heading = slices.Concat([]string{Heading}, heading)
	for _, t := range tables {
		for n, at := range t.columns(heading) {
			if at < 0 {
				heading = append(heading, t.Rows[0][n])
			}
		}
	}
	rows := [][]string{heading}
	for _, t := range tables {
		if len(t.Rows) == 0 {
			row := slices.Repeat([]string{"unknown"}, len(heading))
			row[0] = t.Repository
			rows = append(rows, row)
			continue
		}
		at := t.columns(heading)
		for _, cells := range t.Rows[1:] {
			row := slices.Repeat([]string{"-"}, len(heading))
			row[0] = t.Repository
			for n, cell := range cells {
				row[at[n]] = cell
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// columns gives for each of a table's own columns the one of all that has its heading, or -1:
// the second where it is the second called so, as an environment may be called like a column
// that is always there.
func (t Table) columns(heading []string) []int {
	if len(t.Rows) == 0 {
		return nil
	}
	var at []int
	from := make(map[string]int)
	for _, name := range t.Rows[0] {
		n := slices.Index(heading[1+from[name]:], name)
		if n >= 0 {
			n += 1 + from[name]
			from[name] = n
		}
		at = append(at, n)
	}
	return at
}

// Object is an item of a list with the repository that it is of.
func Object(repository string, o cli.Object) cli.Object {
	o.Content = content{repository, o.Content}
	return o
}

type content struct {
	repository string
	of         any
}

// MarshalJSON writes the repository as the first field.
func (c content) MarshalJSON() ([]byte, error) {
	name, err := json.Marshal(c.repository)
	if err != nil {
		return nil, err
	}
	of, err := json.Marshal(c.of)
	if err != nil {
		return nil, err
	}
	out := append([]byte(`{"repository":`), name...)
	if len(of) > len("{}") {
		out = append(out, ',')
	}
	return append(out, of[1:]...), nil
}

// outcome is how a repository was read, beside the items of a list.
type outcome struct {
	Name       string `json:"name"`
	ExitStatus int    `json:"exitStatus"`
	Error      string `json:"error,omitempty"`
}

// Print prints a list of what all repositories have, and how each of them was read.
func (a *All[T]) Print(s *cli.Session, p printers.ResourcePrinter, kind string, items []cli.Object) error {
	head := struct {
		Repositories []outcome `json:"repositories"`
		ExitStatus   int       `json:"exitStatus"`
	}{ExitStatus: a.worst()}
	for _, r := range a.Results {
		head.Repositories = append(head.Repositories, outcome{r.Name, r.Status, r.Err})
	}
	return cli.PrintListWith(s.Out, p, kind, head, items)
}

// Ends is the error that a command ends with: the worst that any repository gives, without a
// word, as all is told.
func (a *All[T]) Ends() error { return cli.Silent(a.worst()) }

func (a *All[T]) worst() int {
	status := cli.ExitDone
	for _, r := range a.Results {
		status = Worse(status, r.Status)
	}
	return status
}
