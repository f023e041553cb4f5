// Package promote moves image pins between the environments of a GitOps
// repository.
//
// A [Pipeline] names the environments and where each one's images come from. A
// [Request] asks for services to be promoted; a [Promoter] turns it into a
// [Plan]: what would change, what was found out about each image, and the
// verdicts. A Plan is data without side effects. It is what a dry run prints,
// what the commit message is made of, and what [Promoter.Apply] carries out.
//
// Every tag is resolved to a digest once, and that digest is the one that is
// verified, written and recorded. There are three answers: an image may be
// promoted, may not be, or it cannot be told; the third is never taken for one
// of the others. Nothing is written before the whole plan stands, and several
// services are one commit or none.
//
// What an environment runs is read from its files; how it came there, from the
// first-parent history and the trailers that promotions leave in their commits
// (see package record). There is no other state.
//
// The package talks to Git, registries and verifiers through small interfaces.
// Its sub-packages and the plugins supply them.
package promote
