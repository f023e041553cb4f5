// Package lock reads and writes lock files: which digests image references stood
// for when they were last asked about.
//
// A [Lock] has one image a line, so that Git can merge it, and the digests of its
// platforms beside it. An [ImagesLock] is the same in the form of kbld. A
// [LockedResolver] answers from a lock and asks a [digest.Resolver] for the rest,
// or nobody: that is [ErrNotLocked], from which nothing follows about the image.
//
// What is wrong with a file is a [*FileError] with its place; where several things
// are, they are joined.
package lock
