package objects

import (
	"regexp"
	"strings"
	"sync"
)

// Parity gives what differs between the objects of two environments beyond what is
// allowed: those of the source are old, those of the target new. Namespaces, the names that
// kustomize makes and references to them are environments' own, and an image is the same at
// another registry.
func Parity(source, target []Object, allowed Allowed) []Difference {
	var out []Difference
	all := Compare(source, target, ByOriginal)
	own := renamed(source, target, ByOriginal)
	for _, d := range all {
		if d.Old != nil && d.New != nil {
			kept := d.Changes[:0:0]
			for _, c := range d.Changes {
				if c.Path.String() != "metadata.namespace" && !own[[2]string{Text(c.Old), Text(c.New)}] && !(IsImage(c.Path) && sameImage(c)) {
					kept = append(kept, c)
				}
			}
			d.Changes = kept
		}
		if rest := d.Without(allowed); rest != nil {
			out = append(out, *rest)
		}
	}
	return out
}

// renamed are names and namespaces of objects and what they are in the other set: where one
// object names another, they differ as the names do.
func renamed(before, after []Object, pairing Pairing) map[[2]string]bool {
	before, after = Flatten(before), Flatten(after)
	out := make(map[[2]string]bool)
	for n, m := range pair(before, after, pairing) {
		old, now := &before[m], &after[n]
		if old.Name != now.Name {
			out[[2]string{old.Name, now.Name}] = true
		}
		if old.Namespace != now.Namespace && old.Namespace != "" && now.Namespace != "" {
			out[[2]string{old.Namespace, now.Namespace}] = true
		}
	}
	return out
}

// hashes are what kustomize puts behind the names of what it generates.
var hashes = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`-[bcdfghkmt2456789]{10}$`) })

// Rehashed tells whether a difference is of a generated object whose name has another hash
// of what is in it, and nothing else in its name or namespace is different.
func (d *Difference) Rehashed() bool {
	if d.Old == nil || d.New == nil || d.Old.Namespace != d.New.Namespace || d.Old.Name == d.New.Name {
		return false
	}
	old, now := hashes().FindStringIndex(d.Old.Name), hashes().FindStringIndex(d.New.Name)
	return (d.New.Kind == "ConfigMap" || d.New.Kind == "Secret") && d.New.Group() == "" &&
		old != nil && now != nil && d.Old.Name[:old[0]] == d.New.Name[:now[0]]
}

// sameImage tells whether two references are of one digest.
func sameImage(c Change) bool {
	_, a, ok := strings.Cut(Text(c.Old), "@")
	_, b, _ := strings.Cut(Text(c.New), "@")
	return ok && a == b
}
