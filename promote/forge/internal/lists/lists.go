// Package lists sorts out lists of names, and keeps the last word of each.
package lists

import (
	"path"
	"slices"
	"strings"
)

// PeopleAndTeams splits ORG/TEAM from names of users.
func PeopleAndTeams(reviewers []string) (people, teams []string) {
	people, teams = []string{}, []string{}
	for _, name := range reviewers {
		if strings.Contains(name, "/") {
			teams = append(teams, path.Base(name))
		} else {
			people = append(people, name)
		}
	}
	return people, teams
}

// Names drops empty names and those that stand twice.
func Names(list []string, people bool) []string {
	var kept []string
	for _, name := range list {
		name = strings.TrimSpace(name)
		if people {
			name = Bare(name)
		}
		if name != "" && !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// Last keeps the last entry of each name, in the order in which the names came first.
func Last[T any](all []T, name func(T) string, newer func(a, b T) bool) []T {
	at := make(map[string]int)
	var kept []T
	for _, one := range all {
		if i, ok := at[name(one)]; !ok {
			at[name(one)] = len(kept)
			kept = append(kept, one)
		} else if newer(one, kept[i]) {
			kept[i] = one
		}
	}
	return kept
}

// Bare takes the @ off a name.
func Bare(name string) string { return strings.TrimPrefix(strings.TrimSpace(name), "@") }
