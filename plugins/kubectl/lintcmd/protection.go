package lintcmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/promote/forge/protection"
	"github.com/kubepromote/kubepromote/promote/lint"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// unprotected finds branches that promotions are merged into by pull requests, where files of
// the repository say which branches are protected, and not those. Where no file says anything
// nobody can tell: doctor --reach asks the forge.
func unprotected(ctx context.Context, r *repository) []lint.Finding {
	var all []lint.Finding
	said := make(map[string]bool)
	for i := range r.Pipeline.Spec.Environments {
		e := &r.Pipeline.Spec.Environments[i]
		if e.Deliver.Mode != pipeline.DeliverPullRequest || e.Deliver.Forge != "" && e.Deliver.Forge != "github" || e.EachService() {
			continue
		}
		tree, err := e.TreeOf(r.Home)
		if err != nil {
			continue // which package lint has told
		}
		branch, main := e.Branch, "" // the default one of another repository nobody knows here
		if e.Repository == "" {
			main = r.branch(ctx, "refs/remotes/origin/HEAD")
			branch = cmp.Or(branch, main, r.branch(ctx, "HEAD"))
		}
		if branch == "" {
			continue
		}
		rules, file, err := protection.Written(tree, branch, main)
		at := lint.Finding{File: file, Line: 1, Column: 1, Hint: "kubectl promote doctor --reach"}
		switch {
		case err != nil:
			at.Message, at.Hint = strings.ReplaceAll(err.Error(), "\n", " "), ""
		case file == "" || rules.Protected:
			continue
		default:
			at.Message = fmt.Sprintf("pull requests to %s are merged into %s, which no rule here protects: whoever may write to the repository pushes past them", e.Name, branch)
		}
		if !said[at.Message] {
			said[at.Message] = true
			all = append(all, at)
		}
	}
	return all
}

// branch is the one that a reference of the clone stands for: the remote's default one, or the one
// at hand; empty where there is none.
func (r *repository) branch(ctx context.Context, revision string) string {
	if r.names == nil {
		return ""
	}
	full, err := r.names(ctx, revision)
	for _, prefix := range []string{"refs/remotes/origin/", "refs/heads/"} {
		if name, ok := strings.CutPrefix(full, prefix); ok && err == nil && name != "HEAD" {
			return name
		}
	}
	return ""
}
