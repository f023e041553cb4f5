// Package gate makes the gates that a pipeline file asks for, as promote wants them: a
// time without freeze, a time that images have soaked, their health where they run, the
// answer of a server, a metric,
// a command, a person.
//
// [Of] gives those of an environment, [New] makes one. Each says pass or fail only where
// it knows; wait where it will pass by itself or by somebody's doing, with the moment
// where that is known; and unknown where it could not be told. What comes from a server
// or a command is bounded, and secrets stand in no message.
package gate
