package waves

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// File is a file of the repository.
type File struct {
	Path string
	Data []byte
}

// object is something that deploys a service: an Application of Argo CD, a Kustomization or
// a HelmRelease of Flux.
type object struct {
	place     string // file:line
	kind      string
	name      string
	namespace string
	service   string
	wave      int
	waves     bool // it is one of Argo CD, where each has a wave
	dependsOn []string
}

// Contradictions says where what deploys the services of an environment has another order
// than the pipeline: an Application whose sync wave comes before that of a service that it
// depends on, an object of Flux that depends on what depends on it. Files are those that may
// have such objects; those of the services' sites and others. What cannot be read is left
// out: other commands tell of it.
func Contradictions(p *pipeline.Pipeline, e *pipeline.Environment, sites pipeline.ByService, files []File) []string {
	of, folders := make(map[string]string), make(map[string]string)
	for service, environments := range sites {
		for _, one := range environments[e.Name] {
			of[path.Clean(one.Path)] = service
			folder, owner := path.Dir(path.Clean(one.Path)), service
			if other, taken := folders[folder]; taken && other != service {
				owner = "" // it is of several
			}
			folders[folder] = owner
		}
	}
	for folder, service := range folders {
		if _, own := of[folder]; !own {
			of[folder] = service
		}
	}
	var all []object
	for _, f := range files {
		all = append(all, objectsIn(f, of)...)
	}
	behind := dependents(p)
	var out []string
	for _, a := range all {
		for _, b := range all {
			if !behind[a.service][b.service] { // a depends on b
				continue
			}
			switch {
			case a.waves && b.waves && a.wave < b.wave:
				out = append(out, fmt.Sprintf("%s: %s is in sync wave %d, and %s, which it depends on, in %d (%s)", a.place, a.service, a.wave, b.service, b.wave, b.place))
			case a.kind == b.kind && slices.Contains(b.dependsOn, a.namespace+"/"+a.name):
				out = append(out, fmt.Sprintf("%s: %s %q waits for that of %s, and %s depends on %s (%s)", b.place, b.kind, b.name, a.service, a.service, b.service, a.place))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// dependents tells of each service which it depends on, be it through others.
func dependents(p *pipeline.Pipeline) map[string]map[string]bool {
	on := make(map[string][]string)
	for _, s := range p.Spec.Services {
		on[s.Name] = s.DependsOn
	}
	out := make(map[string]map[string]bool)
	for service := range on {
		all := make(map[string]bool)
		var visit func(string)
		visit = func(s string) {
			for _, other := range on[s] {
				if !all[other] {
					all[other] = true
					visit(other)
				}
			}
		}
		visit(service)
		out[service] = all
	}
	return out
}

// manifest is what is read of an object.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Namespace   string            `yaml:"namespace"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Spec struct {
		Path   string `yaml:"path"`
		Source struct {
			Path string `yaml:"path"`
		} `yaml:"source"`
		Sources []struct {
			Path string `yaml:"path"`
		} `yaml:"sources"`
		DependsOn []struct {
			Name      string `yaml:"name"`
			Namespace string `yaml:"namespace"`
		} `yaml:"dependsOn"`
	} `yaml:"spec"`
}

// most bounds the documents of a file.
const most = 1000

func objectsIn(f File, of map[string]string) []object {
	if !bytes.Contains(f.Data, []byte("Application")) && !bytes.Contains(f.Data, []byte("fluxcd.io")) {
		return nil
	}
	var out []object
	dec := yaml.NewDecoder(bytes.NewReader(f.Data))
	for range most {
		var node yaml.Node
		if err := dec.Decode(&node); err != nil {
			break
		}
		var m manifest
		if len(node.Content) == 0 || node.Content[0].Kind != yaml.MappingNode || node.Content[0].Decode(&m) != nil {
			continue
		}
		if o, ok := m.object(f.Path, of); ok {
			o.place = fmt.Sprintf("%s:%d", f.Path, max(node.Content[0].Line, 1))
			out = append(out, o)
		}
	}
	return out
}

func (m *manifest) object(file string, of map[string]string) (o object, ok bool) {
	group, _, _ := strings.Cut(m.APIVersion, "/")
	o = object{kind: m.Kind, name: m.Metadata.Name, namespace: m.Metadata.Namespace}
	folders := []string{m.Spec.Path}
	switch {
	case group == "argoproj.io" && m.Kind == "Application":
		o.waves = true
		o.wave, _ = strconv.Atoi(m.Metadata.Annotations["argocd.argoproj.io/sync-wave"]) // without one it is 0
		folders = []string{m.Spec.Source.Path}
		for _, s := range m.Spec.Sources {
			folders = append(folders, s.Path)
		}
	case group == "kustomize.toolkit.fluxcd.io" && m.Kind == "Kustomization", group == "helm.toolkit.fluxcd.io" && m.Kind == "HelmRelease":
	default:
		return o, false
	}
	for _, d := range m.Spec.DependsOn {
		o.dependsOn = append(o.dependsOn, cmp.Or(d.Namespace, o.namespace)+"/"+d.Name)
	}
	o.service = of[path.Clean(file)]
	for _, folder := range folders {
		if folder != "" && o.service == "" {
			o.service = of[strings.TrimPrefix(path.Clean("/"+folder), "/")]
		}
	}
	return o, o.service != ""
}
