package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/promote/record"
)

// Change is one change of a service's pins in one environment, as it stands in
// the history. The content of the files is the truth; trailers explain it.
type Change struct {
	Service     string        `json:"service"`
	Environment string        `json:"environment"`
	Images      []ImageChange `json:"images"`
	// Along is what has changed beside images: charts and revisions, where the pipeline
	// promotes them. There may be no image then.
	Along   []AlongChange `json:"along,omitempty"`
	Commit  string        `json:"commit"`
	Time    time.Time     `json:"time"`
	Author  string        `json:"author"`
	Email   string        `json:"email"`
	Subject string        `json:"subject"`
	// Record is what the commit's trailers say of this service; nil where the
	// change was made by other means.
	Record *record.Trailers `json:"record,omitempty"`
	// RecordCommit is the commit that the record stands in, where that is one which
	// a merge has brought.
	RecordCommit string `json:"recordCommit,omitempty"`
	// Mismatch says in what the record and the content disagree.
	Mismatch string `json:"mismatch,omitempty"`
}

// ImageChange is one image's pin before and after.
type ImageChange struct {
	Name       string `json:"name"`
	Repository string `json:"repository"`
	// Unknown tells that Repository is no more than a name: no registry is asked about it.
	Unknown bool `json:"-"`
	Old     Pin  `json:"old"`
	New     Pin  `json:"new"`
	// OldRepository is where it came from before, if that was another.
	OldRepository string `json:"oldRepository,omitempty"`
	// File is the one that it stands in.
	File string `json:"file"`

	// Path is where it stands there.
	Path string `json:"-"`
	// Overlay is where its overlay is now: the path of a site, whatever the file was
	// called.
	Overlay string `json:"-"`
}

// join takes what another file of the same commit has changed.
func (c *Change) join(other *Change) {
	c.Images, c.Along = append(c.Images, other.Images...), append(c.Along, other.Along...)
	c.Mismatch = cmp.Or(c.Mismatch, other.Mismatch)
	if c.Record == nil {
		c.Record, c.RecordCommit = other.Record, other.RecordCommit
	}
}

// recordsOf gives the records of a message by service and environment.
func recordsOf(message string) map[[2]string]record.Trailers {
	all := make(map[[2]string]record.Trailers)
	for _, t := range record.Parse(message) {
		all[[2]string{t.Service, t.To}] = t
	}
	return all
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' || r == '\r' {
			return s[:i]
		}
	}
	return s
}

// addRecord takes the record of this change and holds it against the content: a
// record that names another image explains nothing.
func (c *Change) addRecord(records map[[2]string]record.Trailers) {
	t, ok := records[[2]string{c.Service, c.Environment}]
	if !ok {
		return
	}
	recorded := make(map[string]bool)
	for _, i := range t.Images {
		recorded[i] = true
	}
	for _, i := range c.Images {
		if ref := i.New.Ref(i.Repository); !recorded[ref] {
			c.Mismatch = "the record does not name " + ref
		}
	}
	for _, a := range c.Along {
		if text := a.Kind + " " + a.Name + "=" + a.New; !slices.Contains(t.Along, text) {
			c.Mismatch = "the record does not name " + text
		}
	}
	c.Record = &t
}
