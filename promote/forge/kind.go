package forge

import "github.com/kubepromote/kubepromote/internal/spelling"

// Kind is a kind of forge, as deliver.forge of a pipeline file names it.
type Kind string

// The kinds.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
	// Gitea is Forgejo as well.
	Gitea Kind = "gitea"
	// Bitbucket is Bitbucket Cloud.
	Bitbucket Kind = "bitbucket"
	// BitbucketServer is Bitbucket Data Center.
	BitbucketServer Kind = "bitbucket-server"
	// Azure is Azure DevOps, in the cloud or on a server of one's own.
	Azure Kind = "azure"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{GitHub, GitLab, Gitea, Bitbucket, BitbucketServer, Azure} }

// ParseKind reads a kind. "" is "" and no error: it is then told by the host.
func ParseKind(s string) (Kind, error) {
	names := make([]string, 0, len(Kinds()))
	for _, k := range Kinds() {
		if string(k) == s {
			return k, nil
		}
		names = append(names, string(k))
	}
	if s == "" {
		return "", nil
	}
	return "", &Error{Msg: "no kind of forge is called " + quote(s), Hint: spelling.Meant(s, names)}
}

// Unsupported gives an [ErrUnsupported] where a forge of this kind does not have
// what is asked for, so that it can be told before anything is done; m may be the
// zero value.
func (k Kind) Unsupported(o OpenRequest, m MergeRequest) error {
	bitbucket := k == Bitbucket || k == BitbucketServer
	switch {
	case bitbucket && len(o.Labels) > 0:
		return k.lacks("has no labels on pull requests", "leave out labels")
	case k == Bitbucket && m.AutoMerge:
		return k.lacks("cannot be told to merge later", "leave out autoMerge")
	case k == GitLab && (m.Method == MethodRebase || m.Method == MethodFastForward):
		return k.lacks("has the merge method "+string(m.Method)+" as a setting of the project", "set it there, and leave out the method")
	case k == GitHub && m.Method == MethodFastForward:
		return k.lacks("does not merge by fast-forward", "the method rebase comes nearest")
	case m.Method != "" && m.Method != MethodMerge && m.Method != MethodSquash && m.Method != MethodRebase && m.Method != MethodFastForward:
		return k.lacks("does not know the merge method "+quote(string(m.Method)), "merge, squash, rebase or fastForward")
	}
	return nil
}

func (k Kind) lacks(what, hint string) error {
	return &Error{Msg: k.String() + " " + what, Hint: hint, Err: ErrUnsupported}
}

// String is the kind's name as people write it.
func (k Kind) String() string {
	switch k {
	case GitHub:
		return "GitHub"
	case GitLab:
		return "GitLab"
	case Gitea:
		return "Gitea"
	case Bitbucket:
		return "Bitbucket Cloud"
	case BitbucketServer:
		return "Bitbucket Data Center"
	case Azure:
		return "Azure DevOps"
	}
	return string(k)
}

// BodyLimit is the most bytes that the body of a pull request may have: what the
// forge takes, less some room for what it may add. GitHub counts characters, and takes
// 65,536 of them; GitLab 1,048,576; Bitbucket Data Center 32,768; Azure DevOps 4,000. Gitea and Bitbucket Cloud
// name no limit, and get that of GitHub.
func (k Kind) BodyLimit() int {
	switch k {
	case GitLab:
		return 1_000_000
	case BitbucketServer:
		return 32_000
	case Azure:
		return 4_000
	}
	return 65_000
}
