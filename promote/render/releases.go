package render

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/render/helm"
	kyaml "sigs.k8s.io/yaml"
)

// releases adds what Argo CD and Flux install for objects: the charts of this tree that
// Applications, ApplicationSets and HelmReleases name. Charts from elsewhere are not
// rendered: of them there is the object alone.
func (r *Renderer) releases(ctx context.Context, all []objects.Object, environment string) ([]objects.Object, error) {
	out := all
	for i := range all {
		requests, err := r.requests(&all[i], all, environment)
		if err != nil {
			return nil, err
		}
		for _, q := range requests {
			more, err := r.release(ctx, q.Request)
			if err != nil {
				return nil, err
			}
			for n := range more {
				more[n].Release = &objects.Release{By: all[i].String(), Namespace: q.into, Cluster: q.cluster, ClusterOf: q.clusterOf}
			}
			out = append(out[:len(out):len(out)], more...)
		}
	}
	return out, nil
}

// install is a chart, the namespace that its objects get which name none, and the cluster,
// if it is another one, or what alone says which one it is.
type install struct {
	helm.Request
	into, cluster, clusterOf string
}

func (r *Renderer) requests(o *objects.Object, all []objects.Object, environment string) ([]install, error) {
	switch o.Group() + "/" + o.Kind {
	case "argoproj.io/Application":
		return r.application(o, o.Fields)
	case "argoproj.io/ApplicationSet":
		filled, err := fromSet(o, environment)
		if err != nil || filled == nil {
			return nil, err
		}
		return r.application(o, filled)
	case "helm.toolkit.fluxcd.io/HelmRelease":
		return r.helmRelease(o, all)
	}
	return nil, nil
}

// wrong is an error about an object, with its place.
func wrong(o *objects.Object, hint, format string, args ...any) error {
	msg := o.String() + ": " + fmt.Sprintf(format, args...)
	if at := o.Place(nil).String(); at != "" {
		msg = at + ": " + msg
	}
	return &promote.Error{Msg: fault.OneLine(msg), Hint: hint}
}

// application gives the charts of an Application of Argo CD.
func (r *Renderer) application(o *objects.Object, fields map[string]any) ([]install, error) {
	spec := mapAt(fields, "spec")
	into := textAt(mapAt(spec, "destination"), "namespace")
	sources := listAt(spec, "sources")
	if one := mapAt(spec, "source"); one != nil {
		sources = []any{one}
	}
	var out []install
	for _, one := range sources {
		source, _ := one.(map[string]any)
		dir := path.Clean(textAt(source, "path"))
		if textAt(source, "path") == "" || textAt(source, "chart") != "" || strings.HasPrefix(dir, "..") || !r.source.isChart(dir) {
			continue
		}
		q, err := r.argo(o, dir, mapAt(source, "helm"))
		if err != nil {
			return nil, err
		}
		if q.Release == "" {
			q.Release = textAt(mapAt(fields, "metadata"), "name")
		}
		if q.Namespace == "" {
			q.Namespace = into
		}
		out = append(out, install{Request: q, into: into, cluster: destination(mapAt(spec, "destination"))})
	}
	return out, nil
}

// destination is the cluster of an Application; "" for the one that Argo CD itself is in.
func destination(d map[string]any) string {
	at := cmp.Or(strings.TrimSuffix(textAt(d, "server"), "/"), textAt(d, "name"))
	if at == "https://kubernetes.default.svc" || at == "in-cluster" {
		return ""
	}
	return at
}

