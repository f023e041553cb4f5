// Package onforge finds the forge that a repository's remote is on, what is asked of it on
// behalf of gates, who makes commits there, and who shows deployments.
package onforge

import (
	"context"
	"os"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/commits"
	"github.com/kubepromote/kubepromote/promote/forge/credentials"
	"github.com/kubepromote/kubepromote/promote/forge/deployments"
	"github.com/kubepromote/kubepromote/promote/forge/protection"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/review"
)

// Open makes the client of the forge that a branch's remote is on. A token that is not bound
// to a host goes to that of the home's remote alone, which the user has chosen, whatever the
// pipeline file says; where home is nil, to nobody.
func Open(ctx context.Context, home, b *branch.Branch, d pipeline.Deliver, userAgent string) (*review.Forge, error) {
	r, options, err := locate(ctx, home, b, d, userAgent)
	if err != nil {
		return nil, err
	}
	client, err := forge.New(r, options)
	return &review.Forge{Client: client, Kind: r.Kind, Host: r.Host(), Base: b.Name()}, err
}

// Protection asks the forge what protects the branch of a remote, and says which branch that
// is and where on the forge it is protected.
func Protection(ctx context.Context, home, b *branch.Branch, d pipeline.Deliver, userAgent string) (rules protection.Rules, name, page string, err error) {
	r, options, err := locate(ctx, home, b, d, userAgent)
	if err != nil {
		return rules, "", "", err
	}
	rules, err = protection.Of(ctx, r, options, b.Name())
	return rules, b.Name() + " of " + r.String(), protection.Page(r), err
}

// Deployments has the forge of a branch's remote show deployments.
func Deployments(ctx context.Context, home, b *branch.Branch, d pipeline.Deliver, userAgent string) (*deployments.Maker, error) {
	r, options, err := locate(ctx, home, b, d, userAgent)
	if err != nil {
		return nil, err
	}
	options.Patience = deploymentPatience
	return deployments.New(r, options)
}

// deploymentPatience is short: nobody waits for long to have told something.
const deploymentPatience = 5 * time.Second

// locate finds the repository that a branch's remote is, and the token for it.
func locate(ctx context.Context, home, b *branch.Branch, d pipeline.Deliver, userAgent string) (forge.Repository, forge.Options, error) {
	options := forge.Options{UserAgent: userAgent}
	kind, err := forge.ParseKind(d.Forge)
	if err != nil {
		return forge.Repository{}, options, err
	}
	at := func(address string, err error) (forge.Repository, error) {
		if err != nil || address == "" {
			return forge.Repository{}, err
		}
		return forge.Locate(forge.Remote{URL: address, Kind: kind, Web: d.URL})
	}
	r, err := at(b.URL(ctx))
	if err != nil {
		return r, options, err
	}
	if options.Fork, err = at(b.ForkURL(ctx)); err != nil {
		return r, options, err
	}
	trusted, err := hostsOf(ctx, home, kind, d.URL)
	if err != nil {
		return r, options, err
	}
	dir, _ := os.UserHomeDir()
	options.Token, err = credentials.Find(ctx, r, credentials.Options{Getenv: os.Getenv, Home: dir, Fill: b.FillCredential, Trusted: trusted, Forge: options})
	return r, options, err
}

// Commits has the forge of an environment make the commits of a branch on its behalf.
func Commits(ctx context.Context, home, b *branch.Branch, e *pipeline.Environment, userAgent string) error {
	r, options, err := locate(ctx, home, b, e.Deliver, userAgent)
	if err != nil {
		return err
	}
	maker, err := commits.New(r, options)
	if err != nil {
		return err
	}
	b.MakeBy(e.Name, committer{maker})
	return nil
}

// CommitsAtHome has the forge make what is committed at home on behalf of an environment, such
// as a hold, and gives its name if it does. What an environment of another repository says is of
// that one's forge, which knows nothing of home: git commits there.
func CommitsAtHome(ctx context.Context, home *branch.Branch, e *pipeline.Environment, mode pipeline.DeliverMode, userAgent string) (environment string, err error) {
	if home == nil || e.Repository != "" || !e.Deliver.ByForge(mode) {
		return "", nil
	}
	return e.Name, Commits(ctx, home, home, e, userAgent)
}

// committer is a forge that makes commits.
type committer struct{ maker *commits.Maker }

// Make implements [branch.Committer].
func (c committer) Make(ctx context.Context, m branch.Making) (string, error) {
	r := commits.Request{Branch: m.Branch, Base: m.Base, Parent: m.Parent, Message: m.Message, Name: m.Name, Email: m.Email}
	for i, f := range m.Files {
		r.Files = append(r.Files, commits.File{Path: f.Path, Data: f.Data, Was: m.Objects[i], Gone: f.Gone})
	}
	return c.maker.Commit(ctx, r)
}

// FilesAt gives the files of a repository as its revisions have them. What they are read with
// is closed later.
func FilesAt(repo *git.Repo, later func(func())) func(ctx context.Context, revision string) (promote.Tree, error) {
	return func(ctx context.Context, revision string) (promote.Tree, error) {
		commit, err := repo.Revision(ctx, revision)
		if err != nil {
			return nil, err
		}
		b, err := branch.OfCommit(ctx, repo, commit)
		if err == nil {
			later(b.Close)
		}
		return b, err
	}
}

// hostsOf is the host that a branch's remote is on.
func hostsOf(ctx context.Context, home *branch.Branch, kind forge.Kind, web string) ([]string, error) {
	if home == nil {
		return nil, nil
	}
	address, err := home.URL(ctx)
	if err != nil {
		return nil, err
	}
	r, err := forge.Locate(forge.Remote{URL: address, Kind: kind, Web: web})
	if err != nil {
		return nil, nil //nolint:nilerr // it is on no forge, such as a directory
	}
	return []string{r.RemoteHost}, nil
}
