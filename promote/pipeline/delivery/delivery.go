// Package delivery is what a pipeline file says of how the promotions to an environment are
// carried out: whether files are edited, committed, pushed or proposed, to which remote, and on
// which forge. Package pipeline reads it; the packages of Git and of forges do it.
package delivery

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
	Mode Mode `yaml:"mode" json:"mode,omitempty"`
	// Remote is the name of the remote that is pushed to; by default the one that the
	// branch at hand follows, or origin. Where the environment's repository is a path it is
	// a remote of the clone there.
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
func (d Deliver) ByForge(mode Mode) bool { return mode.Shared() && d.Commits == CommitsByAPI }

// forges are the kinds of forges, as promote/forge has them.
var forges = []string{"github", "gitlab", "gitea", "bitbucket", "bitbucket-server", "azure"}

// WhenGreen is the one value of Deliver.AutoMerge.
const WhenGreen = "whenGreen"

// CodeOwners stands among Deliver.Reviewers for those whom a file CODEOWNERS names.
const CodeOwners = "codeowners"

// Mode is how far a promotion goes.
type Mode string

// The delivery modes: edit the files and leave them, commit them too, push the commit to
// the branch that others have, or propose it there by a pull request.
const (
	Worktree    Mode = "worktree"
	Commit      Mode = "commit"
	Push        Mode = "push"
	PullRequest Mode = "pullRequest"
)

// Modes are all of them.
func Modes() []string {
	return []string{string(Worktree), string(Commit), string(Push), string(PullRequest)}
}

// Known tells whether it is one of the modes.
func (m Mode) Known() bool { return slices.Contains(Modes(), string(m)) }

// Commits tells whether there is a commit in the end.
func (m Mode) Commits() bool { return m != Worktree }

// Shared tells whether others see it at once: it is made on what they have.
func (m Mode) Shared() bool { return m == Push || m == PullRequest }

// Target is what else a pipeline file says of an environment that its delivery depends on.
type Target struct {
	// Repository is where its files are: a URL, a path to another clone, or empty for the
	// repository with the pipeline file.
	Repository string
	// Makes tells that a promotion makes a merge or a tag, rather than a commit of edits.
	Makes bool
	// Asked tells that gates ask the forge.
	Asked bool
}

// Check finds what is wrong with the delivery to a target. The path is that of the environment
// in the file; what is wrong is noted there, at the fields below its field deliver.
func (d Deliver) Check(f *yamlfile.File, path string, to Target) {
	path += ".deliver"
	if d.Mode != "" && !d.Mode.Known() {
		f.At(path+".mode", spelling.Hint(string(d.Mode), Modes()), "deliver.mode is %q", d.Mode)
	}
	if d.Forge != "" && !slices.Contains(forges, d.Forge) {
		f.At(path+".forge", spelling.Hint(d.Forge, forges), "deliver.forge is %q", d.Forge)
	}
	if d.AutoMerge != "" && d.AutoMerge != WhenGreen {
		f.At(path+".autoMerge", "autoMerge: "+WhenGreen, "deliver.autoMerge is %q", d.AutoMerge)
	}
	d.checkRemotes(f, path, to)
	d.checkCommits(f, path+".commits", to)
	asks := d.Commits != "" || d.Mode == Push && f.Has("spec.record.events.deployments") || to.Asked // the forge
	if d.Mode == PullRequest || d.Mode == "" {
		return
	}
	for _, only := range []struct {
		field string
		set   bool
	}{{"forge", d.Forge != "" && !asks}, {"url", d.URL != "" && !asks}, {"labels", len(d.Labels) > 0}, {"reviewers", len(d.Reviewers) > 0}, {"draft", d.Draft}, {"autoMerge", d.AutoMerge != ""}, {"fork", d.Fork != ""}} {
		if only.set {
			f.At(path+"."+only.field, "mode: pullRequest", "deliver.%s is for pull requests, and deliver.mode is %s", only.field, d.Mode)
		}
	}
}

// checkRemotes finds names that no remote has, and those of a repository that has none: what is
// known by its URL alone is pushed to there.
func (d Deliver) checkRemotes(f *yamlfile.File, path string, to Target) {
	const fork = "fork: https://git.example.com/bot/infra.git"
	byURL, _, _ := gitname.Repository(to.Repository)
	switch {
	case d.Remote == "":
	case strings.HasPrefix(d.Remote, "-") || strings.ContainsAny(d.Remote, ":/ "):
		f.At(path+".remote", "remote: origin", "%q is no name of a remote", d.Remote)
	case byURL:
		f.At(path+".remote", "remove the field remote", "deliver.remote is the name of a remote of a clone, and the environment's repository is a URL, which is pushed to")
	}
	switch isURL, why, hint := gitname.Repository(d.Fork); {
	case why != "":
		f.At(path+".fork", cmp.Or(hint, fork), "deliver.fork %s", why)
	case isURL || d.Fork == "":
	case strings.HasPrefix(d.Fork, "-") || strings.ContainsAny(d.Fork, ":/\\ \x00\n\r"):
		f.At(path+".fork", fork, "%q is neither a URL nor the name of a remote", d.Fork)
	case byURL:
		f.At(path+".fork", fork, "deliver.fork is the name of a remote of a clone, and the environment's repository is a URL")
	}
}

// checkCommits finds what no forge can be asked to commit.
func (d Deliver) checkCommits(f *yamlfile.File, at string, to Target) {
	switch {
	case d.Commits == "":
	case d.Commits != CommitsByAPI:
		f.At(at, "commits: api", "deliver.commits is %q", d.Commits)
	case d.Mode != "" && !d.Mode.Shared():
		f.At(at, "mode: push, or pullRequest", "a forge commits what is pushed or proposed, and deliver.mode is %s", d.Mode)
	case to.Makes:
		f.At(at, "remove the field commits", "a forge makes no merges and no tags for others")
	case d.Fork != "":
		f.At(at, "remove one of fork and commits", "a forge commits in the repository itself, and not in a fork")
	}
}
