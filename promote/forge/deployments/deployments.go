// Package deployments has a forge show on its own pages which commit is where: the
// deployments and environments of GitHub and GitLab. Nothing is deployed by that, and
// nothing is waited for; whoever has brought a commit to an environment records it.
package deployments

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// Deployment is a commit that has come to an environment.
type Deployment struct {
	// Environment is its name on the forge; see [Name].
	Environment string
	// Commit is on the forge, and Branch the one that it is on.
	Commit, Branch string
	// Description is a line for people. GitHub gets 140 characters of it, GitLab none.
	Description string
	// Payload, if not nil, is kept with it as JSON: on GitHub alone.
	Payload any
}

// Name is the environment of a forge that a service has for itself: ENVIRONMENT/SERVICE.
// Forges know one commit for each environment, the last: with one for all services, what
// any of them gets would take the others' place. GitLab shows such names as a folder.
func Name(environment, service string) string {
	if service == "" {
		return environment
	}
	return environment + "/" + service
}

// Maker records deployments in one repository.
type Maker struct {
	api        *forge.API
	repository forge.Repository
}

// New makes one. Forges other than GitHub and GitLab have no deployments that others may
// record: that is a [forge.ErrUnsupported].
//
//   - GitHub: https://docs.github.com/rest/deployments/deployments#create-a-deployment,
//     https://docs.github.com/rest/deployments/statuses#create-a-deployment-status. A token
//     needs the permission deployments: write, or the scope repo_deployment.
//   - GitLab: https://docs.gitlab.com/api/deployments/#create-a-deployment. A token needs the
//     scope api, and its user the role Developer; more where the environment is protected.
func New(r forge.Repository, o forge.Options) (*Maker, error) {
	switch r.Kind {
	case forge.GitHub, forge.GitLab:
		return &Maker{forge.NewAPI(r, o).Deploying(), r}, nil
	}
	return nil, &forge.Error{Msg: r.Kind.String() + " has no deployments", Hint: "remove the line deployments below record.events", Err: forge.ErrUnsupported}
}

const (
	opAsk    = "asking for deployments"
	opRecord = "recording a deployment"
)

// Record records a deployment that has succeeded, unless the forge has one of this commit in
// this environment already. One that was begun and never came to its success is completed.
func (m *Maker) Record(ctx context.Context, d Deployment) error {
	if m.repository.Kind == forge.GitHub {
		return m.github(ctx, d)
	}
	return m.gitlab(ctx, d)
}

// descriptionLimit is what GitHub takes of the description of a status, in characters.
const descriptionLimit = 140

func shortened(text string) string {
	if r := []rune(text); len(r) > descriptionLimit {
		return string(r[:descriptionLimit-1]) + "…"
	}
	return text
}

// github leaves out production_environment: that is false for a name with a service, and
// GitHub marks as inactive only what came before to environments that are not production.
func (m *Maker) github(ctx context.Context, d Deployment) error {
	self := "/repos/" + url.PathEscape(m.repository.Owner) + "/" + url.PathEscape(m.repository.Name) + "/deployments"
	type deployment struct {
		ID int64 `json:"id"`
	}
	var there []deployment
	query := url.Values{"sha": {d.Commit}, "environment": {d.Environment}, "per_page": {"1"}}
	if err := m.api.Send(ctx, opAsk, http.MethodGet, self+"?"+query.Encode(), nil, &there); err != nil {
		return err
	}
	var one deployment
	if len(there) > 0 {
		one = there[0]
		// Any status is somebody's word on it. Success once more would have it active
		// again, whatever has come to the environment since.
		var said []struct{}
		if err := m.api.Send(ctx, opAsk, http.MethodGet, self+"/"+strconv.FormatInt(one.ID, 10)+"/statuses?per_page=1", nil, &said); err != nil || len(said) > 0 {
			return err
		}
	} else {
		// Where nothing is said, GitHub refuses a commit whose checks have not passed, and
		// merges the default branch into what is deployed.
		in := map[string]any{"ref": d.Commit, "environment": d.Environment, "description": shortened(d.Description), "auto_merge": false, "required_contexts": []string{}}
		if d.Payload != nil {
			in["payload"] = d.Payload
		}
		if err := m.api.Send(ctx, opRecord, http.MethodPost, self, in, &one); err != nil {
			return err
		}
	}
	if one.ID == 0 {
		return &forge.Error{Op: m.repository.Host() + ": " + opRecord, Msg: "the answer names no deployment"}
	}
	in := map[string]any{"state": "success", "description": shortened(d.Description), "auto_inactive": true}
	return m.api.Send(ctx, opRecord, http.MethodPost, self+"/"+strconv.FormatInt(one.ID, 10)+"/statuses", in, nil)
}

// gitlab looks at the newest ones alone: a commit is sent again soon, if at all.
func (m *Maker) gitlab(ctx context.Context, d Deployment) error {
	self := "/projects/" + url.PathEscape(m.repository.Owner+"/"+m.repository.Name) + "/deployments"
	var there []struct {
		SHA string `json:"sha"`
	}
	query := url.Values{"environment": {d.Environment}, "order_by": {"id"}, "sort": {"desc"}, "per_page": {"20"}}
	// An environment that nothing has come to yet is not there, on some versions.
	if err := m.api.Send(ctx, opAsk, http.MethodGet, self+"?"+query.Encode(), nil, &there); err != nil && !errors.Is(err, forge.ErrNotFound) {
		return err
	}
	for _, one := range there {
		if one.SHA == d.Commit {
			return nil
		}
	}
	in := map[string]any{"environment": d.Environment, "sha": d.Commit, "ref": d.Branch, "tag": false, "status": "success"}
	return m.api.Send(ctx, opRecord, http.MethodPost, self, in, nil)
}
