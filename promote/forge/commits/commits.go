// Package commits has a forge make commits, so that it signs them itself and shows them as
// verified: https://docs.github.com/en/graphql/reference/mutations#createcommitonbranch,
// https://docs.gitlab.com/api/commits/, and Gitea's contents.
//
// A commit is made on a branch of its own, which is new. Whoever asked for it fetches it,
// compares it with what was meant, and has it become what it is for; nothing is merged or
// moved here.
package commits

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// File is a file of a commit.
type File struct {
	Path string
	Data []byte
	// Was is the name of its object in the parent; empty for a file that is new.
	Was string
	// Gone has it deleted.
	Gone bool
}

// Request is a commit to be made.
type Request struct {
	// Branch is a new branch for it.
	Branch string
	// Base is the branch that Parent is the newest commit of, and Parent that commit.
	Base, Parent string
	// Message is a subject, and what follows an empty line.
	Message string
	// Name and Email are those of who asked for it: the author where the forge lets others
	// be named, and elsewhere a co-author.
	Name, Email string
	Files       []File
}

// Maker makes commits in one repository.
type Maker struct {
	api        *forge.API
	repository forge.Repository
}

// New makes one. Forges other than GitHub, GitLab and Gitea sign nothing for others: that
// is a [forge.ErrUnsupported].
func New(r forge.Repository, o forge.Options) (*Maker, error) {
	switch r.Kind {
	case forge.GitHub, forge.GitLab, forge.Gitea:
		return &Maker{forge.NewAPI(r, o), r}, nil
	}
	return nil, &forge.Error{Msg: r.Kind.String() + " makes no commits that it would show as verified", Hint: "remove the line deliver.commits: git commits then", Err: forge.ErrUnsupported}
}

const op = "making a commit"

// Commit makes a commit and gives its name. Whatever the error, the branch may be there.
func (m *Maker) Commit(ctx context.Context, r Request) (commit string, err error) {
	switch m.repository.Kind {
	case forge.GitHub:
		commit, err = m.github(ctx, r)
	case forge.GitLab:
		commit, err = m.gitlab(ctx, r)
	default:
		commit, err = m.gitea(ctx, r)
	}
	if err == nil && len(commit) != len(r.Parent) {
		err = &forge.Error{Op: m.repository.Host() + ": " + op, Msg: "the answer names no commit"}
	}
	return commit, err
}

func (m *Maker) github(ctx context.Context, r Request) (string, error) {
	self := "/repos/" + url.PathEscape(m.repository.Owner) + "/" + url.PathEscape(m.repository.Name)
	in := map[string]any{"ref": "refs/heads/" + r.Branch, "sha": r.Parent}
	if err := m.api.Send(ctx, "making a branch", http.MethodPost, self+"/git/refs", in, nil); err != nil {
		return "", err
	}
	type addition struct {
		Path     string `json:"path"`
		Contents []byte `json:"contents"` // in base64
	}
	type deletion struct {
		Path string `json:"path"`
	}
	additions, deletions := []addition{}, []deletion{}
	for _, f := range r.Files {
		if f.Gone {
			deletions = append(deletions, deletion{f.Path})
		} else {
			additions = append(additions, addition{f.Path, bytesOf(f.Data)})
		}
	}
	headline, body, _ := strings.Cut(strings.TrimSpace(r.Message), "\n")
	if r.Name != "" {
		body += "\nCo-authored-by: " + r.Name + " <" + r.Email + ">"
	}
	var out struct {
		Data struct {
			Create *struct {
				Commit struct {
					OID string `json:"oid"`
				} `json:"commit"`
			} `json:"createCommitOnBranch"`
		} `json:"data"`
		Errors []struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	input := map[string]any{
		"branch":          map[string]any{"repositoryNameWithOwner": m.repository.Owner + "/" + m.repository.Name, "branchName": r.Branch},
		"expectedHeadOid": r.Parent,
		"message":         map[string]any{"headline": headline, "body": strings.TrimLeft(body, "\n")},
		"fileChanges":     map[string]any{"additions": additions, "deletions": deletions},
	}
	err := m.api.Send(ctx, op, http.MethodPost, strings.TrimSuffix(m.repository.API, "/v3")+"/graphql", map[string]any{"query": createCommit, "variables": map[string]any{"input": input}}, &out)
	switch {
	case err != nil:
		return "", err
	case len(out.Errors) > 0:
		return "", m.api.Refused(op, cmp.Or(out.Errors[0].Message, out.Errors[0].Type), out.Errors[0].Type == "FORBIDDEN")
	case out.Data.Create == nil:
		return "", nil
	}
	return out.Data.Create.Commit.OID, nil
}

const createCommit = `mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid } }
}`

func (m *Maker) gitlab(ctx context.Context, r Request) (string, error) {
	var actions []map[string]any
	for _, f := range r.Files {
		a := map[string]any{"action": "update", "file_path": f.Path}
		switch {
		case f.Gone:
			a["action"] = "delete"
		case f.Was == "":
			a["action"] = "create"
		}
		if !f.Gone {
			a["content"], a["encoding"] = bytesOf(f.Data), "base64"
		}
		actions = append(actions, a)
	}
	in := map[string]any{"branch": r.Branch, "start_sha": r.Parent, "commit_message": r.Message, "actions": actions}
	if r.Name != "" {
		in["author_name"], in["author_email"] = r.Name, r.Email
	}
	var out struct {
		ID string `json:"id"`
	}
	err := m.api.Send(ctx, op, http.MethodPost, "/projects/"+url.PathEscape(m.repository.Owner+"/"+m.repository.Name)+"/repository/commits", in, &out)
	return out.ID, err
}

// gitea begins at a branch and not at a commit: where that has moved, the commit's parent
// is another one.
func (m *Maker) gitea(ctx context.Context, r Request) (string, error) {
	type change struct {
		Operation string `json:"operation"`
		Path      string `json:"path"`
		Content   string `json:"content,omitempty"`
		SHA       string `json:"sha,omitempty"`
	}
	var files []change
	for _, f := range r.Files {
		c := change{"update", f.Path, base64.StdEncoding.EncodeToString(f.Data), f.Was}
		switch {
		case f.Gone:
			c.Operation, c.Content = "delete", ""
		case f.Was == "":
			c.Operation = "create"
		}
		files = append(files, c)
	}
	in := map[string]any{"branch": r.Base, "new_branch": r.Branch, "message": r.Message, "files": files}
	if r.Name != "" {
		who := map[string]any{"name": r.Name, "email": r.Email}
		in["author"], in["committer"] = who, who
	}
	var out struct {
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	err := m.api.Send(ctx, op, http.MethodPost, "/repos/"+url.PathEscape(m.repository.Owner)+"/"+url.PathEscape(m.repository.Name)+"/contents", in, &out)
	return out.Commit.SHA, err
}

// bytesOf has a file without a byte be one all the same.
func bytesOf(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
