// Package order puts names behind those that they depend on.
package order

import "slices"

// Circles gives paths of names that lead back to where they begin: one for each name of
// those given that is first found to do so. on is what each depends on.
func Circles(names []string, on map[string][]string) [][]string {
	var found [][]string
	var way []string
	at := make(map[string]int) // from 1, on the way; -1 behind it
	var visit func(string)
	visit = func(name string) {
		if n := at[name]; n != 0 {
			if n > 0 {
				found = append(found, append(slices.Clone(way[n-1:]), name))
			}
			return
		}
		way = append(way, name)
		at[name] = len(way)
		for _, other := range on[name] {
			visit(other)
		}
		way = way[:len(way)-1]
		at[name] = -1
	}
	for _, name := range names {
		visit(name)
	}
	return found
}

// Of gives names in an order in which none comes before one that it depends on, be it
// through others that are not among them; else they keep their order.
func Of(names []string, on map[string][]string) []string {
	asked, done := make(map[string]bool), make(map[string]bool)
	for _, name := range names {
		asked[name] = true
	}
	out := make([]string, 0, len(names))
	var visit func(string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, other := range on[name] {
			visit(other)
		}
		if asked[name] {
			out = append(out, name)
		}
	}
	for _, name := range names {
		visit(name)
	}
	return out
}

// Reaches tells whether following what names depend on leads from one to another.
func Reaches(on map[string][]string, start, goal string) bool {
	seen := make(map[string]bool)
	var from func(string) bool
	from = func(name string) bool {
		for _, next := range on[name] {
			if next == goal {
				return true
			}
			if !seen[next] {
				seen[next] = true
				if from(next) {
					return true
				}
			}
		}
		return false
	}
	return from(start)
}
