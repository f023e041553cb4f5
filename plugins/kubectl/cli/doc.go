// Package cli holds what the subcommands of kubectl promote share: the session of
// one command line with its streams and global flags, the printers behind -o, errors
// with their exit status and hint, progress, the files named by -k and -f, the way
// to registries, and completion.
//
// A [Session] is made for each command line and given to every subcommand. A
// subcommand has a package of its own beside this one, named after it with "cmd"
// behind: statuscmd, setcmd. So no name collides with that of the library which does
// the work, such as promote or verify. Its New takes the session and gives the
// [cobra.Command]; its unexported options hold what flags have said, and their run
// checks it, calls the libraries and prints the answer. Subcommands do not import one
// another; what two of them need stands here.
//
// It is a part of one program, not a library: it changes with the commands.
package cli
