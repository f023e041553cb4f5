// Package overlay reads and edits the image pins in the files of a GitOps
// repository, and changes no byte that need not change.
//
// An overlay is the set of files that says how one service runs in one
// environment. Somewhere in them stands a pin: which tag and which digest of an
// image the environment gets. Moving an image from one environment to the next
// means writing one overlay's pin into another's.
//
// [Parse] turns a file's bytes into a [File], which lists its pins, each a [Pin]
// with its position. [File.Set] takes [Change] values and gives an [Edit]: the
// new bytes, what changed where, and a diff. [File.Edit] sets other scalars by
// their paths too. The package does no I/O and knows no network: bytes in, bytes
// out.
//
// The edit is made on the text: comments, blank lines, order, indentation,
// quotes, line endings and a missing final newline stay as they are. After
// every edit the new text is parsed again and compared with the old one. If
// anything but the intended values differs, the edit is refused with an error;
// see [Error] for its form.
//
// Formats are told by content: kustomizations, plain manifests of any kind, Helm
// values and charts, Argo CD's Applications and ApplicationSets, Flux's objects
// and its $imagepolicy markers; lines of KEY=VALUE, and files of one line. In any
// file of these a scalar can be set by its path.
package overlay
