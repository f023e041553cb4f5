// Package onforge finds the forge that a repository's remote is on, and what is asked of
// it on behalf of gates.
package onforge

import (
	"context"
	"os"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/credentials"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/review"
)

// Open makes the client of the forge that a branch's remote is on. A token that is not bound
// to a host goes to that of the home's remote alone, which the user has chosen, whatever the
// pipeline file says; where home is nil, to nobody.
func Open(ctx context.Context, home, b *branch.Branch, d pipeline.Deliver, userAgent string) (*review.Forge, error) {
	address, err := b.URL(ctx)
	if err != nil {
		return nil, err
	}
	kind, err := forge.ParseKind(d.Forge)
	if err != nil {
		return nil, err
	}
	r, err := forge.Locate(forge.Remote{URL: address, Kind: kind, Web: d.URL})
	if err != nil {
		return nil, err
	}
	trusted, err := hostsOf(ctx, home, kind, d.URL)
	if err != nil {
		return nil, err
	}
	dir, _ := os.UserHomeDir()
	options := forge.Options{UserAgent: userAgent}
	options.Token, err = credentials.Find(ctx, r, credentials.Options{Getenv: os.Getenv, Home: dir, Fill: b.FillCredential, Trusted: trusted, Forge: options})
	if err != nil {
		return nil, err
	}
	client, err := forge.New(r, options)
	return &review.Forge{Client: client, Kind: r.Kind, Host: r.Host(), Base: b.Name()}, err
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