// argo reads the helm settings of a source.
func (r *Renderer) argo(o *objects.Object, dir string, h map[string]any) (helm.Request, error) {
	q := helm.Request{Dir: dir, Release: textAt(h, "releaseName"), Namespace: textAt(h, "namespace"), KubeVersion: textAt(h, "kubeVersion"), SkipCRDs: h["skipCrds"] == true}
	if listAt(h, "fileParameters") != nil {
		return q, wrong(o, "write it into a values file", "helm.fileParameters is not rendered")
	}
	for _, one := range listAt(h, "apiVersions") {
		q.APIVersions = append(q.APIVersions, text(one))
	}
	for _, one := range listAt(h, "valueFiles") {
		file := text(one)
		switch {
		case remote(file) || strings.Contains(file, "://"):
			return q, wrong(o, "keep a copy of it in the repository", "helm.valueFiles: %s is fetched from elsewhere, and nothing is fetched to render", fault.WithoutURLs(file))
		case strings.HasPrefix(file, "$"): // $REF/PATH is of another source, which is taken to be this repository
			_, rest, _ := strings.Cut(file, "/")
			file = path.Clean(rest)
		case path.IsAbs(file):
			file = strings.TrimPrefix(path.Clean(file), "/")
		default:
			file = path.Join(dir, file)
		}
		if strings.HasPrefix(file, "../") {
			return q, wrong(o, "", "helm.valueFiles: %s is outside of the repository", text(one))
		}
		if k, err := r.source.at(file); err == nil && k == nothing && h["ignoreMissingValueFiles"] == true {
			continue
		}
		v, err := r.valuesFile(file)
		if err != nil {
			return q, wrong(o, fault.HintOf(err), "helm.valueFiles: %v", err)
		}
		q.Values = append(q.Values, v)
	}
	place := o.Place(nil).String()
	if inline := textAt(h, "values"); inline != "" {
		q.Values = append(q.Values, helm.Values{Name: place, Data: []byte(inline)})
	}
	if inline := mapAt(h, "valuesObject"); inline != nil {
		data, err := kyaml.Marshal(inline)
		if err != nil {
			return q, err
		}
		if textAt(h, "values") != "" { // which it stands in the place of
			q.Values = q.Values[:len(q.Values)-1]
		}
		q.Values = append(q.Values, helm.Values{Name: place, Data: data})
	}
	for _, one := range listAt(h, "parameters") {
		p, _ := one.(map[string]any)
		q.Set = append(q.Set, helm.Setting{Name: textAt(p, "name"), Value: oneValue(textAt(p, "value")), String: p["forceString"] == true})
	}
	return q, nil
}

// oneValue has the commas of a parameter be none that part values, as Argo CD has it: but for
// a list, and where that is done already.
func oneValue(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var b strings.Builder
	for n := range len(value) {
		if value[n] == ',' && (n == 0 || value[n-1] != '\\') {
			b.WriteByte('\\')
		}
		b.WriteByte(value[n])
	}
	return b.String()
}

// fromSet is the Application that an ApplicationSet makes of the one element of its lists
// that names an environment; nil where there is none.
func fromSet(o *objects.Object, environment string) (map[string]any, error) {
	spec := mapAt(o.Fields, "spec")
	var found []map[string]any
	for _, g := range listAt(spec, "generators") {
		generator, _ := g.(map[string]any)
		for _, e := range listAt(mapAt(generator, "list"), "elements") {
			element, _ := e.(map[string]any)
			for _, v := range element {
				if v == environment {
					found = append(found, element)
					break
				}
			}
		}
	}
	if len(found) != 1 {
		return nil, nil
	}
	var left string
	filled := fill(mapAt(spec, "template"), found[0], &left)
	if left != "" {
		return nil, wrong(o, "name each value by its key: {{.key}}", "%s is filled in by Argo CD alone", left)
	}
	out, _ := filled.(map[string]any)
	return out, nil
}

// fill puts the values of an element into the texts of a template. What is left of its
// holes is told.
func fill(v any, element map[string]any, left *string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, one := range v {
			out[key] = fill(one, element, left)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = fill(one, element, left)
		}
		return out
	case string:
		for key, value := range element {
			if s, ok := value.(string); ok {
				v = strings.NewReplacer("{{"+key+"}}", s, "{{ "+key+" }}", s, "{{."+key+"}}", s, "{{ ."+key+" }}", s).Replace(v)
			}
		}
		if at := strings.Index(v, "{{"); at >= 0 && *left == "" {
			*left = v[at:]
		}
		return v
	}
	return v
}

