package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// Service is what a pipeline says of one service.
type Service struct {
	// Name is the service's, as it is found.
	Name string `yaml:"name" json:"name"`
	// Layout, if not empty, is where its pins stand, in place of the pipeline's.
	Layout Layout `yaml:"layout" json:"layout,omitempty"`
	// Labels are for choosing services, by a label selector.
	Labels map[string]string `yaml:"labels" json:"labels,omitempty"`
	// DependsOn names the services that come before it in a promotion of both.
	DependsOn []string `yaml:"dependsOn" json:"dependsOn,omitempty"`
}

func (p *Pipeline) checkServices(f *yamlfile.File) {
	seen := make(map[string]bool)
	for i, service := range p.Spec.Services {
		at := fmt.Sprintf("spec.services[%d]", i)
		switch {
		case !IsFolder(service.Name):
			f.At(at+".name", "letters, digits, '.', '_' and '-'", "service name %q is malformed", service.Name)
		case seen[service.Name]:
			f.At(at+".name", "remove one of them", "service %q is listed twice", service.Name)
		}
		seen[service.Name] = true
		named := *p
		named.Metadata.Name = service.Name
		service.Layout.check(f, at+".layout", &named, p.Spec.apart())
		for n, other := range service.DependsOn {
			at := fmt.Sprintf("%s.dependsOn[%d]", at, n)
			switch {
			case !IsFolder(other):
				f.At(at, "letters, digits, '.', '_' and '-'", "service name %q is malformed", other)
			case slices.Index(service.DependsOn, other) < n:
				f.At(at, "remove one of them", "service %q is listed twice", other)
			}
		}
	}
	for _, circle := range p.circles() {
		i := slices.IndexFunc(p.Spec.Services, func(s Service) bool { return s.Name == circle[0] })
		f.At(fmt.Sprintf("spec.services[%d].dependsOn", i), "", "service %q depends on itself: %s", circle[0], strings.Join(circle, " → "))
	}
}

// dependencies gives what each service depends on.
func (p *Pipeline) dependencies() map[string][]string {
	on := make(map[string][]string)
	for _, s := range p.Spec.Services {
		on[s.Name] = s.DependsOn
	}
	return on
}

// circles gives paths of services that lead back to where they begin: one for each
// service that is first found to do so.
func (p *Pipeline) circles() [][]string {
	on := p.dependencies()
	var found [][]string
	var way []string
	at := make(map[string]int) // from 1, on the way; -1 behind it
	var visit func(string)
	visit = func(service string) {
		if n := at[service]; n != 0 {
			if n > 0 {
				found = append(found, append(slices.Clone(way[n-1:]), service))
			}
			return
		}
		way = append(way, service)
		at[service] = len(way)
		for _, other := range on[service] {
			visit(other)
		}
		way = way[:len(way)-1]
		at[service] = -1
	}
	for _, s := range p.Spec.Services {
		visit(s.Name)
	}
	return found
}

// InOrder gives services in an order in which none comes before one that it depends on,
// be it through others that are not among them; else they keep their order.
func (p *Pipeline) InOrder(services []string) []string {
	on := p.dependencies()
	asked, done := make(map[string]bool), make(map[string]bool)
	for _, s := range services {
		asked[s] = true
	}
	out := make([]string, 0, len(services))
	var visit func(string)
	visit = func(service string) {
		if done[service] {
			return
		}
		done[service] = true
		for _, other := range on[service] {
			visit(other)
		}
		if asked[service] {
			out = append(out, service)
		}
	}
	for _, s := range services {
		visit(s)
	}
	return out
}
