// Package kubectl is the command line: kubectl promote and its subcommands.
//
// [Run] takes arguments and streams and returns an exit status. Each subcommand
// has a package of its own below this one that turns flags into a request, calls the
// libraries and prints the result; package cli has what they share. What is data
// goes to the standard output, what is for a person to know to the standard error.
package kubectl
