package checkcmd

import (
	"cmp"
	"context"
	"os"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/check"
	"github.com/kubepromote/kubepromote/promote/forge"
)

// statusName is what the status is called that --commit-status sets.
const statusName = "promote/check"

// statusTime is how long setting it may take.
const statusTime = 30 * time.Second

// failed is the status of a check that has ended with an error.
func failed(name string, err error) forge.Status {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return forge.Status{Context: name, State: forge.StatusFailure, URL: jobURL(), Description: cli.Clean("this change " + headlines[promote.Unknown] + ": " + text)}
}

// setStatus sets the status of the change on the forge, where that is asked for: on the
// head, and on that of the pull request where the head is its merge. What cannot be set is
// a warning: the exit status is about the change. It is set even where the check was stopped:
// else one of an earlier run would stay.
func (o *options) setStatus(ctx context.Context, c change, s forge.Status) {
	if o.status == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusTime)
	defer cancel()
	warn := func(err error) { o.session.Warn("the commit status %s is not set: %v", o.status, err) }
	if o.session.Reviews == nil || o.session.Reviews.Forge == nil {
		o.session.Warn("the commit status %s is not set: no server may be asked", o.status)
		return
	}
	f, err := o.session.Reviews.Forge(ctx, o.environment())
	if err != nil {
		warn(err)
		return
	}
	for _, commit := range c.heads {
		if err := f.SetStatus(ctx, commit, s); err != nil {
			warn(err)
		}
	}
}

// environment is one that says which forge the repository is on: of those that are in
// another there is none that could.
func (o *options) environment() string {
	first := ""
	for _, e := range o.pipeline.Spec.Environments {
		if e.Repository != "" {
			continue
		}
		if e.Deliver.Forge != "" {
			return e.Name
		}
		first = cmp.Or(first, e.Name)
	}
	return first
}

// statusOf is a report in one line. What waits is pending: the merge is barred until it is
// asked again.
func statusOf(name string, r *check.Report) forge.Status {
	s := forge.Status{Context: name, State: forge.StatusFailure, URL: jobURL()}
	answer := r.Answer()
	switch answer {
	case promote.Pass:
		s.State = forge.StatusSuccess
	case promote.Wait:
		s.State = forge.StatusPending
	}
	s.Description = "this change " + headlines[answer]
	if all := findings(r); len(all) > 0 {
		s.Description = all[0].String()
		for _, f := range all { // the one that decides
			if f.Answer == answer {
				s.Description = f.String()
				break
			}
		}
	} else if len(r.Changes) == 0 {
		s.Description = noPins
	}
	s.Description = cli.Clean(s.Description)
	return s
}

// jobURL leads to the job that this runs in, where it is one of a CI system that says so.
func jobURL() string {
	for _, name := range []string{"CI_JOB_URL", "BUILD_URL"} {
		if url := os.Getenv(name); strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
			return url
		}
	}
	server, repo, run := os.Getenv("GITHUB_SERVER_URL"), os.Getenv("GITHUB_REPOSITORY"), os.Getenv("GITHUB_RUN_ID")
	if server != "" && repo != "" && run != "" {
		return server + "/" + repo + "/actions/runs/" + run
	}
	return ""
}
