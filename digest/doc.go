// Package digest answers one question: which manifest does this image
// reference stand for now? The packages below it hold what the question needs
// when it is asked for thousands of images on real registries: the client of
// registries, images on disk, lock files, the choice of the newest tag, copying.
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
// one for a whole run. It also lists tags and platforms, and tells when an image
// was built. [ResolveLayout] is the same question about an image in files.
//
// Requests go through a [registry.Client], which may be shared with whatever else
// asks registries, and has credentials, mirrors and limits. An answer costs one
// HEAD.
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
//
// A caller that gates a promotion must not take the second for the first. The
// packages lock and imagecopy have a kind more each. Messages are one line, with
// no credentials in them.
//
// # Trust
//
// A registry is believed when it names the digest of a tag: there is nothing
// to check that against. When it is asked for a digest, an answer that names
// another one is an error, and what is read must hash to its digest.
package digest
