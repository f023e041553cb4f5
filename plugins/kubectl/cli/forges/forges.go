// Package forges finds the forge that the pull requests of a branch are on, and a token
// for it, for commands that open them and for those that show them.
package forges

import (
	"context"
	"os"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/credentials"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Forge is where the pull requests of an environment are.
type Forge struct {
	forge.Forge
	Kind forge.Kind
}

// Of is the client of the forge that a branch's remote is on. A token goes to the host
// of the remote alone, which the user has chosen, whatever the pipeline file says.
func Of(ctx context.Context, b *branch.Branch, d pipeline.Deliver) (*Forge, error) {
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
	options := forge.Options{UserAgent: cli.UserAgent()}
	options.Token, err = credentials.Find(ctx, r, credentials.Options{Getenv: os.Getenv, Home: home, Fill: b.FillCredential, Trusted: []string{r.RemoteHost}, Forge: options})
	if err != nil {
		return nil, err
	}
	client, err := forge.New(r, options)
	return &Forge{client, r.Kind}, err
}
