package check_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/check"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// tree is a commit in memory.
type tree struct{ fstest.MapFS }

func (t tree) ReadAny(dir string, names []string) (found pipeline.Found, err error) {
	for _, name := range names {
		if data, err := t.ReadFile(path.Join(dir, name)); err == nil {
			return pipeline.Found{Have: []string{name}, Name: name, Data: data}, nil
		}
	}
	return found, fs.ErrNotExist
}

// commit makes a tree of the overlays of one service.
func commit(staging, production string) tree {
	t := tree{fstest.MapFS{}}
	for env, text := range map[string]string{"staging": staging, "production": production} {
		if text != "" {
			t.MapFS["apps/cart/overlays/"+env+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return t
}

// Somebody has brought staging's digest to production, by hand.
func ExampleChecker_Check() {
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec: {environments: [{name: staging}, {name: production, from: [staging]}]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	pin := func(digit string) string {
		return fmt.Sprintf("images:\n- {name: cart, newTag: v%s, digest: 'sha256:%064s'}\n", digit, digit)
	}
	before, after := commit(pin("2"), pin("1")), commit(pin("2"), pin("2"))
	c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p}}
	report, err := c.Check(context.Background(), check.Request{Before: before, After: after, Rules: before,
		Files: []history.FileVersion{{Path: "apps/cart/overlays/production/kustomization.yaml"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range report.Changes {
		fmt.Println(c.Service, c.Environment, c.Kind, c.From, c.Old.Short(), c.New.Short(), c.Answer)
	}
	// Output:
	// cart production promotion staging v1 v2 pass
}
