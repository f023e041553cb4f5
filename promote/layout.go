package promote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
)

// defaultLayout is the layout that works without a pipeline file.
const defaultLayout = "apps/{service}/overlays/{environment}"

// Layout says where the overlays of a repository are.
type Layout struct {
	// Path is a template of a directory that holds a kustomization file, or of a
	// .yaml or .yml file. It holds {service} and {environment}, once each.
	Path string `yaml:"path" json:"path"`
}

const (
	serviceHole     = "{service}"
	environmentHole = "{environment}"
)

func (l Layout) check() error {
	for _, hole := range []string{serviceHole, environmentHole} {
		if strings.Count(l.Path, hole) != 1 {
			return fmt.Errorf("%q must hold %s once", l.Path, hole)
		}
	}
	filled := l.overlayPath("s", "e")
	if !fs.ValidPath(filled) || strings.ContainsAny(filled, "{}\\") {
		return fmt.Errorf("%q is not a path inside the repository", l.Path)
	}
	for _, segment := range strings.Split(l.Path, "/") {
		if strings.Count(segment, "{") > 1 {
			return fmt.Errorf("%q has two placeholders in one path element, which cannot be told apart", l.Path)
		}
	}
	return nil
}

// overlayPath fills in the template.
func (l Layout) overlayPath(service, environment string) string {
	return strings.Replace(strings.Replace(l.Path, serviceHole, service, 1), environmentHole, environment, 1)
}

// isFile tells whether the template names a file rather than a directory.
func (l Layout) isFile() bool {
	ext := path.Ext(l.Path)
	return ext == ".yaml" || ext == ".yml"
}

// match takes the path of an overlay's file apart.
func (l Layout) match(file string) (service, environment string, ok bool) {
	service, environment, ok = l.matchFile(file)
	return service, environment, ok && isName(service) && isName(environment)
}

// matchFile is match for a template that need not have both holes.
func (l Layout) matchFile(file string) (service, environment string, ok bool) {
	if !l.isFile() {
		if !slices.Contains(kustomizationNames, path.Base(file)) {
			return "", "", false
		}
		file = path.Dir(file)
	}
	want, got := strings.Split(l.Path, "/"), strings.Split(file, "/")
	if len(want) != len(got) {
		return "", "", false
	}
	for i := range want {
		s, e, ok := matchSegment(want[i], got[i])
		if !ok {
			return "", "", false
		}
		service, environment = service+s, environment+e
	}
	return service, environment, true
}

// matchSegment matches one path element against its template.
func matchSegment(template, name string) (service, environment string, ok bool) {
	before, after, has := strings.Cut(template, "{")
	if !has {
		return "", "", template == name
	}
	hole, behind, _ := strings.Cut(after, "}")
	value, ok := strings.CutPrefix(name, before)
	if ok {
		value, ok = strings.CutSuffix(value, behind)
	}
	switch {
	case !ok || value == "":
		return "", "", false
	case "{"+hole+"}" == serviceHole:
		return value, "", true
	}
	return "", value, true
}

// overlays finds the overlays there are: service → environment → true. Only
// directories that the template leads through are read.
func (l Layout) overlays(tree Tree) (map[string]map[string]bool, error) {
	return walkLayout(tree, strings.Split(l.Path, "/"), l.isFile())
}

// servicesIn lists, in order, the services that may have overlays in all of the
// environments: those for which there is what the template says up to the
// service's name. What it says behind that is not looked for.
func (l Layout) servicesIn(tree Tree, environments ...string) ([]string, error) {
	whole := strings.Split(l.Path, "/")
	end := 1 + slices.IndexFunc(whole, func(s string) bool { return strings.Contains(s, serviceHole) })
	before := strings.Join(whole[:end], "/")
	paths := make(map[string]int)
	for _, e := range environments {
		paths[strings.Replace(before, environmentHole, e, 1)]++
	}
	count := make(map[string]int)
	for p, n := range paths {
		found, err := walkLayout(tree, strings.Split(p, "/"), l.isFile() && end == len(whole))
		if err != nil {
			return nil, err
		}
		for service := range found {
			count[service] += n
		}
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n < len(environments) })
	return slices.Sorted(maps.Keys(count)), nil
}

// layoutWalk looks for what fits a layout's template.
type layoutWalk struct {
	tree  Tree
	files bool // the template's end stands for files
	lock  sync.Mutex
	found map[string]map[string]bool
}

