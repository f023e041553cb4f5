// Package digest answers one question: which manifest does this image
// reference stand for now?
//
// An image reference names a repository on a registry and, in it, a manifest:
// by tag ("registry.example.com/shop/cart:v1"), by digest ("…/cart@sha256:…")
// or by both. A tag is a movable label, a digest is the SHA-256 of the
// manifest's bytes and never means anything else. Whoever promotes an image
// between environments therefore moves digests, and needs to know which digest
// a tag stands for at that moment.
//
// A [Resolver] asks registries over the OCI distribution protocol, with the
// credentials Docker has stored:
//
//	r := digest.NewResolver(digest.Options{})
//	res, err := r.Resolve(ctx, "registry.example.com/shop/cart:v1")
//	// res.Digest is "sha256:…"
//
// An answer costs one HEAD request once a repository's credentials have been
// exchanged; a Resolver keeps connections and tokens, so use one for a whole
// run. It is safe for concurrent use. [Resolver.ResolveAll] asks many
// references at a time.
//
// A request that fails for the moment (reset connection, 408, 429, 500, 502,
// 503, 504) is sent up to three times, after 0.1 s and 0.3 s or what
// Retry-After asks for, as long as that ends before the context does.
//
// # Errors
//
// Every error is an [*Error] of one of three kinds, told apart with [errors.Is]:
//
//   - [ErrNotFound]: the registry says there is no such manifest. A definite no.
//   - [ErrUnknown]: the registry could not be asked, or did not say.
//     Nothing follows from it about the image.
//   - [ErrMalformed]: the reference is outside the grammar, nothing was asked.
//
// A caller that gates a promotion must not take the second for the first.
//
// # References
//
// [ParseReference] is the grammar, without network. It is stricter than
// Docker's: "latest" is never assumed, so a reference has a tag or a digest,
// and only sha256 digests are known. As with Docker, a name without a registry
// means Docker Hub, and one without a slash its "library" namespace.
//
// # Trust
//
// A registry is believed when it names the digest of a tag: there is nothing
// to check that against. When it is asked for a digest, an answer that names
// another one is an error. Registries on loopback addresses, "localhost:port",
// "*.localhost" and private (RFC 1918) addresses may be asked over plain HTTP
// when HTTPS fails; all others over HTTPS only.
package digest
