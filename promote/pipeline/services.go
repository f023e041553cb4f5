package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote/internal/order"
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
	names, on := p.dependencies()
	for _, circle := range order.Circles(names, on) {
		i := slices.Index(names, circle[0])
		f.At(fmt.Sprintf("spec.services[%d].dependsOn", i), "", "service %q depends on itself: %s", circle[0], strings.Join(circle, " → "))
	}
}

// dependencies gives the services that are listed, and what each depends on.
func (p *Pipeline) dependencies() (names []string, on map[string][]string) {
	on = make(map[string][]string)
	for _, s := range p.Spec.Services {
		names, on[s.Name] = append(names, s.Name), s.DependsOn
	}
	return names, on
}

// InOrder gives services in an order in which none comes before one that it depends on,
// be it through others that are not among them; else they keep their order.
func (p *Pipeline) InOrder(services []string) []string {
	_, on := p.dependencies()
	return order.Of(services, on)
}
