// Package syntax edits YAML text by position.
//
// A [Source] is a file's bytes together with the syntax trees of its documents.
// An [Edit] collects changes as splices of those bytes and, beside them, what
// the trees have to look like afterwards. [Edit.Apply] makes the splices,
// parses the result again and compares: unless exactly the intended nodes
// differ, nothing is returned but an error. Bytes outside the splices are never
// touched, so comments, blank lines, indentation, quotes and line endings stay.
//
// The parser is go.yaml.in/yaml/v3, the one that kustomize uses. It tells where
// a scalar starts but not where it ends; scalar.go finds the ends.
package syntax
