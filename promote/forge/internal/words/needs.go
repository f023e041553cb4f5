package words

import "cmp"

// Need is what a token must be good for.
type Need int

// The needs.
const (
	NeedRead Need = iota
	NeedWrite
	NeedMerge
	NeedStatus
	NeedTeam
	NeedCommit
	NeedDeploy
)

// Needs says what a token must be good for, in the words of the pages of a kind of forge.
func Needs(kind string, n Need) string {
	return "the token needs " + cmp.Or(rights(kind)[n], "rights for this, which it has not")
}

// rights are those of a kind of forge, of what this project does there.
func rights(kind string) map[Need]string {
	switch kind {
	case "github":
		return map[Need]string{
			NeedRead:   "the permission pull requests: read (or the scope repo)",
			NeedWrite:  "the permission pull requests: write (or the scope repo)",
			NeedMerge:  "the permissions contents: write and pull requests: write (or the scope repo)",
			NeedStatus: "the permission commit statuses: write (or the scope repo:status)",
			NeedTeam:   "the permission members: read of the organization (or the scope read:org)",
			NeedCommit: "the permission contents: write (or the scope repo)",
			NeedDeploy: "the permission deployments: write (or the scope repo_deployment)",
		}
	case "gitlab":
		return map[Need]string{
			NeedRead:   "the scope read_api or api",
			NeedWrite:  "the scope api and the role Developer",
			NeedMerge:  "the scope api, and a role that may merge into this branch",
			NeedStatus: "the scope api and the role Developer",
			NeedTeam:   "the scope read_api or api",
			NeedCommit: "the scope api and the role Developer",
			NeedDeploy: "the scope api and the role Developer",
		}
	case "gitea":
		return map[Need]string{
			NeedRead:   "the scope read:repository",
			NeedWrite:  "the scopes write:repository and write:issue",
			NeedMerge:  "the scope write:repository, and its user the right to merge into this branch",
			NeedStatus: "the scope write:repository",
			NeedTeam:   "the scope read:organization",
			NeedCommit: "the scope write:repository",
		}
	case "bitbucket":
		return map[Need]string{
			NeedRead:   "the scope pullrequest",
			NeedWrite:  "the scope pullrequest:write",
			NeedMerge:  "the scopes pullrequest:write and repository:write",
			NeedStatus: "the scope repository",
		}
	case "bitbucket-server":
		return map[Need]string{
			NeedRead:   "repository read",
			NeedWrite:  "repository write",
			NeedMerge:  "repository write",
			NeedStatus: "repository read",
		}
	}
	return map[Need]string{
		NeedRead:   "the scope Code (read)",
		NeedWrite:  "the scope Code (read & write)",
		NeedMerge:  "the scope Code (read & write)",
		NeedStatus: "the scope Code (status)",
		NeedTeam:   "the scope Project and Team (read)",
	}
}
