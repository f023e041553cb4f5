// Package files replaces files of a directory, all of them or none, so that a
// crash or another program's save loses nothing.
//
// A change goes through four steps. [Begin] waits until no other run writes
// below the directory, and looks at all files: each has to exist, as a regular
// file that can be replaced, with the bytes that the caller expects.
// [Change.Prepare] puts all new contents into temporary files next to their
// targets and makes them durable. [Change.Replace] renames them one after the
// other. [Change.Sync] makes the renames durable. [Write] does all of it.
//
// Each file is therefore old or new, never half. When the machine stops between
// two renames, some files are new and some are old; the same call again replaces
// the rest, and uses and removes the same temporary files.
//
// What somebody else saves meanwhile is not overwritten. All files are compared
// again before the first is replaced, and each when its turn comes. On Linux the
// two files are exchanged, and what comes out of the target's place is compared:
// if it is not what was to be replaced, it goes back.
//
// Everything goes through an [os.Root], so that neither ".." nor a symbolic link
// leads out of the directory.
package files
