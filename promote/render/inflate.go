package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/render/helm"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/yaml"
)

// needsCharts says that a kustomization has charts, which kustomize would have a program
// render.
type needsCharts struct{ node *node }

// Error says so where nobody renders them.
func (e *needsCharts) Error() string {
	return e.node.file + ": helmCharts are charts for helm to render, which is a program"
}

// HintText tells who does.
func (e *needsCharts) HintText() string { return "kubectl promote build --enable-helm " + e.node.dir }

// maxInflated bounds the kustomizations with charts that one is made of.
const maxInflated = 100

// graph is that of the source, with charts rendered: each in a file that is laid over the
// tree, in the place of the field that names them. The renderer is the one of that tree;
// charts are the places of such files.
func (r *Renderer) graph(ctx context.Context, dir string) (run *Renderer, n *node, charts map[string]chartOrigin, err error) {
	run, charts = r, make(map[string]chartOrigin)
	for range maxInflated {
		n, err = run.source.graph(dir)
		needs, ok := errors.AsType[*needsCharts](err)
		if !ok || r.options.Charts == nil {
			return run, n, charts, err
		}
		if run, err = run.inflate(ctx, needs.node, charts); err != nil {
			return nil, nil, nil, err
		}
	}
	return nil, nil, nil, &promote.Error{Msg: fmt.Sprintf("%s is made of more than %d kustomizations with charts", dir, maxInflated)}
}

// inflate renders the charts of a kustomization.
func (r *Renderer) inflate(ctx context.Context, n *node, charts map[string]chartOrigin) (*Renderer, error) {
	at := keyed(n.doc, "helmCharts")
	if len(n.k.HelmChartInflationGenerator) > 0 || at < 0 || n.doc.Style&yaml.FlowStyle != 0 || keyed(n.doc, "bases") >= 0 {
		return nil, &promote.Error{Msg: n.file + ": helmCharts cannot be rendered beside bases or helmChartInflationGenerator, or where all is on a line", Hint: "kustomize edit fix"}
	}
	line := n.doc.Content[at].Line
	over := make(map[string][]byte)
	var names []string
	for i, c := range n.k.HelmCharts {
		all, err := r.chart(ctx, n, c, line)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf(".helm-chart-%d.yaml", i)
		names = append(names, name)
		over[path.Join(n.dir, name)], err = marshal(all)
		if err != nil {
			return nil, err
		}
		charts[path.Join(n.dir, name)] = chartOrigin{file: n.file, objects: all, line: line}
	}
	data, err := r.source.bytes(n.file)
	if err != nil {
		return nil, err
	}
	if over[n.file], err = inPlace(data, n, at, names); err != nil {
		return nil, err
	}
	next := r.With(over)
	again, err := next.source.parse(n.dir)
	if err != nil {
		return nil, err
	}
	if len(again.k.HelmCharts) > 0 || slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(again.k.Resources, name) }) {
		return nil, &promote.Error{Msg: fmt.Sprintf("%s:%d: helmCharts cannot be rendered as they are written", n.file, line), Hint: "kustomize edit fix"}
	}
	return next, nil
}

// inPlace has all resources of a kustomization, and files with them, in place of the field
// whose key is at an index, on its first line: all others keep their numbers.
func inPlace(data []byte, n *node, at int, files []string) ([]byte, error) {
	lines := bytes.SplitAfter(data, []byte("\n"))
	keys := n.doc.Content
	for _, i := range []int{at, keyed(n.doc, "resources")} {
		if i < 0 {
			continue
		}
		end := len(lines)
		if i+2 < len(keys) {
			end = keys[i+2].Line - 1
		}
		for line := keys[i].Line - 1; line < end; line++ {
			lines[line] = []byte("\n")
		}
	}
	list, err := json.Marshal(slices.Concat(n.k.Resources, files))
	first := keys[at]
	lines[first.Line-1] = fmt.Appendf(nil, "%sresources: %s\n", strings.Repeat(" ", first.Column-1), list)
	return bytes.Join(lines, nil), err
}

// keyed is the index of a key in a mapping, whose keys kustomize takes in any case; -1 where
// there is none.
func keyed(doc *yaml.Node, key string) int {
	for i := 0; i < len(doc.Content); i += 2 {
		if strings.EqualFold(doc.Content[i].Value, key) {
			return i
		}
	}
	return -1
}

