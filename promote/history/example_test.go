package history_test

import (
	"context"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

const overlayFile = "apps/cart/overlays/production/kustomization.yaml"

// twoCommits is a history in memory; promote/git reads a repository's.
type twoCommits struct{}

func (twoCommits) Commits(_ context.Context, _ []string, visit func(history.Commit) (bool, error)) error {
	for _, c := range []history.Commit{
		{Hash: "c2", Author: "Ada", Time: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Message: "promote(production): cart → v2\n\nPromotion-Service: cart\nPromotion-From: staging\nPromotion-To: production\nPromotion-Image: shop/cart:v2\n",
			Files: []history.FileVersion{{Path: overlayFile, Old: "b1", New: "b2"}}},
		{Hash: "c1", Author: "Bob", Time: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Message: "begin",
			Files: []history.FileVersion{{Path: overlayFile, New: "b1"}}},
	} {
		if more, err := visit(c); err != nil || !more {
			return err
		}
	}
	return nil
}

func (twoCommits) Merged(context.Context, string, []string, func(history.Commit) (bool, error)) error {
	return nil
}

func (twoCommits) Blobs(_ context.Context, ids []string, visit func(string, []byte) error) error {
	for _, id := range ids {
		if err := visit(id, []byte("images: [{name: shop/cart, newTag: v"+id[1:]+"}]\n")); err != nil {
			return err
		}
	}
	return nil
}

// tree is the repository's files, of which a history needs few.
type tree struct{ fstest.MapFS }

func (tree) ReadAny(string, []string) (pipeline.Found, error) { return pipeline.Found{}, nil }

func ExampleRead() {
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec: {environments: [{name: staging}, {name: production, from: [staging]}]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = history.Read(context.Background(), p, tree{}, twoCommits{}, history.Request{Environment: "production"}, func(c history.Change) bool {
		from := "by hand"
		if c.Record != nil {
			from = "from " + c.Record.From
		}
		fmt.Println(c.Commit, c.Service, c.Images[0].Old.Short(), "→", c.Images[0].New.Short(), from)
		return true
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// c2 cart v1 → v2 from staging
	// c1 cart none → v1 by hand
}
