package pipeline

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote/objects"
)

// OnlyImage is the one thing that RenderedGate.Only may have.
const OnlyImage = "image"

// RenderedGate lets pass what changes nothing else in the rendered objects than it may.
type RenderedGate struct {
	// Only says what a promotion may change: image, which is the default, are the images of
	// containers. Anything else is said by Allow.
	Only []string `yaml:"only" json:"only,omitempty"`
	// Against, if not empty, is an environment that the objects may differ from in what
	// Allow says alone, images by their registries excepted.
	Against string `yaml:"against" json:"against,omitempty"`
	// Allow are patterns of fields that may differ: spec.replicas, **.resources,
	// ConfigMap/settings:data.HOST.
	Allow []string `yaml:"allow" json:"allow,omitempty"`
}

// ReferencesGate lets pass workloads whose Secrets, ConfigMaps and the like, and their
// keys, are among the rendered objects, and that have lost no environment variable and no
// volume on their way.
type ReferencesGate struct {
	// Declared are objects that are there without being rendered: KIND/NAME or
	// KIND/NAME:KEY, with globs.
	Declared []string `yaml:"declared" json:"declared,omitempty"`
	// Allow are names of environment variables and volumes that only the source has, with
	// globs.
	Allow []string `yaml:"allow" json:"allow,omitempty"`
}

// ResourcesGate lets pass what takes no limit, request, probe, security setting, replica or
// disruption budget away from what is there, and lowers none.
type ResourcesGate struct {
	// Allow are patterns of fields that may be lowered or lost.
	Allow []string `yaml:"allow" json:"allow,omitempty"`
}

// PolicyGate lets pass objects that rules of the repository have nothing against.
type PolicyGate struct {
	// Rego is a file or a folder of Rego, with the conventions of Conftest: deny,
	// violation and warn.
	Rego string `yaml:"rego" json:"rego,omitempty"`
	// Namespaces are the packages whose rules count; by default main.
	Namespaces []string `yaml:"namespaces" json:"namespaces,omitempty"`
	// Data are files and folders of YAML and JSON that rules see as data.
	Data []string `yaml:"data" json:"data,omitempty"`
	// CEL is a file or a folder with ValidatingAdmissionPolicy objects.
	CEL string `yaml:"cel" json:"cel,omitempty"`
}

// SchemaGate lets pass objects that an API server would know every field of.
type SchemaGate struct {
	// Version is that of Kubernetes, such as "1.36"; by default the newest whose schemas are
	// built in.
	Version string `yaml:"version" json:"version,omitempty"`
	// CRDs are files and folders with CustomResourceDefinitions. Those among the rendered
	// objects count anyway.
	CRDs []string `yaml:"crds" json:"crds,omitempty"`
	// Ignore are objects that are not looked at: KIND, KIND.GROUP or one of them with /NAME
	// behind, with globs. An object that there is no schema of is unknown otherwise.
	Ignore []string `yaml:"ignore" json:"ignore,omitempty"`
}

var minorVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^1\.[0-9]{1,3}$`) })

// allowed checks patterns of fields.
func (c gateCheck) allowed(at string, all []string) {
	for i, text := range all {
		if _, err := objects.ParsePattern(text); err != nil {
			c.At(fmt.Sprintf("%s[%d]", at, i), "spec.replicas, **.resources, ConfigMap/settings:data.HOST", "%q is no pattern of fields: %v", text, err)
		}
	}
}

func (g *RenderedGate) check(c gateCheck, at string) {
	for i, only := range g.Only {
		if only != OnlyImage {
			c.At(fmt.Sprintf("%s.only[%d]", at, i), "only: [image], and other fields in allow", "only has %q", only)
		}
	}
	switch {
	case g.Against == "":
	case !slices.Contains(c.names, g.Against):
		c.At(at+".against", spelling.Hint(g.Against, c.names), "environment %q is not listed", g.Against)
	case g.Against == c.environment:
		c.At(at+".against", "", "environment %q is compared with itself", g.Against)
	}
	c.allowed(at+".allow", g.Allow)
}

func (g *ReferencesGate) check(c gateCheck, at string) {
	for i, text := range g.Declared {
		kind, name, ok := strings.Cut(text, "/")
		if !ok || kind == "" || name == "" {
			c.At(fmt.Sprintf("%s.declared[%d]", at, i), "Secret/db, Secret/shared-*:password", "%q is not KIND/NAME", text)
		}
	}
}

func (g *ResourcesGate) check(c gateCheck, at string) { c.allowed(at+".allow", g.Allow) }

func (g *PolicyGate) check(c gateCheck, at string) {
	if g.Rego == "" && g.CEL == "" {
		c.At(at, "policy: {rego: policies/rego}", "the gate names no policy")
	}
	if g.Rego == "" && len(g.Namespaces)+len(g.Data) > 0 {
		c.At(at, "rego: policies/rego", "namespaces and data are those of Rego")
	}
	paths := map[string]string{".rego": g.Rego, ".cel": g.CEL}
	for i, name := range g.Data {
		paths[fmt.Sprintf(".data[%d]", i)] = name
	}
	for where, name := range paths {
		c.inside(at+where, "policies/rego", name)
	}
}

func (g *SchemaGate) check(c gateCheck, at string) {
	if g.Version != "" && !minorVersion().MatchString(g.Version) {
		c.At(at+".version", `version: "1.36"`, "%q is no minor version of Kubernetes", g.Version)
	}
	for i, name := range g.CRDs {
		where := fmt.Sprintf("%s.crds[%d]", at, i)
		if name == "" {
			c.At(where, "crds: [crds/]", "the path is empty")
		}
		c.inside(where, "crds/", name)
	}
	for i, text := range g.Ignore {
		kind, name, named := strings.Cut(text, "/")
		_, err := path.Match(kind, "")
		_, nameErr := path.Match(name, "")
		where := fmt.Sprintf("%s.ignore[%d]", at, i)
		switch {
		case kind == "" || named && name == "" || err != nil || nameErr != nil:
			c.At(where, "Rollout, *.argoproj.io, Secret/generated-*", "%q is not KIND, KIND.GROUP or KIND/NAME", text)
		case strings.Trim(kind, "*.") == "" && strings.Trim(name, "*") == "":
			c.At(where, "Rollout, *.argoproj.io", "%q ignores all there is", text)
		}
	}
}

// inside checks a path of the repository.
func (c gateCheck) inside(at, hint, name string) {
	if name != "" && !fs.ValidPath(strings.TrimSuffix(name, "/")) {
		c.At(at, hint, "%q is not a path inside the repository", name)
	}
}
