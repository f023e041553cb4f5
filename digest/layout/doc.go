// Package layout reads images from files in place of a registry: OCI image layouts
// in a directory or a tar archive, and the archives of "docker save".
//
// A reference says which image is meant, as skopeo spells it: "oci:DIR",
// "oci:DIR:NAME", "oci-archive:FILE:NAME", "docker-archive:FILE:REFERENCE"; see
// [ParseRef]. It means the same to everything that takes one. [Open] finds the
// image. An [Image] has its manifest, its blobs, and what is attached to it:
// referrers, and signatures under cosign's names.
//
// Files are not trusted: manifests must have the digest that leads to them, and
// no link leads out of a layout. An error is an [*Error] of one of three kinds.
package layout
