// Package verify decides whether container images are signed and attested by
// the people a policy names.
//
// # The domain
//
// A container image lives in a registry under a repository name and is
// identified by a digest: the SHA-256 of its manifest. A digest says which
// bytes are meant. It does not say who made them. That is what a signature is
// for: somebody signs a short text that contains the digest, and puts the
// signature into the registry beside the image. Who signed is shown by a public
// key, or by a certificate that was given to an identity for some minutes
// (keyless, in the words of Sigstore). Whoever trusts the key, or the
// certificate authority, needs no trust in the registry.
//
// An attestation is a signed text that says more: a statement of some predicate
// type, such as how the image was built or what a scan has found.
//
// Both are kept beside an image in one of two forms.
//
//   - Tags. The older form of cosign: tags derived from the digest,
//     sha256-<hex>.sig and sha256-<hex>.att, name manifests whose every layer is
//     one signed text. The signature itself is an annotation of that layer.
//   - Bundles. The newer form: a manifest that names the image as its subject
//     (a referrer, in the terms of OCI) and whose only layer is a Sigstore
//     bundle. Registries list referrers by digest; those that do not know the
//     request keep the list under the tag sha256-<hex>.
//
// Everybody who may write to the repository may put things there. So whatever is
// read from there is material to be judged and nothing more: keys,
// identities and roots of trust come from the policy, never from the artifact,
// every size and number has a limit, and a certificate or log entry that comes
// along with a key signature counts for nothing unless the policy asks for it.
//
// # The policy
//
// A [Policy] is a small YAML file with rules, read by [ParsePolicy]. A rule says
// for which repositories it holds and which authorities count there. An
// authority is a name and a key, several keys, an identity, or a certificate
// authority of one's own; it can demand log entries, timestamps, annotations, or
// attestations with conditions in CEL and Rego in place of a signature. Every
// rule that matches an image must be met, by one authority, all of them, or a
// number of distinct signers.
//
//	apiVersion: kubepromote.dev/v1alpha1
//	kind: VerificationPolicy
//	spec:
//	  unmatched: reject
//	  rules:
//	    - images: ["registry.example.com/shop/**"]
//	      authorities:
//	        - name: release
//	          key: {file: cosign.pub}
//
// In the patterns * stands for any text without a slash and ** for any text.
// A pattern is compared with the whole name of the repository, registry
// included; images of Docker Hub are index.docker.io/library/nginx and so on.
// The file schema.json has all fields. ParsePolicy also takes the ClusterImagePolicies
// of Sigstore's policy-controller as they are, with two differences: regular
// expressions match whole texts, and what only a cluster can know is an error.
//
// What is wrong with a file is a [*PolicyError] with its place. Nothing is
// fetched: a policy that needs logs, timestamps or identities names a trusted
// root, a file or the one in the program ([PublicGoodRoot]). Nothing but its logs
// and timestamp authorities is proof of a time. A keyless signature needs such a
// time, and its certificate and every one above it must have been valid then.
//
// # The three outcomes
//
// A [Verifier] answers [Verified], [Rejected] or [Unknown]. Rejected means that
// everything was read and no signature that counts was there. Unknown means
// that something could not be read which might have held one: the registry
// did not answer, refused, or gave out less than it promised. The difference
// matters to whoever acts on it. Trying again helps with the one and not with
// the other, and neither of them is a reason to go on. Where a rule only warns,
// the outcome stays what it is, and [Result] says so beside it.
//
// A Result of a verified image has [Evidence]: who signed, when, which log
// entry, which key, and which bytes. [VerifyBundle] judges one bundle over one
// artifact that are both at hand. Images in OCI layouts are "oci:DIR".
//
// Package attest makes verification summaries and approvals, signs them and
// stores them. [Policy.Promoted] turns a policy into one that demands such a
// summary for an environment, and [Policy.For] says for which environment the
// approvals have to be that a policy asks for.
//
// The package keeps no state outside its types and prints nothing.
package verify
