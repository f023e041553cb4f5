// Package render gives the Kubernetes objects that a repository stands for: what kustomize
// build would write of a directory, or what a directory of YAML has, of a commit or with
// bytes laid over it that are not written yet.
//
// [Renderer.Dir] renders a directory of a tree. Kustomize itself does it, in process, on a
// file system that has the tree and nothing else: no base is fetched, no program is run,
// and no path leads out. What would need that is an error, not left out. Each object knows
// the file and line that it comes from, and each of its fields as far as patches, images
// and generators tell.
//
// [Services] renders services by the layout of a pipeline, for the gates of package
// promote/gate.
package render