// helmRelease gives the chart of a HelmRelease of Flux.
func (r *Renderer) helmRelease(o *objects.Object, all []objects.Object) ([]install, error) {
	spec := mapAt(o.Fields, "spec")
	chart := mapAt(mapAt(spec, "chart"), "spec")
	dir := path.Clean(textAt(chart, "chart"))
	if textAt(mapAt(chart, "sourceRef"), "kind") != "GitRepository" || strings.HasPrefix(dir, "..") || !r.source.isChart(dir) {
		return nil, nil
	}
	if listAt(spec, "postRenderers") != nil {
		return nil, wrong(o, "patch it in an overlay", "postRenderers are not applied")
	}
	q := helm.Request{Dir: dir, Release: textAt(spec, "releaseName"), Namespace: textAt(spec, "targetNamespace")}
	if q.Release == "" {
		q.Release = strings.TrimPrefix(q.Namespace+"-"+o.Name, "-")
	}
	if q.Namespace == "" {
		q.Namespace = o.Namespace
	}
	for n, one := range listAt(chart, "valuesFiles") {
		v, err := r.valuesFile(path.Join(".", text(one)))
		if err != nil {
			return nil, wrong(o, fault.HintOf(err), "valuesFiles: %v", err)
		}
		if n == 0 { // they stand in the place of the chart's own
			q.Files = map[string][]byte{"values.yaml": v.Data}
			continue
		}
		q.Values = append(q.Values, v)
	}
	if err := valuesFrom(&q, o, all); err != nil {
		return nil, err
	}
	if inline := mapAt(spec, "values"); inline != nil {
		data, err := kyaml.Marshal(inline)
		if err != nil {
			return nil, err
		}
		q.Values = append(q.Values, helm.Values{Name: o.Place(objects.Path{"spec", "values"}).File, Data: data})
	}
	out := install{Request: q, into: q.Namespace}
	out.cluster, out.clusterOf = kubeConfig(o, all)
	return []install{out}, nil
}

// kubeConfig is the cluster that a HelmRelease is installed in, if it is not the one that Flux
// itself is in, or what says which one it is. A ConfigMap that is rendered beside it has the
// server's address; what a Secret is called says nothing about clusters.
func kubeConfig(o *objects.Object, all []objects.Object) (cluster, of string) {
	refs, ok := mapAt(o.Fields, "spec")["kubeConfig"]
	if !ok || refs == nil {
		return "", ""
	}
	k, _ := refs.(map[string]any)
	if name := textAt(mapAt(k, "secretRef"), "name"); name != "" {
		return "", "Secret " + name
	}
	name := textAt(mapAt(k, "configMapRef"), "name")
	if name == "" {
		return "", "kubeConfig"
	}
	n := slices.IndexFunc(all, func(c objects.Object) bool {
		return c.Kind == "ConfigMap" && c.Name == name && (c.Namespace == o.Namespace || c.Namespace == "" || o.Namespace == "")
	})
	if n >= 0 {
		if address, ok := datum(&all[n], "address"); ok && address != "" {
			return strings.TrimSuffix(address, "/"), ""
		}
	}
	return "", "ConfigMap " + name
}

// valuesFrom reads values of a HelmRelease from the ConfigMaps and Secrets beside it. Each
// counts more than those before it, and spec.values more than all.
func valuesFrom(q *helm.Request, o *objects.Object, all []objects.Object) error {
	for _, one := range listAt(mapAt(o.Fields, "spec"), "valuesFrom") {
		from, _ := one.(map[string]any)
		kind, name, key := textAt(from, "kind"), textAt(from, "name"), textAt(from, "valuesKey")
		if key == "" {
			key = "values.yaml"
		}
		n := slices.IndexFunc(all, func(o objects.Object) bool { return o.Kind == kind && o.Name == name })
		value, ok := "", false
		if n >= 0 {
			value, ok = datum(&all[n], key)
		}
		switch {
		case !ok && from["optional"] == true:
		case !ok:
			return wrong(o, "render it beside the HelmRelease, or write the values into it", "valuesFrom: there is no %s %s with %s", kind, name, key)
		default:
			v := helm.Values{Name: all[n].Place(objects.Path{"data", key}).File, Path: textAt(from, "targetPath")}
			if v.Path != "" {
				value, v.String = unquoted(value)
			}
			v.Data = []byte(value)
			q.Values = append(q.Values, v)
		}
	}
	return nil
}

// unquoted takes the quotes from around a value, which is a text then, whatever it looks like.
func unquoted(value string) (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
			return strings.Trim(value, `'"`), true
		}
	}
	return value, false
}

// datum is what a ConfigMap or a Secret has under a key.
func datum(o *objects.Object, key string) (string, bool) {
	if s, ok := mapAt(o.Fields, "stringData")[key].(string); ok {
		return s, true
	}
	s, ok := mapAt(o.Fields, "data")[key].(string)
	if ok && o.Kind == "Secret" {
		data, err := base64.StdEncoding.DecodeString(s)
		return string(data), err == nil
	}
	return s, ok
}

func mapAt(m map[string]any, key string) map[string]any {
	v, _ := m[key].(map[string]any)
	return v
}

func listAt(m map[string]any, key string) []any {
	v, _ := m[key].([]any)
	return v
}

func textAt(m map[string]any, key string) string { return text(m[key]) }

func text(v any) string {
	s, _ := v.(string)
	return s
}
