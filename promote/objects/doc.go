// Package objects compares Kubernetes objects as they would be applied: field by field,
// with the elements of lists told apart as Kubernetes does it.
//
// [Compare] pairs the objects of two sets and gives what differs in each pair, [Allowed]
// is a list of patterns for paths of fields that may differ, and [Write] shows
// differences to people. The values of Secrets are masked before anybody sees them.
//
// The package knows no Kubernetes client and renders nothing; see promote/render.
package objects
