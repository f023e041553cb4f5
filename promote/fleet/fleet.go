package fleet

import (
	_ "embed" // the schema
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"go.yaml.in/yaml/v3"
)

// Kind is that of the file.
const Kind = "Fleet"

// FileName is what the file is usually called.
const FileName = "fleet.yaml"

// Most is how many repositories a file may list.
const Most = 2000

// Fleet is a fleet file: repositories with a pipeline each.
type Fleet struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   pipeline.Metadata `yaml:"metadata"`
	Spec       Spec              `yaml:"spec"`
}

// Spec is the content of a Fleet.
type Spec struct {
	// Repositories are those that commands with --fleet are about, in the order in which they are shown. At most 2,000.
	Repositories []Repository `yaml:"repositories"`
}

// Repository is one of a fleet. A text alone is its URL or its folder.
type Repository struct {
	// Name is what it is called in tables, once in a file. By default it is the last element of its URL or folder, without .git.
	Name string `yaml:"name"`
	// Repository is its URL, or the folder of a clone: a path from the folder of the fleet file.
	Repository string `yaml:"repository"`
	// Branch is the one that is read of a URL. By default it is the repository's own default. A folder is read as it is checked out.
	Branch string `yaml:"branch"`
	// Pipeline is the path of the pipeline file in the repository. By default it is promotion.yaml.
	Pipeline string `yaml:"pipeline"`
}

// UnmarshalYAML reads a text as the repository.
func (r *Repository) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		r.Repository = n.Value
		return nil
	}
	type plain Repository
	return n.Decode((*plain)(r))
}

// Parse decodes a fleet file. The name is used in messages, and folders are paths from its
// own; in the result they can be opened from here. All faults are reported, each with its
// place, as *overlay.Error.
func Parse(name string, data []byte) (*Fleet, error) {
	out := &Fleet{}
	f := yamlfile.Parse(name, data, yamlfile.Options{})
	if f.Decode(0, out) {
		out.check(f)
	}
	err := f.Err(func(f yamlfile.Fault) error {
		return &overlay.Error{File: f.File, Line: f.Line, Col: f.Col, Msg: f.Msg, Hint: f.Hint}
	})
	if err != nil {
		return nil, err
	}
	for i := range out.Spec.Repositories {
		if r := &out.Spec.Repositories[i]; !branch.IsURL(r.Repository) && !filepath.IsAbs(r.Repository) {
			r.Repository = filepath.Join(filepath.Dir(name), filepath.FromSlash(r.Repository))
		}
	}
	return out, nil
}

func (f *Fleet) check(file *yamlfile.File) {
	if f.APIVersion != pipeline.APIVersion {
		file.At("apiVersion", "apiVersion: "+pipeline.APIVersion, "apiVersion is %q", f.APIVersion)
	}
	if f.Kind != Kind {
		file.At("kind", "kind: "+Kind, "kind is %q", f.Kind)
	}
	switch n := len(f.Spec.Repositories); {
	case n == 0:
		file.At("spec.repositories", "repositories: [https://HOST/PATH.git]", "there is no repository")
	case n > Most:
		file.At("spec.repositories", "a fleet file for each part of them", "%d repositories, and %d are the most", n, Most)
		return
	}
	first := make(map[string]int)
	for i := range f.Spec.Repositories {
		r, at := &f.Spec.Repositories[i], fmt.Sprintf("spec.repositories[%d]", i)
		r.check(file, at)
		if n, there := first[r.Name]; there && r.Name != "" {
			file.At(at, "name: another for one of the two", "%q is the name of spec.repositories[%d] as well", r.Name, n)
			continue
		}
		first[r.Name] = i
	}
}

// check finds what is wrong with one repository, and gives it its name.
func (r *Repository) check(file *yamlfile.File, at string) {
	switch err := branch.CheckURL(r.Repository); {
	case r.Repository == "":
		file.At(at+".repository", "repository: https://HOST/PATH.git, or a folder", "repository is empty")
	case branch.IsURL(r.Repository) && err != nil:
		file.At(at+".repository", "https://HOST/PATH.git, or a folder", "%v", err)
	case strings.HasPrefix(r.Repository, "-"), strings.Contains(r.Repository, "::"):
		file.At(at+".repository", "https://HOST/PATH.git, or a folder", "%q is neither a URL nor a folder", r.Repository)
	case !branch.IsURL(r.Repository) && r.Branch != "":
		file.At(at+".branch", "git worktree add FOLDER BRANCH makes a folder of it", "a folder is read as it is checked out, and has no branch here")
	}
	if p := r.Pipeline; p != "" && (path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../") || slices.Contains(strings.Split(strings.ToLower(p), "/"), ".git")) {
		file.At(at+".pipeline", "pipeline: deploy/promotion.yaml", "%q is no path in the repository", p)
	}
	named := r.Name != ""
	if !named {
		r.Name = lastElement(r.Repository)
	}
	if r.Repository != "" && !pipeline.IsFolder(r.Name) {
		what, hint := at, "name: NAME, as none can be made of the repository's"
		if named {
			what, hint = at+".name", "letters, digits, '.', '_' and '-'"
		}
		file.At(what, hint, "the name %q is malformed", r.Name)
	}
}

// lastElement is the last element of a URL or a folder, without .git.
func lastElement(repository string) string {
	repository = strings.TrimRight(strings.ReplaceAll(repository, `\`, "/"), "/")
	return strings.TrimSuffix(repository[strings.LastIndexAny(repository, "/:")+1:], ".git")
}

// SchemaURL is where editors find the schema.
const SchemaURL = "https://raw.githubusercontent.com/kubepromote/kubepromote/main/promote/fleet/schema.json"

//go:embed schema.json
var schema []byte

// Schema gives the JSON Schema of the fleet file, draft 2020-12, as it is made of the types
// of this package.
func Schema() []byte { return slices.Clone(schema) }
