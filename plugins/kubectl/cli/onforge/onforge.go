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

// Open makes the client of the forge that a branch's remote is on. A token goes to the
// host of the remote alone, which the user has chosen, whatever the pipeline file says.
func Open(ctx context.Context, b *branch.Branch, d pipeline.Deliver, userAgent string) (*review.Forge, error) {
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
	home, _ := os.UserHomeDir()
	options := forge.Options{UserAgent: userAgent}
	options.Token, err = credentials.Find(ctx, r, credentials.Options{Getenv: os.Getenv, Home: home, Fill: b.FillCredential, Trusted: []string{r.RemoteHost}, Forge: options})
	if err != nil {
		return nil, err
	}
	client, err := forge.New(r, options)
	return &review.Forge{Client: client, Kind: r.Kind, Base: b.Name()}, err
}
