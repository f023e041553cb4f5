// Package discover makes the pipeline of a repository that has no pipeline file: the files and
// folders that bear names of environments, and whose pins stand in at least two of them.
// [Write] gives it as a file, for people to go on from.
package discover
