// Package verify decides whether container images are signed by the people a
// policy names.
//
// # The domain
//
// A container image lives in a registry under a repository name and is
// identified by a digest: the SHA-256 of its manifest. A digest says which
// bytes are meant. It does not say who made them. That is what a signature is
// for: somebody who holds a private key signs a short text that contains the
// digest, and puts the signature into the registry beside the image. Whoever
// holds the matching public key can check it, and needs no trust in the
// registry for that.
//
// Signatures are found beside an image in two places.
//
//   - The signature tag. The older form of cosign: a tag derived from the
//     digest, sha256-<hex>.sig, names a manifest whose every layer is one signed
//     text. The signature itself is an annotation of that layer. Attestations
//     are kept in the same way under sha256-<hex>.att.
//   - Bundles. The newer form: a manifest that names the image as its subject
//     (a referrer, in the terms of OCI) and whose only layer is a Sigstore
//     bundle. Registries list referrers by digest; those that do not know the
//     request keep the list under the tag sha256-<hex>.
//
// Everybody who may write to the repository may put things in both places. So
// whatever is read from there is material to be judged and nothing more: the
// key comes from the policy, never from the artifact, every size and number
// has a limit, and a certificate or log entry that comes along with a key
// signature counts for nothing unless the policy asks for it. Both forms go
// through the same checks, as what cosign keeps in annotations is what a bundle
// holds.
//
// # The policy
//
// A [Policy] is a small YAML file with rules. A rule says for which repositories
// it holds and which authorities count there. An authority is a name and a key,
// several keys, an identity in certificates of a trusted Sigstore instance
// (keyless), or a certificate of an own authority. Every rule that matches an
// image must be met, and a rule is met when one of its authorities has signed;
// require asks for all of them, or for a number of distinct signers.
//
//	apiVersion: kubepromote.dev/v1alpha1
//	kind: VerificationPolicy
//	spec:
//	  unmatched: reject
//	  trustedRoot: {publicGood: true}
//	  rules:
//	    - images: ["registry.example.com/shop/**"]
//	      authorities:
//	        - name: release
//	          key: {file: cosign.pub}
//	    - images: ["registry.example.com/shop/**"]
//	      authorities:
//	        - name: builder
//	          keyless:
//	            issuer: https://token.actions.githubusercontent.com
//	            subjectRegexp: https://github.com/example/shop/\.github/workflows/build\.yaml@.*
//	          attestations:
//	            - predicateType: slsaprovenance1
//	              cel: predicate.buildDefinition.buildType != ""
//
// An authority with attestations is met by these, in place of a signature. A
// regular expression has to match the whole text. Nothing is taken as proof of a
// time but a transparency log and a timestamp authority of the trusted root; a
// keyless signature needs one of them, and its certificate has to have been valid
// then, with every certificate above it. [PolicySchema] has all fields.
//
// ClusterImagePolicies of Sigstore's policy-controller are read as they are, with
// two differences: regular expressions match whole texts, and what only a cluster
// can know is an error.
//
// In the patterns * stands for any text without a slash and ** for any text.
// A pattern is compared with the whole name of the repository, registry
// included; images of Docker Hub are index.docker.io/library/nginx and so on.
//
// # The three outcomes
//
// A [Verifier] answers [Verified], [Rejected] or [Unknown]. Rejected means that
// everything was read and no signature that counts was there. Unknown means
// that something could not be read which might have held one: the registry
// did not answer, refused, or gave out less than it promised. The difference
// matters to whoever acts on it. Trying again helps with the one and not with
// the other, and neither of them is a reason to go on. A rule in warn mode
// changes no outcome; the [Result] says where only such rules stand in the way.
//
// The package keeps no state outside a Verifier and prints nothing.
package verify
