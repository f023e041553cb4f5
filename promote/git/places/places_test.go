package places_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func homeOf(t *testing.T, dir string) *places.Home {
	t.Helper()
	clone, err := git.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	h := places.OfClone(t.Context(), clone, branch.Cache{})
	t.Cleanup(func() { h.Close(); _ = clone.Close() })
	return h
}

func tagAt(h *places.Home, at pipeline.Place) string {
	tree, err := h.At(at)
	if err != nil {
		return err.Error()
	}
	data, err := tree.ReadFile("TAG")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(data))
}

// Of a branch here and what was fetched of it the newer counts, and only that which is
// whole here can be committed on.
func TestNewer(t *testing.T) {
	dir, remove := someClone()
	defer remove()
	production := pipeline.Place{Branch: "env/production"}
	run(t, dir, "remote", "add", "origin", "https://git.example.com/infra.git")
	commits := func(h *places.Home) error {
		tree, err := h.At(production)
		if err != nil {
			return err
		}
		repo := tree.(promote.Repo)
		state, err := repo.State(t.Context(), nil)
		if err != nil {
			return err
		}
		if state.Branch != "env/production" {
			t.Errorf("on branch %q", state.Branch)
		}
		_, err = repo.Commit(t.Context(), promote.Delivery{Head: state.Head, Files: []promote.File{{Path: "TAG", Data: []byte("v3\n")}}, Message: "v3"})
		return err
	}
	for _, tc := range []struct{ name, ref, to, want, refused string }{
		{"it is not fetched", "", "", "v1", ""},
		{"what was fetched is newer", "refs/remotes/origin/env/production", "main", "v2", "branch env/production is behind origin/env/production"},
		{"the branch here is newer", "refs/heads/env/production", "main", "v2", ""},
	} {
		if tc.ref != "" {
			run(t, dir, "update-ref", tc.ref, tc.to)
		}
		h := homeOf(t, dir)
		if got := tagAt(h, production); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
		if tc.refused != "" {
			if err := commits(h); err == nil || err.Error() != tc.refused {
				t.Errorf("%s: got %v, want %s", tc.name, err, tc.refused)
			}
		}
	}
	run(t, dir, "branch", "-q", "-D", "env/production")
	if err := commits(homeOf(t, dir)); err == nil || !strings.HasPrefix(err.Error(), "there is no branch env/production here") {
		t.Errorf("only fetched: %v", err)
	}
}

// A branch that others have moved is found where it is once it is looked for anew.
func TestForget(t *testing.T) {
	dir, remove := someClone()
	defer remove()
	production := pipeline.Place{Branch: "env/production"}
	h := homeOf(t, dir)
	if got := tagAt(h, production); got != "v1" {
		t.Fatal(got)
	}
	run(t, dir, "branch", "-q", "-f", "env/production", "main")
	if got := tagAt(h, production); got != "v1" {
		t.Errorf("one plan has seen %s after v1", got)
	}
	h.Forget()
	if got := tagAt(h, production); got != "v2" {
		t.Errorf("got %s afterwards", got)
	}
}

// What cannot be reached is not known; that a branch is not there is.
func TestUnreached(t *testing.T) {
	dir, remove := someClone()
	defer remove()
	h := homeOf(t, dir)
	for _, tc := range []struct {
		at      pipeline.Place
		unknown bool
	}{
		{pipeline.Place{Branch: "env/none"}, false},
		{pipeline.Place{Repository: "file://" + filepath.ToSlash(filepath.Join(dir, "none"))}, true},
		{pipeline.Place{Repository: "../none-" + filepath.Base(dir)}, true},
		{pipeline.Place{Repository: "file://" + filepath.ToSlash(dir), Branch: "env/none"}, false},
		{pipeline.Place{Repository: "ext::sh -c id"}, true},
	} {
		_, err := h.At(tc.at)
		var unreached *pipeline.Unreached
		if err == nil || errors.As(err, &unreached) != tc.unknown {
			t.Errorf("%v: %v", tc.at, err)
		}
	}
	h.StayLocal()
	h.Forget()
	if got := tagAt(h, pipeline.Place{Repository: "file://" + filepath.ToSlash(dir)}); !strings.Contains(got, "could not be read") {
		t.Errorf("it was asked: %s", got)
	}
}

// A branch that is named and is the one at hand is at home; another clone has its own.
func TestSettle(t *testing.T) {
	dir, remove := someClone()
	defer remove()
	p := &pipeline.Pipeline{Spec: pipeline.Spec{Environments: []pipeline.Environment{{Name: "dev", Branch: "main"}, {Name: "production", Branch: "env/production"}, {Name: "eu", Branch: "main", Repository: "../eu"}}}}
	if err := homeOf(t, dir).Settle(p); err != nil {
		t.Fatal(err)
	}
	var got []bool
	for i := range p.Spec.Environments {
		got = append(got, p.Spec.Environments[i].Elsewhere())
	}
	if got[0] || !got[1] || !got[2] {
		t.Errorf("elsewhere: %v", got)
	}
	other, gone := someClone()
	defer gone()
	if err := os.Rename(other, filepath.Join(filepath.Dir(dir), filepath.Base(dir)+"-eu")); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir + "-eu")
	h := homeOf(t, dir)
	beside := "../" + filepath.Base(dir) + "-eu"
	if got := tagAt(h, pipeline.Place{Repository: beside}); got != "v2" {
		t.Errorf("beside: %s", got)
	}
	if got := tagAt(h, pipeline.Place{Repository: beside, Branch: "env/production"}); got != "v1" {
		t.Errorf("a branch beside: %s", got)
	}
}
