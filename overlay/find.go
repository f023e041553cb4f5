package overlay

import (
	"errors"
	"path"
	"sort"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/markers"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/pods"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// finder collects the sites of a file, document by document.
type finder struct {
	src    *syntax.Source
	opts   Options
	prefix string
	sites  []site
	homes  []*imagesHome
	nested []nested
	errs   []error
	unread []Unread
	// marked tells what of a pin has a marker of its policy.
	marked   map[site]map[markers.Form]bool
	warnings []string
	seen     map[*yaml.Node]bool      // see once
	registry convention.ChartRegistry // of the values at hand
	base     convention.Base          // what the document at hand stands over; see Options.Base
}

// nested is YAML text in a block scalar of a file.
type nested struct {
	outer *syntax.Source
	node  *yaml.Node
	inner *syntax.Source
}

// find looks for the pins of all documents of a file.
func find(s *syntax.Source, opts Options) (*finder, error) {
	f := &finder{src: s, opts: opts}
	if len(s.Docs) == 0 {
		if convention.IsKustomizationName(path.Base(s.Name)) {
			return nil, s.Errorf(nil, "", "is empty")
		}
		return f, nil // as Helm has it for values
	}
	for i, root := range s.Docs {
		f.enter(i)
		if opts.Base != nil && s.Form() == syntax.YAML {
			f.base = convention.BaseOf(opts.Base.src.Docs, root)
		}
		before := len(f.sites)
		if !f.text(root) {
			f.document(root)
		}
		f.declared(i, root, before)
	}
	if convention.IsKustomization(s.Name, s.Docs[0]) && len(s.Docs) > 1 {
		f.fail(s.Docs[1], "keep one document", "a second document in a kustomization file")
	}
	f.markers()
	sort.SliceStable(f.sites, func(i, j int) bool {
		a, b := f.sites[i].pin().Position, f.sites[j].pin().Position
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	return f, errors.Join(f.errs...)
}

// enter turns to a document.
func (f *finder) enter(i int) {
	f.prefix = paths.Prefix(len(f.src.Docs), i)
}

// path completes the path of something in the document at hand.
func (f *finder) path(p string) string { return f.prefix + p }

func (f *finder) fail(n *yaml.Node, hint, format string, args ...any) {
	f.errs = append(f.errs, f.src.Errorf(n, hint, format, args...))
}

// notRead notes an image that is no reference, at a path.
func (f *finder) notRead(n *yaml.Node, path, text string) {
	f.unread = append(f.unread, Unread{Text: text, Path: path, Position: position(f.src, n)})
}

// document finds the pins of one document by what its content says it is. A
// document that holds none, or that nobody knows, is no fault.
func (f *finder) document(root *yaml.Node) {
	named := convention.IsKustomizationName(path.Base(f.src.Name))
	switch {
	case root.Kind != yaml.MappingNode:
		if named {
			f.fail(root, "", "not a kustomization: the document is a %s", syntax.KindName(root))
		}
	case convention.IsKustomization(f.src.Name, root):
		f.kustomization(root)
	case named:
		f.fail(root, "give the directory of a kustomization, or a kustomization file", "not a kustomization file (%s)", strings.TrimSpace(nodes.Text(nodes.Value(root, "apiVersion"))+" "+nodes.Text(nodes.Value(root, "kind"))))
	case convention.IsArgoOverride(f.src.Name):
		f.argoSource(root, "")
	default:
		f.object(root, "")
	}
}

// object finds the pins of one API object, or of a values file, which is none.
func (f *finder) object(root *yaml.Node, path string) {
	version, kind := nodes.Text(nodes.Value(root, "apiVersion")), nodes.Text(nodes.Value(root, "kind"))
	group, _, _ := strings.Cut(version, "/")
	switch {
	case kind == "List" && version == "v1":
		if items := nodes.At(root, "items"); items != nil {
			for i, it := range nodes.Resolve(items).Content {
				if it.Kind != yaml.AliasNode { // it is looked at where it is anchored
					f.object(it, nodes.Item(nodes.Join(path, "items"), i))
				}
			}
		}
	case kind == "" && convention.IsChart(root):
		f.chart(root, path)
	case kind == "" && version == "":
		f.values(root, path)
	case group == "argoproj.io" && f.argo(kind, root, path):
	case strings.HasSuffix(group, ".toolkit.fluxcd.io") && f.flux(kind, root, path):
	default:
		f.manifest(root, path)
		f.ofKind(root, path)
	}
}

// manifest finds the images of an API object: those of pods' containers and
// image volumes, at any depth, so that a CronJob's, a Rollout's or a custom
// resource's pod template is found without a list of kinds.
//
// An image that is no reference, such as ${IMAGE} or $(params.image), is not for
// us to edit and no pin; File.Unread lists it.
func (f *finder) manifest(root *yaml.Node, path string) { pods.Images(root, path, f.podImage) }

// podImage adds one.
func (f *finder) podImage(i pods.Image) {
	n := nodes.Value(i.Mapping, i.Key)
	if n == nil || nodes.IsScalar(n) && nodes.Line(n) == "" || nodes.Resolve(n).ShortTag() == "!!null" {
		return // a patch has containers without an image
	}
	path := f.path(nodes.Join(i.Trail.Path(), i.Key))
	r, ok := newRefSite(f.src, n, Manifest, path, i.Key, false)
	if !ok || !nodes.IsText(n) {
		f.notRead(n, path, nodes.Line(n))
		return
	}
	f.sites = append(f.sites, f.reached(r, i.Mapping, i.Alias))
}

// reached gives the site for a reference by the way that its mapping has it: as
// its own, by a merge key, or by an alias of the mapping.
func (f *finder) reached(r *refSite, m, alias *yaml.Node) site {
	switch {
	case alias != nil:
		return borrow(r, f.src, alias, r.node)
	case nodes.KeyIndex(m, r.field) < 0:
		return &mergedSite{refSite: r, item: m}
	}
	return r
}
