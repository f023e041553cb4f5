// Package helm has charts rendered by a program: promote-helm, which comes with kubectl
// promote, or helm itself where that is found alone. Neither is linked: Helm's engine takes
// 19 MB and about 10 ms of every start of a program that has it.
//
// [Find] looks for the program, and [Program.Render] gives what helm template writes. A
// program is given all files by the one that starts it; it asks no server and no cluster.
package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/kubepromote/kubepromote/promote"
	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// Request is what is rendered.
type Request struct {
	// Dir is where the chart is in the repository, for messages.
	Dir string
	// Files are those of the chart, by their paths from Dir.
	Files map[string][]byte
	// Values are merged over those of the chart in their order: the last one counts. Helm
	// itself has those with a path count more than all that have none.
	Values []Values
	// Set are single values, which count more.
	Set []Setting
	// Release and Namespace are those that the chart is installed as.
	Release, Namespace string
	// KubeVersion and APIVersions, if not empty, are what the chart is told of the cluster.
	KubeVersion string
	APIVersions []string
	// SkipCRDs leaves out what is in the chart's crds folder, SkipHooks its hooks. Tests has
	// the hooks that are tests as well.
	SkipCRDs, SkipHooks, Tests bool
}

// Values are those of a file.
type Values struct {
	// Name is the file's, in the repository.
	Name string `json:"name"`
	Data []byte `json:"data"`
	// Path, if not empty, is where the data are a single value, as helm's --set has both.
	Path string `json:"path,omitempty"`
	// String tells that such a value is a text, whatever it looks like.
	String bool `json:"string,omitempty"`
}

// Setting is a value as helm's --set has it.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// String tells that the value is a text, whatever it looks like.
	String bool `json:"string"`
}

// Render gives what helm template --include-crds --skip-tests writes. The error names the
// file of the repository that is at fault, as far as that is known. It is an error, too,
// where the chart gives something else each time.
func (p *Program) Render(ctx context.Context, q Request) (string, error) {
	if err := q.check(); err != nil {
		return "", err
	}
	a, err := p.ask(ctx, &q)
	switch {
	case err != nil:
		return "", err
	case a.Error != "":
		return "", q.explain(a.Error, a.At)
	case len(a.Changing) > 0:
		_, rest, _ := strings.Cut(a.Changing[0], "/")
		return "", &promote.Error{Msg: path.Join(q.Dir, rest) + ": gives something else each time it is rendered: a random value, or the time",
			Hint: "set what it makes up in a values file, as an existing Secret or a fixed value"}
	}
	return a.Manifests, nil
}

var releaseName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?$`) })

// check refuses what no program is to see.
func (q *Request) check() error {
	if !releaseName().MatchString(q.Release) {
		return &promote.Error{Msg: fmt.Sprintf("%s: %q is no name of a release", q.Dir, fault.OneLine(q.Release)), Hint: "releaseName: up to 53 small letters, digits, '-' and '.'"}
	}
	for _, v := range q.Values {
		if v.Path != "" {
			continue
		}
		if err := checkValues(v); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.Files)) {
		data := q.Files[name]
		at := path.Join(q.Dir, name)
		switch base := path.Base(name); {
		case base == "values.schema.json":
			if ref := fetched(data); ref != "" {
				return &promote.Error{Msg: at + ": refers to " + fault.WithoutURLs(fault.OneLine(ref)) + ", and nothing is fetched to render", Hint: "write the schema into the file, under $defs"}
			}
		case base == "values.yaml" && !strings.Contains(name, "templates/"):
			if err := checkValues(Values{Name: at, Data: data}); err != nil {
				return err
			}
		}
	}
	if _, ok := q.Files["Chart.yaml"]; !ok {
		return &promote.Error{Msg: q.Dir + " has no Chart.yaml"}
	}
	return nil
}

var templated = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{[^}]*\}\}`) })

