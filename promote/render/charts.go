package render

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/render/helm"
	"go.yaml.in/yaml/v3"
)

// Charts renders a chart: it gives what helm template writes. See package helm.
type Charts func(ctx context.Context, q helm.Request) (string, error)

// The bounds of a chart.
const (
	maxChartFiles = 5000
	maxChartBytes = 100 << 20
)

// isChart tells whether a directory is a chart.
func (s *source) isChart(dir string) bool {
	k, err := s.at(path.Join(dir, "Chart.yaml"))
	return err == nil && k == isFile
}

// chartOf gives the chart that a site is, or that it has values of: the nearest directory
// around it that is one, or has one as chart, or as charts/SERVICE. It is "" where there is
// none, and for files that are no values.
func (r *Renderer) chartOf(site, service string) (chart string, values bool) {
	dir := path.Dir(site)
	k, err := r.source.at(site)
	if k == isDir {
		dir = site
	}
	if name, kerr := r.source.kustomization(dir); err != nil || kerr != nil || name != "" {
		return "", false
	}
	if k == isDir || path.Base(site) == "Chart.yaml" {
		if r.source.isChart(dir) {
			return dir, false
		}
		return "", false
	}
	if ext := path.Ext(site); k == isFile && (ext == ".yaml" || ext == ".yml") {
		chart = r.chartAround(site, service)
	}
	return chart, chart != ""
}

func (r *Renderer) chartAround(file, service string) string {
	docs, err := r.source.documents(file)
	if err == nil && slices.ContainsFunc(docs, func(d document) bool { return d.kind != "" && d.apiVersion != "" }) {
		return ""
	}
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		for _, at := range []string{dir, path.Join(dir, "chart"), path.Join(dir, "charts", service)} {
			if !r.source.isChart(at) {
				continue
			}
			if strings.HasPrefix(file, path.Join(at, "templates")+"/") {
				return ""
			}
			return at
		}
		if dir == "." {
			return ""
		}
	}
}

// values renders a chart with files that have values of it.
func (r *Renderer) values(ctx context.Context, dir, service string, files []string) ([]objects.Object, error) {
	q := helm.Request{Dir: dir, Release: service, Namespace: "default"}
	for _, file := range files {
		v, err := r.valuesFile(file)
		if err != nil {
			return nil, err
		}
		q.Values = append(q.Values, v)
	}
	return r.release(ctx, q)
}

func (r *Renderer) valuesFile(file string) (helm.Values, error) {
	k, err := r.source.at(file)
	switch {
	case err != nil:
		return helm.Values{}, err
	case k == isLink:
		return helm.Values{}, linked(file)
	case k != isFile:
		return helm.Values{}, &promote.Error{Msg: "there is no values file " + fault.OneLine(file)}
	}
	data, err := r.source.bytes(file)
	return helm.Values{Name: file, Data: data}, err
}

// release renders a chart of the tree.
func (r *Renderer) release(ctx context.Context, q helm.Request) ([]objects.Object, error) {
	if r.options.Charts == nil {
		return nil, &promote.Error{Msg: q.Dir + " is a chart of Helm, and charts are not rendered here"}
	}
	files := make(map[string][]byte)
	if err := r.chartFiles(q.Dir, "", files, new(int)); err != nil {
		return nil, err
	}
	maps.Copy(files, q.Files) // what stands in the place of some
	q.Files = files
	text, err := r.options.Charts(ctx, q)
	if err != nil {
		return nil, err
	}
	return manifests(&q, text)
}

// chartFiles reads all that is below a directory.
func (r *Renderer) chartFiles(dir, below string, into map[string][]byte, size *int) error {
	entries, err := r.source.list(path.Join(dir, below))
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		at := path.Join(below, name)
		switch entries[name] {
		case isLink:
			return linked(path.Join(dir, at))
		case isDir:
			if name == ".git" {
				continue
			}
			err = r.chartFiles(dir, at, into, size)
		default:
			into[at], err = r.source.bytes(path.Join(dir, at))
			*size += len(into[at])
		}
		if err != nil {
			return err
		}
		if len(into) > maxChartFiles || *size > maxChartBytes {
			return &promote.Error{Msg: fmt.Sprintf("%s: the chart has more than %d files or %d MiB", dir, maxChartFiles, maxChartBytes>>20), Hint: "keep the chart in a directory of its own"}
		}
	}
	return nil
}

