package status_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// long is a history of many commits, of which each changes one of the services, so that
// those that are known already go on changing. It counts what is read of it.
type long struct {
	services, commits int
	visited, blobs    int
}

func (l *long) Commits(_ context.Context, _ []string, visit func(history.Commit) (bool, error)) error {
	for n := l.commits; n > 0; n-- {
		l.visited++
		file := fmt.Sprintf("apps/s%d/overlays/staging/kustomization.yaml", n%l.services)
		c := history.Commit{Hash: fmt.Sprintf("%040d", n), Parents: []string{"p"}, Time: time.Unix(int64(n), 0), Files: []history.FileVersion{{Path: file, Old: fmt.Sprint(n - l.services), New: fmt.Sprint(n)}}}
		if more, err := visit(c); err != nil || !more {
			return err
		}
	}
	return nil
}

func (l *long) Merged(context.Context, string, []string, func(history.Commit) (bool, error)) error {
	return nil
}

func (l *long) Blobs(_ context.Context, ids []string, visit func(string, []byte) error) error {
	l.blobs += len(ids)
	for _, id := range ids {
		if err := visit(id, []byte(kustomizationOf(id))); err != nil {
			return err
		}
	}
	return nil
}

func kustomizationOf(tag string) string {
	return "images: [{name: web, newTag: v" + strings.TrimPrefix(tag, "-") + "}]\n"
}

// The board reads no more history than its cells need: of 50,000 commits all were read where
// the last cells that were open were few, as few changes were not looked at until there were
// many.
func TestHistoryEnds(t *testing.T) {
	p := &pipeline.Pipeline{Spec: pipeline.Spec{Layout: pipeline.Layout{{Path: "apps/{service}/overlays/{environment}"}}, Environments: []pipeline.Environment{{Name: "staging"}}}}
	for services, most := range map[int]int{1: 80, 7: 80, 300: 500, 1000: 1500} {
		l := &long{services: services, commits: 50_000}
		files := tree{fstest.MapFS{}}
		for n := range services {
			newest := l.commits - (l.commits-n)%services
			files.MapFS[fmt.Sprintf("apps/s%d/overlays/staging/kustomization.yaml", n)] = &fstest.MapFile{Data: []byte(kustomizationOf(fmt.Sprint(newest)))}
		}
		all, err := status.Read(t.Context(), p, files, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := status.AddHistory(t.Context(), p, files, l, all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if last := s.Environments[0].Images[0].Last; last == nil {
				t.Fatalf("%d services: nobody knows since when %s is what it is", services, s.Service)
			}
		}
		if l.visited > most || l.blobs > 2*most {
			t.Errorf("%d services: %d commits and %d blobs are read, and %d commits are enough", services, l.visited, l.blobs, services)
		}
	}
}
