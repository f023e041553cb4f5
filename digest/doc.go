// Package digest answers one question: which manifest does this image
// reference stand for now? Around it are what the question needs when it is
// asked for thousands of images on real registries: lock files, the choice of
// the newest tag, platforms, credentials, mirrors, images on disk, and copying.
//
// # Tags and digests
//
// An image reference names a repository on a registry and, in it, a manifest:
// by tag ("registry.example.com/shop/cart:v1"), by digest ("…/cart@sha256:…")
// or by both. A tag is a movable label, a digest is the SHA-256 of the
// manifest's bytes and never means anything else. Whoever promotes an image
// between environments therefore moves digests, and needs to know which digest
// a tag stands for at that moment.
//
// A [Resolver] asks registries over the OCI distribution protocol:
//
//	r := digest.NewResolver(digest.Options{})
//	res, err := r.Resolve(ctx, "registry.example.com/shop/cart:v1")
//	// res.Digest is "sha256:…"
//
// [Resolver.ResolveAll] asks many references at a time and tells each answer
// as it comes. A Resolver keeps connections and tokens, but no answers, so use
// one for a whole run. It also lists tags, platforms and referrers.
//
// [ParseReference] is the grammar, without network. It is stricter than
// Docker's: "latest" is never assumed, so a reference has a tag or a digest,
// and only sha256 digests are known. As with Docker, a name without a registry
// means Docker Hub, and one without a slash its "library" namespace.
//
// # Errors
//
// An error about an image is an [*Error]. Its kind is told with [errors.Is]:
//
//   - [ErrNotFound]: the registry says there is no such manifest. A definite no.
//   - [ErrUnknown]: the registry could not be asked, or did not say.
//     Nothing follows from it about the image.
//   - [ErrMalformed]: the reference is outside the grammar, nothing was asked.
//   - [ErrNotLocked]: only a lock file was asked, and it does not say.
//     Nothing follows from it about the image.
//   - [ErrNotWritten]: of a [Copier]; the destination did not take the image.
//
// A caller that gates a promotion must not take the second for the first.
// [ErrNoTag] is what a [Selector] says where it admits none of the tags given;
// [Resolver.Newest] gives it as an ErrNotFound too. What is wrong with a lock
// file is a [*FileError] with its place, and with a rule for tags a
// [*SelectorError]. Messages are one line, with no credentials in them.
//
// # Lock files
//
// A [Lock] is the content of a lock file: which digests references stood for
// when they were last asked about, one image a line, so that Git can merge it.
// A [LockedResolver] answers from it and asks a Resolver for the rest, or
// nobody. [ImagesLock] is the same in the form of kbld.
//
// # The newest tag
//
// A [Selector] chooses among tags: by semantic version, number, text, or time
// of creation, also of a part that a regular expression finds.
// [ParseSelector] has the grammar, "semver:>=1.0 <2", and every choice says
// why it is that one ([Selection]).
//
// # Transport
//
// A [Transport] is what all requests go through, and may be shared by a
// Resolver, a Copier and other clients: it is an [net/http.RoundTripper] that
// logs in by itself. It asks each registry once how to log in, requests one
// token for many callers and keeps it for as long as it is valid, and repeats
// what fails for the moment (reset connection, 408, 429, 500, 502, 503, 504),
// up to three times and as Retry-After says. So an answer costs one HEAD.
//
// Credentials come from a [Keychain]: Docker's and Podman's files and helpers,
// Kubernetes' pull secrets ([ParsePullSecret]), and the helpers of clouds in
// programs that are built with the tags ecr, acr, gcr or ghcr. [Registries] has
// mirrors and blocked registries in the form of registries.conf.
//
// A [Cache] keeps manifests and configurations on disk under their digests, for
// a [CacheTransport]. What a tag stands for is never kept.
//
// # Layouts and archives
//
// "oci:DIR", "oci-archive:FILE" and "docker-archive:FILE" name images on disk;
// see [ParseSource]. [ResolveSource] says which digest they have, [OpenSource]
// opens them.
//
// # Copying
//
// A [Copier] copies an image or an index, with its signatures, attestations
// and all else that refers to it, to another repository. The digest stays. What
// is there already is not sent, and the tag is set last.
//
// # Trust
//
// A registry is believed when it names the digest of a tag: there is nothing
// to check that against. When it is asked for a digest, an answer that names
// another one is an error, and what is read must hash to its digest.
// Registries on loopback addresses, "localhost:port", "*.localhost" and private
// (RFC 1918) addresses may be asked over plain HTTP when HTTPS fails; all others
// over HTTPS only. Where a registry points to, by a redirect or as its token
// server, is checked when it is connected to: no link-local address or metadata
// service, and no private one unless the registry is on one itself.
package digest
