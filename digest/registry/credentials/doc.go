// Package credentials finds the credentials for a repository of a registry, where
// their owner has put them: the files and helpers of Docker and Podman, the pull
// secrets of Kubernetes, and the helpers of clouds in programs that are built with
// the tags ecr, acr, gcr or ghcr.
//
// A [Keychain] asks these in a fixed order, each once, and tells where the
// credentials in use are from, never what they are. It is a keychain of
// go-containerregistry too.
package credentials
