// Package runbook writes the process of a pipeline as Markdown for the people who follow it:
// which environments there are and in which order, what is asked before anything comes to
// one, who may say yes, what to type, and how to take it back.
//
// It knows the pipeline file and nothing else: the same file gives the same bytes, so that a
// runbook that stands in a repository can be held against it. What the file says in words of
// its own stands in code spans, and cannot be Markdown.
package runbook