// checkValues tells where values are none.
func checkValues(v Values) error {
	fail := func(line int, msg string) error {
		place := v.Name
		if line > 0 {
			place = fmt.Sprintf("%s:%d", v.Name, line)
		}
		if at := templated().FindIndex(v.Data); at != nil {
			return &promote.Error{Msg: fmt.Sprintf("%s:%d: is a template, and values of charts are none", v.Name, 1+bytes.Count(v.Data[:at[0]], []byte("\n"))),
				Hint: "write the values as they are, or commit what the templates become"}
		}
		return &promote.Error{Msg: place + ": " + msg}
	}
	if err := yamlbound.Check(v.Data); err != nil {
		return &promote.Error{Msg: v.Name + ": " + err.Error(), Hint: "write it without aliases, or in parts"}
	}
	for dec := yaml.NewDecoder(bytes.NewReader(v.Data)); ; {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fail(0, fault.OneLine(err.Error()))
		}
		if len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue
		}
		if n.Content[0].Kind != yaml.MappingNode {
			return fail(n.Content[0].Line, "has no values: they are a mapping")
		}
		text, err := yaml.Marshal(&n)
		if err == nil {
			_, err = kyaml.YAMLToJSON(text)
		}
		if err != nil {
			return fail(n.Content[0].Line, fault.OneLine(err.Error()))
		}
	}
}

// fetched gives what a JSON Schema would have fetched, or "". References into itself and
// the drafts of JSON Schema are known without.
func fetched(data []byte) string {
	var root any
	if json.Unmarshal(data, &root) != nil {
		return "" // which is told when it is used
	}
	for left := []any{root}; len(left) > 0; {
		v := left[len(left)-1]
		left = left[:len(left)-1]
		switch v := v.(type) {
		case []any:
			left = append(left, v...)
		case map[string]any:
			for key, one := range v {
				s, ok := one.(string)
				switch {
				case !ok:
					left = append(left, one)
				case strings.HasSuffix(key, "Ref") || key == "$ref":
					if !strings.HasPrefix(s, "#") && strings.HasPrefix(key, "$") {
						return s
					}
				case key == "$schema" && !draft().MatchString(s):
					return s
				}
			}
		}
	}
	return ""
}

var draft = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^https?://json-schema\.org/(draft-0[467]|draft/20(19-09|20-12))/schema#?$`)
})

// placeOf finds the place in a message of Helm: a template of the chart, or its values.
var placeOf = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([\w.-]+)/((?:charts/[\w.-]+/)*templates/[^\s:()]+):(\d+)`)
})

// executing is what Helm says in front of an error: the file that is said already, and a column
// of what it was given.
var executing = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\S+:\d+:\d+\s+executing "[^"]*" at `) })

// explain words an error of Helm with the file of the repository; at is the template that it is
// about, where it does not say so itself.
func (q *Request) explain(text, template string) error {
	text = strings.TrimSpace(text)
	msg := strings.Join(strings.Fields(executing().ReplaceAllString(fault.OneLine(strings.TrimPrefix(text, "Error: ")), "")), " ")
	file := q.Dir
	if _, rest, ok := strings.Cut(template, "/"); ok { // behind the chart's own name
		file = path.Join(q.Dir, rest)
	}
	switch at := placeOf().FindStringSubmatch(text); {
	case strings.Contains(text, "missing in charts/ directory"):
		return &promote.Error{Msg: path.Join(q.Dir, "Chart.yaml") + ": " + msg + ": nothing is fetched to render",
			Hint: "helm dependency build " + shell.Quote(q.Dir) + ", and commit " + shell.Quote(path.Join(q.Dir, "charts"))}
	case strings.Contains(text, "values don't meet the specifications"):
		return &promote.Error{Msg: q.valuesName() + ": " + msg}
	case at != nil && strings.Contains(text, "nested reference name"):
		return &promote.Error{Msg: fmt.Sprintf("%s:%s: includes a template that includes itself without an end", path.Join(q.Dir, at[2]), at[3])}
	case at != nil:
		if _, cause, ok := strings.Cut(msg, "): "); ok && strings.HasPrefix(msg, "execution error at (") {
			msg = cause
			return &promote.Error{Msg: fmt.Sprintf("%s:%s: %s", path.Join(q.Dir, at[2]), at[3], msg), Hint: "set it in " + shell.Quote(q.valuesName())}
		}
		return &promote.Error{Msg: fmt.Sprintf("%s:%s: %s", path.Join(q.Dir, at[2]), at[3], msg)}
	case strings.Contains(text, "takes more than"):
		return &promote.Error{Msg: file + ": " + msg, Hint: "look for a template in it that calls itself, or that counts far"}
	}
	return &promote.Error{Msg: q.Dir + ": helm: " + msg}
}

// valuesName is the values file that has the last word.
func (q *Request) valuesName() string {
	if n := len(q.Values); n > 0 {
		return q.Values[n-1].Name
	}
	return path.Join(q.Dir, "values.yaml")
}