// manifests reads what helm template has written.
func manifests(q *helm.Request, text string) ([]objects.Object, error) {
	if err := yamlbound.Check([]byte(text)); err != nil {
		return nil, &promote.Error{Msg: q.Dir + ": what the chart gives " + err.Error()}
	}
	values := valueNodes(q)
	var out []objects.Object
	file := q.Dir
	for _, part := range strings.Split("\n"+text, "\n---") {
		for line := range strings.Lines(part) {
			if name, ok := strings.CutPrefix(line, "# Source: "); ok {
				_, rest, _ := strings.Cut(strings.TrimSpace(name), "/")
				file = path.Join(q.Dir, rest)
				break
			}
		}
		docs, err := parseDocuments(file, []byte(part))
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if d.root.Tag == "!!null" {
				continue
			}
			if d.kind == "" || d.apiVersion == "" {
				return nil, &promote.Error{Msg: file + ": gives something that is no object of Kubernetes"}
			}
			o, err := d.object(file)
			if err != nil {
				return nil, err
			}
			o.Places = placesOf(o.Fields, file, values)
			if out = append(out, o); len(out) > maxObjects {
				return nil, &promote.Error{Msg: fmt.Sprintf("%s: gives more than %d objects", q.Dir, maxObjects)}
			}
		}
	}
	return out, nil
}

// valueNode is a value of a values file.
type valueNode struct {
	place      objects.Place
	key, value string
}

// valueNodes are the values of a request, the last file's first.
func valueNodes(q *helm.Request) [][]valueNode {
	var out [][]valueNode
	for _, v := range slices.Backward(q.Values) {
		if v.Path != "" {
			continue // which is not written as values are
		}
		var nodes []valueNode
		var visit func(key string, n *yaml.Node)
		visit = func(key string, n *yaml.Node) {
			switch n.Kind {
			case yaml.ScalarNode:
				nodes = append(nodes, valueNode{objects.Place{File: v.Name, Line: n.Line}, strings.ToLower(key), n.Value})
			case yaml.MappingNode:
				for i := 0; i+1 < len(n.Content); i += 2 {
					visit(n.Content[i].Value, n.Content[i+1])
				}
			default:
				for _, c := range n.Content {
					visit(key, c)
				}
			}
		}
		for dec := yaml.NewDecoder(bytes.NewReader(v.Data)); ; {
			var n yaml.Node
			if dec.Decode(&n) != nil {
				break
			}
			visit("", &n)
		}
		out = append(out, nodes)
	}
	return out
}

// placesOf tells where fields of a template come from: from the one value that has the
// field's value and a like name, as far as there is one, else from the template.
func placesOf(fields map[string]any, file string, values [][]valueNode) func(objects.Path) objects.Place {
	return func(at objects.Path) objects.Place {
		found, _ := at.Find(fields)
		text := objects.Text(found)
		for _, nodes := range values {
			var best []objects.Place
			for _, n := range nodes {
				if n.value == "" || len(at) == 0 {
					continue
				}
				if n.value == text && alike(at, n.key) || objects.IsImage(at) && strings.HasSuffix(text, n.value) && imagePart(text, n.value) {
					best = append(best, n.place)
				}
			}
			if len(best) == 1 {
				return best[0]
			}
		}
		return objects.Place{File: file}
	}
}

// imagePart tells whether a value is the tag or the digest at the end of an image.
func imagePart(image, end string) bool {
	rest := strings.TrimSuffix(image, end)
	return rest == "" || strings.HasSuffix(rest, ":") || strings.HasSuffix(rest, "@")
}

// alike tells whether one of the last two steps of a path is named as a value is.
func alike(at objects.Path, key string) bool {
	return slices.ContainsFunc(at[max(0, len(at)-2):], func(step string) bool {
		step = strings.ToLower(step)
		if _, name, ok := strings.Cut(strings.Trim(step, "[]"), "="); ok {
			step = name
		}
		short := min(len(step), len(key), 5)
		return short > 2 && step[:short] == key[:short]
	})
}
