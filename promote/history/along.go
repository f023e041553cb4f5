package history

import "github.com/kubepromote/kubepromote/overlay"

// pins are what a service has in a version of a file.
type pins struct{ images, along []overlay.Pin }

// AlongChange is the version of a chart, or the revision of a repository, before and after.
type AlongChange struct {
	// Kind is chart or revision.
	Kind string `json:"kind"`
	// Name is the chart's or the repository's.
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
	// File is the one that it stands in.
	File string `json:"file"`

	// Overlay is where its overlay is now; see [ImageChange].
	Overlay string `json:"-"`
}

// alongChanges compares what two versions of a file have beside images, in the order of the
// new one; what is gone comes last.
func alongChanges(file string, old, now []overlay.Pin) []AlongChange {
	key := func(p overlay.Pin) [2]string { return [2]string{string(p.Type), p.Name} }
	before, kept := make(map[[2]string]string, len(old)), make(map[[2]string]bool, len(now))
	for _, p := range old {
		before[key(p)] = p.Tag
	}
	var out []AlongChange
	for _, p := range now {
		kept[key(p)] = true
		if was := before[key(p)]; was != p.Tag {
			out = append(out, AlongChange{Kind: string(p.Type), Name: p.Name, Old: was, New: p.Tag, File: file})
		}
	}
	for _, p := range old {
		if !kept[key(p)] {
			kept[key(p)] = true
			out = append(out, AlongChange{Kind: string(p.Type), Name: p.Name, Old: p.Tag, File: file})
		}
	}
	return out
}
