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
// A [Transport] carries the requests, and others may use it as well. N images in
// R repositories of a registry cost one greeting, N HEAD requests and at most R
// requests for tokens: one per 50 repositories where the registry's token server
// grants many at once. Use one Transport, or one Resolver, for a whole run: it
// keeps connections, tokens and credentials. Both are safe for concurrent use.
// [Resolver.ResolveAll] asks many references at a time.
//
// Credentials come from a [Keychain]: what Docker and Podman have stored, and
// Kubernetes pull secrets. Mirrors and blocked registries come from a
// containers registries configuration, see [ParseRegistries].
//
// A request that fails for the moment is repeated, see [Transport].
//
// [Resolver.Platforms] and its kin tell which platforms an image is for, and
// [Resolver.Referrers] what is attached to it.
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
// another one is an error; a manifest that is fetched must hash to its digest. A
// mirror is believed about tags no less than its registry, unless the
// configuration sets it to digest-only.
//
// What a registry points to, by redirects or as its token server, is reached
// only where [Transport] allows it. Registries on loopback addresses,
// "localhost:port", "*.localhost" and private (RFC 1918) addresses may be asked
// over plain HTTP when HTTPS fails, and others only where the registries
// configuration calls them insecure.
package digest
