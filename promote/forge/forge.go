package forge

import "context"

// Forge is the pull requests of one repository on a forge. What is asked of a
// forge that does not have it (labels on Bitbucket) is an [ErrUnsupported]; see
// [Kind.Unsupported] for asking beforehand. All errors are of type [*Error].
type Forge interface {
	// Find gives the open pull requests from a branch of this repository, or of
	// Options.Fork, into one of this, oldest first. Those from other forks are left out,
	// even where the branch has the same name; where no head is named, they are among the
	// rest. None is no error.
	Find(ctx context.Context, f FindRequest) ([]PullRequest, error)
	// Get gives one pull request. This is where Mergeable is looked at.
	Get(ctx context.Context, number int) (*PullRequest, error)
	// Open opens a pull request. It fails with ErrExists where one is open already,
	// and with ErrNoChange where the head has nothing that the base lacks. When the
	// pull request was opened and its labels or reviewers could not be set, both the
	// pull request and the error are given.
	Open(ctx context.Context, o OpenRequest) (*PullRequest, error)
	// Update changes what is given and leaves the rest alone.
	Update(ctx context.Context, number int, u UpdateRequest) (*PullRequest, error)
	// Close closes a pull request without merging it, after a comment where that is
	// not empty. One that is closed already stays so, without another comment; one
	// that is merged is an ErrNotMergeable.
	Close(ctx context.Context, number int, comment string) error
	// Merge merges a pull request if its head is still the commit of m.Head, and
	// otherwise fails with ErrHeadMoved. When the base moves meanwhile it tries again a few
	// times, and then fails with ErrBaseModified. Where the rules of the forge say
	// no, ErrNotMergeable says what is missing. One that is merged already, with that
	// head, is a success. Gitea has the same words for a conflict and for not having
	// looked yet: a conflict is told there when the patience has ended.
	Merge(ctx context.Context, number int, m MergeRequest) (MergeResult, error)
}

// Checks is what others say of pull requests and commits. Each [Forge] of [New]
// has it.
type Checks interface {
	// Reviews gives the last word of each reviewer who has given one.
	Reviews(ctx context.Context, number int) ([]Review, error)
	// Statuses gives the last status of each context for a commit, those of checks
	// and pipelines among them.
	Statuses(ctx context.Context, commit string) ([]Status, error)
	// SetStatus sets the status of a context for a commit.
	SetStatus(ctx context.Context, commit string, s Status) error
	// Carrying gives the pull requests into a branch that are merged and have brought it a
	// commit: their merge, or what they were squashed to. None is no error. Bitbucket Cloud
	// has none where its app of pull request commit links was not installed.
	Carrying(ctx context.Context, commit, base string) ([]PullRequest, error)
}

// Teams is who belongs to a team. Each [Forge] of [New] has it.
type Teams interface {
	// Members gives the users of a team by the names that reviews have: ORG/TEAM on
	// GitHub and Gitea, GROUP/SUBGROUP or GROUP on GitLab with those that it has from the
	// groups around it, PROJECT/TEAM on Azure DevOps. The two Bitbuckets do not tell: that
	// is an ErrUnsupported.
	Members(ctx context.Context, team string) ([]string, error)
}

// Client is all that is known of a repository on a forge.
type Client interface {
	Forge
	Checks
	Teams
}

// FindRequest names two branches of one repository, or a head of Options.Fork, without refs/heads/. One of them may
// be empty: any.
type FindRequest struct {
	Head string
	Base string
}

// any tells that no head is named.
func (f FindRequest) any() bool { return f.Head == "" }

// OpenRequest is what a pull request is opened with.
type OpenRequest struct {
	// Head and Base are branches of this repository, or Head of Options.Fork, without refs/heads/.
	Head, Base string
	// Title is cut where it is longer than the forge takes, and Body is cut at the
	// end of a line, with a note; see [Kind.BodyLimit].
	Title, Body string
	// Labels are names. A label that the repository does not have yet is made.
	Labels []string
	// Reviewers are names of users as the forge has them. A team is ORG/TEAM on
	// GitHub and Gitea. Bitbucket Cloud knows its users only by "{uuid}" or account id,
	// Azure DevOps by id or e-mail address. A leading @ is left out. The pull
	// request's own author is passed over where the forge does not allow that.
	Reviewers []string
	Draft     bool
}

// UpdateRequest changes a pull request.
type UpdateRequest struct {
	// Title and Body stay where nil.
	Title, Body *string
	// Labels and Reviewers are added to those that are there.
	Labels    []string
	Reviewers []string
}

// Method is how a pull request is merged.
type Method string

// The methods. GitLab has MethodRebase and MethodFastForward as settings of the
// project only, GitHub has no MethodFastForward.
const (
	// MethodDefault is a merge commit, or what the project is set to where a forge
	// has such a setting.
	MethodDefault     Method = ""
	MethodMerge       Method = "merge"
	MethodSquash      Method = "squash"
	MethodRebase      Method = "rebase"
	MethodFastForward Method = "fastForward"
)

// MergeRequest says what to merge and how.
type MergeRequest struct {
	// Head is the commit that was looked at: 40 or 64 hexadecimal digits. GitHub,
	// GitLab, Gitea and Azure DevOps compare it themselves. On the two Bitbuckets it is
	// compared just before, and on Cloud once more after the merge.
	Head string
	// Method is how.
	Method Method
	// Title and Message are those of the commit, where the method makes one and they
	// are not empty; on forges with one field for both they are joined.
	Title, Message string
	// AutoMerge leaves it to the forge to merge as soon as its rules allow, at once
	// if they do so now. On GitHub this enters the merge queue where there is one. Head
	// is compared when it is set; what is pushed later is for the forge's rules to judge.
	AutoMerge bool
}

// MergeResult is what became of a merge.
type MergeResult struct {
	// Merged tells that it is merged. If not, the forge will do it (AutoMerge).
	Merged bool
	// Commit is the commit on the base branch, where the forge says so.
	Commit string
	// Tries is how often the merge was asked for: more than once when the base moved.
	Tries int
}

// State is what became of a pull request.
type State string

// The states.
const (
	StateOpen   State = "open"
	StateMerged State = "merged"
	StateClosed State = "closed"
)

// Answer is yes, no or unknown.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// PullRequest is a pull request as the forge has it.
type PullRequest struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	// Title is without the words that make a draft of it on GitLab and Gitea.
	Title string `json:"title"`
	Body  string `json:"body"`
	Head  string `json:"head"`
	// HeadCommit is the head's commit. Bitbucket Cloud gives its first 12 digits.
	HeadCommit string   `json:"headCommit"`
	Base       string   `json:"base"`
	Author     string   `json:"author"`
	Labels     []string `json:"labels,omitempty"`
	Draft      bool     `json:"draft"`
	State      State    `json:"state"`
	// Mergeable tells whether the two branches merge without conflict, as far as the
	// forge has found out: unknown for some seconds after a push, and on Bitbucket
	// Cloud always. It says nothing of reviews and statuses.
	Mergeable Answer `json:"mergeable"`
	// MergeCommit is the commit on the base branch of one that is merged, where known.
	MergeCommit string `json:"mergeCommit,omitempty"`
	// Into is the repository that it is for, as OWNER/NAME, where the forge says so.
	Into string `json:"-"`
}