// marshal writes objects of a chart as kustomize knows them: it takes the mark off again, and
// leaves their namespaces to Helm.
func marshal(all []objects.Object) ([]byte, error) {
	var b bytes.Buffer
	for _, o := range all {
		fields, meta, notes := maps.Clone(o.Fields), make(map[string]any), make(map[string]any)
		maps.Copy(meta, mapAt(o.Fields, "metadata"))
		maps.Copy(notes, mapAt(meta, "annotations"))
		notes[konfig.HelmGeneratedAnnotation] = "true"
		meta["annotations"], fields["metadata"] = notes, meta
		data, err := kyaml.Marshal(fields)
		if err != nil {
			return nil, err
		}
		b.WriteString("---\n")
		b.Write(data)
	}
	return b.Bytes(), nil
}

// chart renders one chart as kustomize has it done.
func (r *Renderer) chart(ctx context.Context, n *node, c types.HelmChart, line int) ([]objects.Object, error) {
	fail := func(hint, format string, args ...any) ([]objects.Object, error) {
		return nil, &promote.Error{Msg: fault.OneLine(fmt.Sprintf("%s:%d: helmCharts: ", n.file, line) + fmt.Sprintf(format, args...)), Hint: hint}
	}
	home := "charts"
	if g := n.k.HelmGlobals; g != nil && g.ChartHome != "" {
		home = g.ChartHome
	}
	if c.Version != "" && c.Repo != "" {
		home = path.Join(home, c.Name+"-"+c.Version)
	}
	dir := path.Join(n.dir, home, c.Name)
	switch {
	case path.IsAbs(home) || strings.HasPrefix(dir, "../"):
		return fail("", "chart %s is outside of the repository", c.Name)
	case !r.source.isChart(dir):
		return fail("helm pull "+c.Name+" --untar --untardir "+path.Join(n.dir, home)+", and commit it", "there is no chart in %s, and nothing is fetched to render", dir)
	case c.ReleaseName == "" || c.NameTemplate != "":
		return fail("releaseName: "+c.Name, "chart %s has no releaseName, and would be called differently each time", c.Name)
	}
	q := helm.Request{Dir: dir, Release: c.ReleaseName, Namespace: c.Namespace, KubeVersion: c.KubeVersion, APIVersions: c.ApiVersions,
		SkipCRDs: !c.IncludeCRDs, SkipHooks: c.SkipHooks, Tests: !c.SkipTests}
	if q.Namespace == "" {
		q.Namespace = "default"
	}
	var own []helm.Values
	if c.ValuesFile != "" {
		v, err := r.valuesFile(path.Join(n.dir, c.ValuesFile))
		if err != nil {
			return fail(fault.HintOf(err), "%v", err)
		}
		own = append(own, v)
	}
	if len(c.ValuesInline) > 0 {
		data, err := kyaml.Marshal(c.ValuesInline)
		if err != nil {
			return nil, err
		}
		inline := helm.Values{Name: n.file, Data: data}
		switch c.ValuesMerge {
		case "", "override":
			own = append(own, inline)
		case "replace":
			own = []helm.Values{inline}
		case "merge":
			own = append([]helm.Values{inline}, own...)
			if c.ValuesFile == "" { // the chart's own count more
				v, err := r.valuesFile(path.Join(dir, "values.yaml"))
				if err != nil {
					return fail(fault.HintOf(err), "%v", err)
				}
				own = append(own, v)
			}
		default:
			return fail("valuesMerge: override", "valuesMerge is none of merge, override and replace")
		}
	}
	q.Values = own
	for _, name := range c.AdditionalValuesFiles {
		v, err := r.valuesFile(path.Join(n.dir, name))
		if err != nil {
			return fail(fault.HintOf(err), "%v", err)
		}
		q.Values = append(q.Values, v)
	}
	return r.release(ctx, q)
}

// relocate tells where the fields of a chart's object come from, in the place of a file
// that is not there.
func relocate(o *objects.Object, charts map[string]chartOrigin) {
	if len(charts) == 0 || o.Places == nil {
		return
	}
	at := o.Places
	o.Places = func(p objects.Path) objects.Place {
		place := at(p)
		c, ok := charts[place.File]
		if !ok {
			return place
		}
		for i := range c.objects {
			if one := &c.objects[i]; one.Kind == o.Kind && one.Name == o.Original {
				return one.Place(p)
			}
		}
		return objects.Place{File: c.file, Line: c.line}
	}
}

// chartOrigin is what a chart of a kustomization gives, and where it is named.
type chartOrigin struct {
	file    string
	line    int
	objects []objects.Object
}
