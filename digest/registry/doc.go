// Package registry is a client of registries: the OCI distribution protocol, with
// what real registries ask of whoever speaks it.
//
// A [Client] is what all requests go through, and may be shared by everything
// that asks registries. It asks each registry once how to authenticate, requests
// one token for many callers and keeps it for as long as it is valid, and repeats
// what fails for the moment (reset connection, 408, 429, 500, 502, 503, 504), up
// to three times and as Retry-After says.
//
// A [Repository] has the requests: [Repository.Head] and [Repository.Manifest],
// blobs, referrers and tags to be read, uploads and manifests to be written. What
// is read by its digest is compared with it. An error that is [ErrNotFound] is the
// registry's definite no; from any other nothing follows about what was asked for.
//
// Credentials come from package credentials. A [Config], in the form of
// registries.conf, has mirrors and blocked registries. With [Client.Cached]
// content that is on this disk already is not asked for again.
//
// # Trust
//
// Registries on loopback addresses, "localhost:port", "*.localhost" and private
// (RFC 1918) addresses may be asked over plain HTTP when HTTPS fails; all others
// over HTTPS only. Where a registry points to, by a redirect or as its token
// server, is checked when it is connected to: no link-local address or metadata
// service, and no private one unless the registry is on one itself.
package registry
