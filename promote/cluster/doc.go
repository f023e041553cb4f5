// Package cluster tells how services are where they run: whether what Kubernetes, Argo CD
// and Flux say of their objects means healthy, on its way, or failed, since when, and
// whether the pods run the images in question.
//
// [Clusters.Health] answers with yes, no, not yet, or that it cannot be told; a cluster
// that is not reached or does not let its objects be read is never taken for a yes. The
// rules are in the manner of kstatus, and stricter: an object without a status, a Job that
// runs, a roll-out that stops at a partition are not healthy, and a kind that says nothing
// that is understood is unknown.
//
// Clusters are those of the user's kubeconfig, by its contexts, with the rules of kubectl:
// KUBECONFIG, plugins for credentials, and the account of the pod where there is no
// kubeconfig. What health asks is get and list alone; see docs/gates.md for the least that a
// role must allow. Answers are bounded, and credentials stand in no message.
//
// [Clusters.Drift] compares the objects that Git has with the live ones, as the API server
// itself would apply them, and tells who has set what differs. Nothing is written: that is a
// dry run, for which a role must allow get and patch; see docs/rendered.md.
package cluster
