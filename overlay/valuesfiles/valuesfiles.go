// Package valuesfiles finds the files of Helm values that another file names: those of
// the helmCharts of a kustomization, and of the sources of an Argo CD Application. Which
// images run there those files say, so whoever looks for them must look on.
package valuesfiles

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// Named is a file that another one names.
type Named struct {
	// Path is where the name stands, alike in the files of two environments: a chart is
	// told by its name there, helmCharts[web].valuesFile.
	Path string
	// File is the name as it stands there, without the $ref/ of Argo CD.
	File     string
	Position overlay.Position
	// Of is what the name is relative to.
	Of Root
	// Chart is the folder of the chart in the repository, relative to the same, or "".
	Chart string
	// Group is the same for the files that values are laid over one another in, the
	// later over the earlier.
	Group string
	// Optional tells that it is no fault where there is no such file.
	Optional bool
}

// Root is where the name of a file begins.
type Root struct {
	// Repository is its URL; empty for the folder of the file that has the name.
	Repository string
	// Revision is what is checked out of it; empty for the default branch.
	Revision string
	// Folder is the one in the repository that names without a slash before them begin at.
	Folder string
}

// words are in every file that names one.
var words = [][]byte{[]byte("valuesFile"), []byte("additionalValuesFiles"), []byte("valueFiles")}

// May tells whether a text may be that of a file which names others.
func May(text []byte) bool {
	for _, w := range words {
		if bytes.Contains(text, w) {
			return true
		}
	}
	return false
}

// In gives the files that a file names, in its order.
func In(f *overlay.File) []Named {
	if !May(f.Bytes()) {
		return nil
	}
	s, err := syntax.Parse(f.Name(), f.Bytes())
	if err != nil {
		return nil // it was parsed before
	}
	var found finder
	found.src = s
	for _, root := range s.Docs {
		group, _, _ := strings.Cut(nodes.Text(nodes.Value(root, "apiVersion")), "/")
		switch {
		case convention.IsKustomization(s.Name, root):
			found.charts(root)
		case group == "argoproj.io" && nodes.Text(nodes.Value(root, "kind")) == "Application":
			found.application(root)
		}
	}
	return found.all
}

// mostNamed is how many files one file names at most; nobody writes as many.
const mostNamed = 256

type finder struct {
	src *syntax.Source
	all []Named
}

// add takes in the name of a file.
func (f *finder) add(n *yaml.Node, as Named) {
	as.File = nodes.Text(n)
	if !nodes.IsScalar(n) || as.File == "" || len(f.all) >= mostNamed {
		return
	}
	line, col := f.src.Place(n)
	as.Position = overlay.Position{Line: line, Col: col}
	f.all = append(f.all, as)
}

func items(n *yaml.Node) []*yaml.Node {
	if n == nil || nodes.Resolve(n).Kind != yaml.SequenceNode {
		return nil
	}
	return nodes.Resolve(n).Content
}

// charts finds the files of the charts that a kustomization inflates.
func (f *finder) charts(root *yaml.Node) {
	for _, c := range items(nodes.At(root, "helmCharts")) {
		at := fmt.Sprintf("helmCharts[%s]", strings.Join([]string{nodes.Text(nodes.At(c, "name")), nodes.Text(nodes.At(c, "releaseName"))}, " "))
		as := Named{Path: at + ".valuesFile", Group: at}
		f.add(nodes.At(c, "valuesFile"), as)
		for i, n := range items(nodes.At(c, "additionalValuesFiles")) {
			as.Path = fmt.Sprintf("%s.additionalValuesFiles[%d]", at, i)
			f.add(n, as)
		}
	}
}

// application finds the files of an Application's source or sources. A name that begins
// with $REF/ is that of a file in the repository of the source with this ref.
func (f *finder) application(root *yaml.Node) {
	spec := nodes.At(root, "spec")
	sources := items(nodes.At(spec, "sources"))
	refs := make(map[string]Root)
	for _, s := range sources {
		if ref := nodes.Text(nodes.At(s, "ref")); ref != "" {
			refs["$"+ref] = Root{Repository: nodes.Text(nodes.At(s, "repoURL")), Revision: nodes.Text(nodes.At(s, "targetRevision"))}
		}
	}
	if s := nodes.At(spec, "source"); s != nil {
		f.source(s, "spec.source", refs)
	}
	for i, s := range sources {
		f.source(s, fmt.Sprintf("spec.sources[%d]", i), refs)
	}
}

func (f *finder) source(s *yaml.Node, at string, refs map[string]Root) {
	own := Root{Repository: nodes.Text(nodes.At(s, "repoURL")), Revision: nodes.Text(nodes.At(s, "targetRevision")), Folder: nodes.Text(nodes.At(s, "path"))}
	packed := nodes.Text(nodes.At(s, "chart")) != "" // the chart is no part of a repository of Git
	optional := nodes.Text(nodes.At(s, "helm", "ignoreMissingValueFiles")) == "true"
	for i, n := range items(nodes.At(s, "helm", "valueFiles")) {
		as := Named{Path: fmt.Sprintf("%s.helm.valueFiles[%d]", at, i), Group: at, Of: own, Chart: own.Folder, Optional: optional}
		before := len(f.all)
		f.add(n, as)
		if len(f.all) == before {
			continue
		}
		last := &f.all[before]
		ref, rest, cut := strings.Cut(last.File, "/")
		root, known := refs[ref]
		switch {
		case cut && known:
			last.File, last.Of = "/"+rest, root
			if root.Repository != own.Repository || packed {
				last.Chart = ""
			}
		case packed && !strings.Contains(last.File, "://"):
			f.all = f.all[:before] // a file of the chart
		}
	}
}
