// Package tags chooses the newest of the tags of a repository, by a rule.
//
// A [Selector] orders tags by semantic version, number, text, or the time at which
// images were built, also by a part that a regular expression finds.
// [ParseSelector] has the grammar, "semver:>=1.0 <2". Every choice says why it is
// that one and what was left out; see [Selection].
//
// [Selector.Select] takes a list of tags and no network. [Newest] lists those of a
// repository and asks what the chosen one stands for. What is wrong with a rule is
// a [*SelectorError] with its place.
package tags
