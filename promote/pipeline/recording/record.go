package recording

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"go.yaml.in/yaml/v3"
)

// Record is what is kept and told of promotions beside their commits.
type Record struct {
	// Versions are files that say what each service is pinned to in each environment, kept
	// in the commit of each promotion: NAME.json, or NAME.md for a table.
	Versions Names `yaml:"versions" json:"versions,omitempty"`
	// Events says what is told of promotions, and to whom.
	Events *Events `yaml:"events" json:"events,omitempty"`
}

// Names are paths in the repository. In a file it is a list, or one of them.
type Names []string

// UnmarshalYAML reads one name as a list of it.
func (l *Names) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(l))
	}
	*l = make(Names, 1)
	return n.Decode(&(*l)[0])
}

// maxRecords bounds the files that are kept.
const maxRecords = 10

// Check finds names that no file can be kept under, and events that nobody can be told.
func (r Record) Check(f *yamlfile.File) {
	const at, hint = "spec.record.versions", "versions: versions.json, or VERSIONS.md"
	r.Events.check(f, "spec.record.events")
	if f.Has("spec.record") && len(r.Versions) == 0 && r.Events == nil {
		f.At("spec.record", "record: {versions: versions.json}", "record says nothing")
	}
	if len(r.Versions) > maxRecords {
		f.At(at, "", "more than %d files of versions", maxRecords)
	}
	for i, name := range r.Versions {
		where := at
		if f.Has(fmt.Sprintf("%s[%d]", at, i)) {
			where = fmt.Sprintf("%s[%d]", at, i)
		}
		switch ext := path.Ext(name); {
		case !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00\r\n") || strings.EqualFold(strings.SplitN(name, "/", 2)[0], ".git"):
			f.At(where, hint, "%q is no path in the repository", name)
		case ext != ".json" && ext != ".md" || len(path.Base(name)) == len(ext):
			f.At(where, hint, "%q is neither NAME.json nor NAME.md", name)
		case slices.Contains(r.Versions[:i], name):
			f.At(where, "remove one of them", "%q is named twice", name)
		}
	}
}
