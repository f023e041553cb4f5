// Package kustomize holds the KRM functions of kubepromote: programs that get
// Kubernetes objects and give them back changed, or say what is wrong with them.
//
// # The functions
//
// All of them are kinds of the group kubepromote.dev/v1alpha1, in one program:
//
//   - PinImages, a transformer: tags become digests, from another environment's
//     overlay, a lock file or, where that is asked for, the registry.
//   - SetImages, a transformer: images by name, with the meaning of a
//     kustomization's field images, in all pod specs there are.
//   - VerifyImages, a validator: every image is pinned by digest and, where a
//     policy is named, signed as the policy demands.
//   - PromotionGuard, a validator: every digest stands in the environment before
//     this one.
//   - ImageInventory: adds a ConfigMap that says what runs at which digest.
//
// Images are found wherever an object has a list of containers, initContainers
// or ephemeralContainers, or an image volume: in Pods, Deployments, Jobs,
// CronJobs and any other kind, lists of objects included. Images elsewhere, such
// as in a field of a custom resource, are named by paths in spec.fields, in the
// form that kubectl promote set --value takes.
//
// # The hosts
//
// [Run] is the program promote-fn. It does as its host expects: a ResourceList on
// the standard input for kustomize and kpt, as a program or in a container; plain
// objects and a file with the configuration for kustomize's older plugins; files
// by name for a person. [Host.Processor] is the same without a program around it.
//
// Files that a configuration names are looked for from the directory of the
// kustomization, and never outside of the repository: the nearest directory
// upwards that has .git or promotion.yaml. Where there is none, nothing above the
// directory itself can be read, unless a root is given.
//
// # Results
//
// There are three answers about an image: yes, no, and unknown, which means that
// it could not be found out, because a registry is down or a lock file knows
// nothing. No and unknown are both errors, lest an image gets through because
// nobody could tell; the tag "answer" of a result tells them apart, and so does
// the exit status, 3 and 5. Every error is a result with the object, the field
// and the file it is about, and a line for a person.
package kustomize
