// Package discovery finds out from the files of an infrastructure repository where its
// services and environments are, by the pins that overlay finds in them.
//
// A path element, or a part of a file's name, that names an environment is replaced by
// a hole. Paths that are then the same are one service in several environments. Services
// whose paths differ in one place are of one shape, and a shape counts as much as there
// are pins in it which two environments have: folders with telling names and no pins
// count nothing.
package discovery
