package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/ignore"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"helm.sh/helm/v4/pkg/strvals"
)

// rendered is a chart's text, and its templates' texts by their names.
type rendered struct {
	text  string
	files map[string]string
}

// differ names the templates that gave something else another time.
func (r *rendered) differ(other *rendered) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.files)) {
		if r.files[name] != other.files[name] {
			out = append(out, name)
		}
	}
	return out
}

// render does what helm template does, in its order.
func (q *request) render(now func() time.Time) (*rendered, error) {
	c, err := q.load()
	if err != nil {
		return nil, err
	}
	values, err := q.values()
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	caps := common.DefaultCapabilities.Copy()
	if q.KubeVersion != "" {
		v, err := common.ParseKubeVersion(q.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("invalid kube version '%s': %w", q.KubeVersion, err)
		}
		caps.KubeVersion = *v
	}
	caps.APIVersions = append(slices.Clone(caps.APIVersions), q.APIVersions...)
	if need := c.Metadata.KubeVersion; need != "" && !chartutil.IsCompatibleRange(need, caps.KubeVersion.String()) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", need, caps.KubeVersion.Version)
	}
	options := common.ReleaseOptions{Name: q.Release, Namespace: q.Namespace, Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(c, values, options, caps)
	if err != nil {
		return nil, err
	}
	watched(c)
	e := engine.Engine{CustomTemplateFuncs: map[string]any{"now": now, watch: executes}}
	files, err := e.Render(c, top)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, "NOTES.txt") })
	text, err := q.write(c, files)
	return &rendered{text, files}, err
}

// watch is the function that a template begins with, so that it can be told which one did not
// end. It gives nothing, and stands in the first line.
const watch = "promoteHelmExecutes"

// watched has all templates of a chart say when they are executed.
func watched(c *chart.Chart) {
	for _, t := range c.Templates {
		t.Data = append(fmt.Appendf(nil, "{{ %s %q . }}", watch, path.Join(c.ChartFullPath(), t.Name)), t.Data...)
	}
	for _, below := range c.Dependencies() {
		watched(below)
	}
}

// executes notes a template that is executed for itself: what another one includes is part of
// that one, whose name the values have then.
func executes(name string, values any) string {
	top, _ := values.(common.Values)
	if top == nil {
		top, _ = values.(map[string]any)
	}
	own, _ := top["Template"].(common.Values)
	if own == nil {
		own, _ = top["Template"].(map[string]any)
	}
	if own["Name"] == name {
		executed.Store(name)
	}
	return ""
}

// load makes the chart of its files, without those that its .helmignore names.
func (q *request) load() (*chart.Chart, error) {
	rules := ignore.Empty()
	if data, ok := q.Files[ignore.HelmIgnore]; ok {
		r, err := ignore.Parse(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ignore.HelmIgnore, err)
		}
		rules = r
	}
	rules.AddDefaults()
	var files []*archive.BufferedFile
	for _, name := range slices.Sorted(maps.Keys(q.Files)) {
		data := q.Files[name]
		switch {
		case ignored(rules, name):
			continue
		case int64(len(data)) > archive.MaxDecompressedFileSize:
			return nil, fmt.Errorf("chart file %q is larger than the maximum file size %d", name, archive.MaxDecompressedFileSize)
		}
		files = append(files, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	if c.Metadata.Type != "" && c.Metadata.Type != "application" {
		return nil, fmt.Errorf("%s charts are not installable", c.Metadata.Type)
	}
	var missing []string
	for _, need := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(d *chart.Chart) bool { return d.Name() == need.Name }) {
			missing = append(missing, need.Name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("found in Chart.yaml, but missing in charts/ directory: %s", strings.Join(missing, ", "))
	}
	return c, nil
}

// ignored tells whether a file or a directory around it is not of the chart.
func ignored(rules *ignore.Rules, name string) bool {
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		if rules.Ignore(at, entry{at, fs.ModeDir}) {
			return true
		}
	}
	return rules.Ignore(name, entry{name, 0})
}

// entry is a file or a directory, as far as rules ask: an [fs.FileInfo] of a name and a kind.
type entry struct {
	name string
	mode fs.FileMode
}

// Name implements [fs.FileInfo].
func (e entry) Name() string { return path.Base(e.name) }

// Size implements [fs.FileInfo].
func (e entry) Size() int64 { return 0 }

// Mode implements [fs.FileInfo].
func (e entry) Mode() fs.FileMode { return e.mode }

// ModTime implements [fs.FileInfo].
func (e entry) ModTime() time.Time { return time.Time{} }

// IsDir implements [fs.FileInfo].
func (e entry) IsDir() bool { return e.mode.IsDir() }

// Sys implements [fs.FileInfo].
func (e entry) Sys() any { return nil }

// values merges what the request has.
func (q *request) values() (map[string]any, error) {
	out := make(map[string]any)
	for _, one := range q.Values {
		if one.Path != "" {
			if err := set(out, one.Path, string(one.Data), one.String); err != nil {
				return nil, fmt.Errorf("%s: failed parsing the value at %s: %w", one.Name, one.Path, err)
			}
			continue
		}
		more, err := loader.LoadValues(bytes.NewReader(one.Data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.Name, err)
		}
		out = loader.MergeMaps(out, more)
	}
	for _, one := range q.Set {
		if err := set(out, one.Name, one.Value, one.String); err != nil {
			return nil, fmt.Errorf("failed parsing --set data: %w", err)
		}
	}
	return out, nil
}

// set puts a value where a path leads; a text stays one, whatever it looks like.
func set(into map[string]any, path, value string, text bool) error {
	if text {
		return strvals.ParseIntoString(path+"="+value, into)
	}
	return strvals.ParseInto(path+"="+value, into)
}

// write puts the manifests into the order in which Helm applies them.
func (q *request) write(c *chart.Chart, files map[string]string) (string, error) {
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", err
	}
	var b, out strings.Builder
	if !q.SkipCRDs {
		for _, crd := range c.CRDObjects() {
			fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", crd.Filename, crd.File.Data)
		}
	}
	for _, m := range manifests {
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	fmt.Fprintln(&out, strings.TrimSpace(b.String()))
	for _, h := range hooks {
		if !q.SkipHooks && (q.Tests || !slices.Contains(h.Events, release.HookTest)) {
			fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", h.Path, h.Manifest)
		}
	}
	return out.String(), nil
}
