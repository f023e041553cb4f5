// Package mergeplan is a merge of an environment's branch as data: what it brings beside the
// services, what it cannot decide, and what the two branches do not have in common. Package
// promote has it in its plans, package promote/merging finds it out, and it is shown as it is.
package mergeplan

// Plan is how the branch of an environment moves by a merge.
type Plan struct {
	// How is commit, fast-forward, paths, which is a commit with a part of the merge, or
	// revert; or tag, where nothing is merged and the commit gets a tag.
	How string `json:"how"`
	// From is what is merged: a branch, and its commit. Of a revert it is the commit that is
	// taken back.
	From   string `json:"from,omitempty"`
	Commit string `json:"commit"`
	// Tag is the environment's, which is made of the commit, or is there already.
	Tag string `json:"tag,omitempty"`
	// Base is the commit from which both have come.
	Base string `json:"base,omitempty"`
	// Beside are files that come with it and are of no service, at most 100.
	Beside    []string   `json:"beside,omitempty"`
	Conflicts []Conflict `json:"conflicts,omitempty"`
	// Drift is what the target has that the source lacks.
	Drift *Drift `json:"drift,omitempty"`
}

// Conflict is what a merge cannot decide about a file.
type Conflict struct {
	File string `json:"file"`
	// Why is what git says of it.
	Why string `json:"why"`
	// Hunks are the parts of the file that both sides have changed, at most 20.
	Hunks []Hunk `json:"hunks,omitempty"`
}

// Hunk is a part of a file that two sides have changed differently.
type Hunk struct {
	// Line is where it begins in the target's file.
	Line   int    `json:"line"`
	Ours   string `json:"ours"`
	Theirs string `json:"theirs"`
}

// Drift is what a branch has that another lacks.
type Drift struct {
	// Commits are how many commits there are beside merges, Subjects the newest of them.
	Commits  int      `json:"commits"`
	Subjects []string `json:"subjects,omitempty"`
	// Files are those that the branch has otherwise than where the two have parted, and More
	// is how many there are beside.
	Files []string `json:"files,omitempty"`
	More  int      `json:"moreFiles,omitempty"`
}
