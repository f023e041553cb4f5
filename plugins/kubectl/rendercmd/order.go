package rendercmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sync"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
)

// metadata is where GitOps Promoter and Argo CD's hydrator look for what was rendered.
const metadata = "hydrator.metadata"

// metadataOf is it for a commit.
func metadataOf(commit string) []byte { return []byte(`{"drySha": "` + commit + `"}` + "\n") }

// reader reads the files of a branch.
type reader interface {
	lister
	ReadFile(name string) ([]byte, error)
}

// shared refuses a commit that nobody else has: whoever wants to know what a rendered branch
// was made of would not find it.
func shared(ctx context.Context, repo *git.Repo, remote, upstream, commit string) error {
	from, err := branch.OfRemote(ctx, repo, remote, upstream)
	if err != nil {
		return err
	}
	defer from.Close()
	has, err := repo.IsAncestor(ctx, commit, from.Tip())
	if err == nil && !has {
		err = &promote.Error{Msg: fmt.Sprintf("%s does not have %.9s, and others could not see what was rendered", from.Where(), commit), Hint: "git push"}
	}
	return err
}

var hash = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{40,64}$`) })

// newer refuses to put a commit in the place of one that it does not follow, service by
// service. Of a commit that is not in the clone nobody knows that.
func newer(ctx context.Context, repo *git.Repo, to *branch.Branch, services []string, commit string) error {
	var known []string
	for _, service := range services {
		data, err := to.ReadFile(path.Join(service, metadata))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var m struct {
			DrySha string `json:"drySha"`
		}
		if json.Unmarshal(data, &m) != nil || !hash().MatchString(m.DrySha) {
			return &promote.Error{Msg: fmt.Sprintf("%s: %s does not say what %s was rendered from", to.Where(), metadata, service), Hint: "--allow-downgrade"}
		}
		if m.DrySha == commit || slices.Contains(known, m.DrySha) {
			continue
		}
		known = append(known, m.DrySha)
		follows, err := repo.IsAncestor(ctx, m.DrySha, commit)
		if err != nil {
			return err
		}
		if follows {
			continue
		}
		later, err := repo.IsAncestor(ctx, commit, m.DrySha)
		switch {
		case err != nil:
			return err
		case later:
			return &promote.Error{Msg: fmt.Sprintf("%s has %s of %.9s, which is newer than %.9s", to.Where(), service, m.DrySha, commit), Hint: "git pull, or --allow-downgrade to go back"}
		}
		return &promote.Error{Msg: fmt.Sprintf("%s has %s of %.9s, which is not in the history of %.9s as far as this clone knows", to.Where(), service, m.DrySha, commit), Hint: fetches(repo)}
	}
	return nil
}

// fetches is the command that brings the history which a clone lacks.
func fetches(repo *git.Repo) string {
	if repo.Shallow() {
		return "git fetch --unshallow"
	}
	return "git fetch"
}

var ours = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\{"drySha": "[0-9a-f]{40,64}"\}\n$`) })

// left are the services that a branch still has and the environment has no more: the folders
// with metadata as they are written here.
func left(to reader, all []string) ([]string, error) {
	files, err := below(to, ".", mostOfAll, nil)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, at := range files {
		service := path.Dir(at)
		if path.Base(at) != metadata || service == "." || slices.Contains(all, service) {
			continue
		}
		data, err := to.ReadFile(at)
		if err != nil {
			return nil, err
		}
		if ours().Match(data) {
			out = append(out, service)
		}
	}
	return out, nil
}
