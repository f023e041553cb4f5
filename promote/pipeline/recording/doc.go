// Package recording is what a pipeline file says of what is kept and told of promotions beside
// their commits: files of versions, events and those who are told of them, and where the
// secrets for that come from. Package pipeline reads it.
package recording
