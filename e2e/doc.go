// Package e2e tests kubectl-promote against the programs that its users have
// beside it: a registry, cosign, crane, kustomize, kubectl and git. Nothing is
// imitated, and nothing leaves the loopback interface.
//
// The tests build what they need into the folder bin; see README.md.
package e2e
