package status_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// tree is a repository in memory.
type tree struct{ fstest.MapFS }

func (t tree) ReadAny(dir string, names []string) (found pipeline.Found, err error) {
	for _, name := range names {
		if data, err := t.ReadFile(path.Join(dir, name)); err == nil {
			return pipeline.Found{Have: []string{name}, Name: name, Data: data}, nil
		}
	}
	return found, fs.ErrNotExist
}

func ExampleRead() {
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec: {environments: [{name: staging}, {name: production, from: [staging]}]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	files := tree{fstest.MapFS{
		"apps/cart/overlays/staging/kustomization.yaml":    {Data: []byte("images: [{name: cart, newTag: v2}]\n")},
		"apps/cart/overlays/production/kustomization.yaml": {Data: []byte("images: [{name: cart, newTag: v1}]\n")},
	}}
	services, err := status.Read(context.Background(), p, files, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range services {
		for _, e := range s.Environments {
			fmt.Println(s.Service, e.Environment, e.Images[0].Short(), e.Differs)
		}
	}
	// Output:
	// cart staging v2 false
	// cart production v1 true
}
