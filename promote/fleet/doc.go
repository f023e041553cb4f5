// Package fleet reads the file that lists repositories with a pipeline each, so that one
// command can be about all of them: its own, with a place for each fault, and no other's
// rules. What a repository's pipeline says stays in that repository.
package fleet
