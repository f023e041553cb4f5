package pipeline

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote/internal/gitname"
)

// Deliver says how a promotion is carried out.
type Deliver struct {
	// Mode is worktree (the default), commit, push or pullRequest.
	Mode DeliverMode `yaml:"mode" json:"mode,omitempty"`
	// Remote is the name of the remote that is pushed to; by default the one that the
	// branch at hand follows, or origin.
	Remote string `yaml:"remote" json:"remote,omitempty"`
	// Forge is the kind of forge that pull requests are opened on, that makes commits, shows
	// deployments or is asked by gates (approvals, commitStatus): github, gitlab, gitea, bitbucket, bitbucket-server or azure, for hosts that do not tell.
	Forge string `yaml:"forge" json:"forge,omitempty"`
	// URL is the forge's, where it is not that of the remote.
	URL string `yaml:"url" json:"url,omitempty"`
	// Labels and Reviewers are those of pull requests. A reviewer is a user as the forge
	// names them, or codeowners: whom the file CODEOWNERS names for what is changed.
	Labels    []string `yaml:"labels" json:"labels,omitempty"`
	Reviewers []string `yaml:"reviewers" json:"reviewers,omitempty"`
	// Draft has pull requests opened as drafts.
	Draft bool `yaml:"draft" json:"draft,omitempty"`
	// AutoMerge is whenGreen where the forge is to merge by itself, once it may; by default
	// a person merges.
	AutoMerge string `yaml:"autoMerge" json:"autoMerge,omitempty"`
	// Fork is a repository of the same forge that the branches of pull requests are pushed
	// to, in place of the one that they are merged into: a URL, or the name of a remote.
	Fork string `yaml:"fork" json:"fork,omitempty"`
	// Commits is api where the forge makes the commits, so that it can show them as
	// verified: GitHub, GitLab and Gitea do. By default git makes them.
	Commits string `yaml:"commits" json:"commits,omitempty"`
}

// CommitsByAPI is the one value of Deliver.Commits.
const CommitsByAPI = "api"

// ByForge tells whether the forge makes the commits of a delivery.
func (d Deliver) ByForge(mode DeliverMode) bool { return mode.Shared() && d.Commits == CommitsByAPI }

// forges are the kinds of forges, as promote/forge has them.
var forges = []string{"github", "gitlab", "gitea", "bitbucket", "bitbucket-server", "azure"}

// WhenGreen is the one value of Deliver.AutoMerge.
const WhenGreen = "whenGreen"

// CodeOwners stands among Deliver.Reviewers for those whom a file CODEOWNERS names.
const CodeOwners = "codeowners"

// DeliverMode is how far a promotion goes.
type DeliverMode string

// The delivery modes: edit the files and leave them, commit them too, push the commit to
// the branch that others have, or propose it there by a pull request.
const (
	DeliverWorktree    DeliverMode = "worktree"
	DeliverCommit      DeliverMode = "commit"
	DeliverPush        DeliverMode = "push"
	DeliverPullRequest DeliverMode = "pullRequest"
)

// DeliverModes are all of them.
func DeliverModes() []string {
	return []string{string(DeliverWorktree), string(DeliverCommit), string(DeliverPush), string(DeliverPullRequest)}
}

// Known tells whether it is one of the modes.
func (m DeliverMode) Known() bool { return slices.Contains(DeliverModes(), string(m)) }

// Commits tells whether there is a commit in the end.
func (m DeliverMode) Commits() bool { return m != DeliverWorktree }

// Shared tells whether others see it at once: it is made on what they have.
func (m DeliverMode) Shared() bool { return m == DeliverPush || m == DeliverPullRequest }

func (e *Environment) checkDeliver(f *yamlfile.File, path string) {
	d := e.Deliver
	if d.Mode != "" && !d.Mode.Known() {
		f.At(path+".deliver.mode", spelling.Hint(string(d.Mode), DeliverModes()), "deliver.mode is %q", d.Mode)
	}
	if d.Forge != "" && !slices.Contains(forges, d.Forge) {
		f.At(path+".deliver.forge", spelling.Hint(d.Forge, forges), "deliver.forge is %q", d.Forge)
	}
	if d.AutoMerge != "" && d.AutoMerge != WhenGreen {
		f.At(path+".deliver.autoMerge", "autoMerge: "+WhenGreen, "deliver.autoMerge is %q", d.AutoMerge)
	}
	if d.Remote != "" && (strings.HasPrefix(d.Remote, "-") || strings.ContainsAny(d.Remote, ":/ ")) {
		f.At(path+".deliver.remote", "remote: origin", "%q is no name of a remote", d.Remote)
	}
	switch isURL, why, hint := gitname.Repository(d.Fork); {
	case why != "":
		f.At(path+".deliver.fork", cmp.Or(hint, "fork: https://git.example.com/bot/infra.git"), "deliver.fork %s", why)
	case !isURL && (strings.HasPrefix(d.Fork, "-") || strings.ContainsAny(d.Fork, ":/\\ \x00\n\r")):
		f.At(path+".deliver.fork", "fork: https://git.example.com/bot/infra.git", "%q is neither a URL nor the name of a remote", d.Fork)
	}
	e.checkCommits(f, path)
	asks := d.Commits != "" || d.Mode == DeliverPush && f.Has("spec.record.events.deployments") || slices.ContainsFunc(e.Gates, Gate.AsksForge)
	if d.Mode != DeliverPullRequest {
		for _, only := range []struct {
			field string
			set   bool
		}{{"forge", d.Forge != "" && !asks}, {"url", d.URL != "" && !asks}, {"labels", len(d.Labels) > 0}, {"reviewers", len(d.Reviewers) > 0}, {"draft", d.Draft}, {"autoMerge", d.AutoMerge != ""}, {"fork", d.Fork != ""}} {
			if only.set && d.Mode != "" {
				f.At(path+".deliver."+only.field, "mode: pullRequest", "deliver.%s is for pull requests, and deliver.mode is %s", only.field, d.Mode)
			}
		}
	}
}

// checkCommits finds what no forge can be asked to commit.
func (e *Environment) checkCommits(f *yamlfile.File, path string) {
	switch at := path + ".deliver.commits"; {
	case e.Deliver.Commits == "":
	case e.Deliver.Commits != CommitsByAPI:
		f.At(at, "commits: api", "deliver.commits is %q", e.Deliver.Commits)
	case e.Deliver.Mode != "" && !e.Deliver.Mode.Shared():
		f.At(at, "mode: push, or pullRequest", "a forge commits what is pushed or proposed, and deliver.mode is %s", e.Deliver.Mode)
	case e.Strategy != nil && (e.Strategy.Merge != nil || e.Strategy.Tag != nil):
		f.At(at, "remove the field commits", "a forge makes no merges and no tags for others")
	case e.Deliver.Fork != "":
		f.At(at, "remove one of fork and commits", "a forge commits in the repository itself, and not in a fork")
	}
}
