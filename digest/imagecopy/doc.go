// Package imagecopy copies images between registries, and from files to
// registries, byte for byte: the digest stays.
//
// With an image or an index goes all that belongs to it: signatures, attestations,
// SBOMs and other referrers. [Copier.Copy] sends what the destination lacks and
// has a registry take over by itself what it has in another repository. The tag is
// set last, so that a copy that was broken off has changed nothing that anybody
// sees, and can be repeated.
//
// Errors are [*digest.Error] values; what the destination did not take is of the
// kind [ErrNotWritten].
package imagecopy