func walkLayout(tree Tree, template []string, files bool) (map[string]map[string]bool, error) {
	w := &layoutWalk{tree: tree, files: files, found: make(map[string]map[string]bool)}
	err := w.walk(template, "", "", "")
	return w.found, err
}

func (l *layoutWalk) add(service, environment string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.found[service] == nil {
		l.found[service] = make(map[string]bool)
	}
	l.found[service][environment] = true
}

// walk looks below dir. The directories of the first level that may have many are
// looked at side by side.
func (l *layoutWalk) walk(template []string, dir, service, environment string) error {
	if len(template) == 0 {
		l.add(service, environment)
		return nil
	}
	if !strings.Contains(template[0], "{") && len(template) > 1 {
		return l.walk(template[1:], path.Join(dir, template[0]), service, environment)
	}
	entries, err := l.tree.ReadDir(path.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	enter := func(i int) error {
		name := entries[i].Name()
		s, e, ok := matchSegment(template[0], name)
		if !ok || entries[i].IsDir() == (l.files && len(template) == 1) || s+e != "" && !isName(s+e) {
			return nil
		}
		return l.walk(template[1:], path.Join(dir, name), service+s, environment+e)
	}
	if service+environment == "" {
		return cmp.Or(each(context.Background(), len(entries), enter)...)
	}
	for i := range entries {
		if err := enter(i); err != nil {
			return err
		}
	}
	return nil
}

// pathspecs gives the Git pathspecs of the overlay files of some services; all
// services' where none is named.
func (l Layout) pathspecs(services []string) []string {
	if len(services) == 0 {
		services = []string{"*"}
	}
	var specs []string
	for _, s := range services {
		p := ":(glob)" + l.overlayPath(s, "*")
		if l.isFile() {
			specs = append(specs, p)
			continue
		}
		for _, name := range kustomizationNames {
			specs = append(specs, p+"/"+name)
		}
	}
	return specs
}

// kustomizationNames are the names that kustomize knows, in its order.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// knownLayouts are tried, in this order, where there is no pipeline file.
var knownLayouts = []string{
	defaultLayout,
	"services/{service}/overlays/{environment}",
	"{service}/overlays/{environment}",
	"overlays/{environment}/{service}",
	"environments/{environment}/{service}",
	"envs/{environment}/{service}",
	"clusters/{environment}/{service}",
	"apps/{environment}/{service}",
	"apps/{service}/{environment}",
	"{environment}/{service}",
}

// knownOrder ranks usual names of environments by how far they are from users.
var knownOrder = [][]string{
	{"dev", "development"},
	{"test", "testing", "tst", "int", "integration", "ci"},
	{"qa"},
	{"staging", "stage", "stg"},
	{"uat", "acceptance", "acc"},
	{"preprod", "pre-prod", "preproduction", "pre-production"},
	{"production", "prod", "prd", "live"},
}

func rank(environment string) int {
	for i, names := range knownOrder {
		for _, n := range names {
			if n == environment {
				return i
			}
		}
	}
	return -1
}

// Discover makes the pipeline of a repository that has no pipeline file: the
// first well-known layout whose folders bear usual names of environments, each
// environment promoted from the one before it.
func Discover(tree Tree) (*Pipeline, error) {
	for _, template := range knownLayouts {
		layout := Layout{Path: template}
		overlays, err := layout.overlays(tree)
		if err != nil {
			return nil, err
		}
		seen := make(map[string]bool)
		for _, envs := range overlays {
			for e := range envs {
				if rank(e) >= 0 {
					seen[e] = true
				}
			}
		}
		if len(seen) >= 2 {
			return discovered(layout, seen), nil
		}
	}
	none := failure("write overlays as apps/SERVICE/overlays/ENVIRONMENT, or a "+PipelineFile+" that says where they are",
		"no %s, and no folders of at least two environments in a known layout", PipelineFile)
	none.Err = ErrNoPipeline
	return nil, none
}

func discovered(layout Layout, seen map[string]bool) *Pipeline {
	p := &Pipeline{APIVersion: APIVersion, Kind: "Pipeline", Spec: PipelineSpec{Layout: layout}}
	var names []string
	for e := range seen {
		names = append(names, e)
	}
	sort.Slice(names, func(i, j int) bool {
		if a, b := rank(names[i]), rank(names[j]); a != b {
			return a < b
		}
		return names[i] < names[j]
	})
	for i, name := range names {
		e := Environment{Name: name}
		if i > 0 {
			e.From = []string{names[i-1]}
		}
		p.Spec.Environments = append(p.Spec.Environments, e)
	}
	p.setDefaults()
	return p
}
