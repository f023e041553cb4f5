package forge

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stale marks reviews that are older than the head, on forges that keep no commit with
// them. pushed is asked only where there is a review, and may set their times; its own
// time is when the head came to be, and zero where it is the first.
func stale(words []Review, pushed func() (time.Time, error)) error {
	if len(words) == 0 {
		return nil
	}
	at, err := pushed()
	for n := range words {
		words[n].Stale = words[n].At.Before(at)
	}
	return err
}

// team splits the name of a team in two.
func (w *wire) team(name string) (around, team string, err error) {
	i := strings.LastIndexByte(name, '/')
	if i <= 0 || i == len(name)-1 {
		return "", "", &Error{Op: w.repository.Host(), Msg: "team " + quote(name) + " is not of the form ORGANIZATION/TEAM"}
	}
	return name[:i], name[i+1:], nil
}

const opMembers = "reading the members of a team"

func logins(users []githubUser) []string {
	var names []string
	for _, u := range users {
		names = append(names, u.Login)
	}
	return names
}

// members reads one page of users after another.
func members[T any](ctx context.Context, w *wire, path string) ([]T, error) {
	return pages(func(page int) (some []T, more bool, err error) {
		h, err := w.headers(ctx, call{op: opMembers, method: http.MethodGet, path: path + w.paged(page), out: &some, need: needTeam})
		return some, hasNext(h), err
	})
}

// Members has those of child teams, too.
func (g *github) Members(ctx context.Context, name string) ([]string, error) {
	org, team, err := g.team(name)
	if err != nil {
		return nil, err
	}
	users, err := members[githubUser](ctx, g.wire, "/orgs/"+escape(org)+"/teams/"+escape(team)+"/members")
	return logins(users), err
}

// Members has those who are blocked or wait for their approval left out.
func (g *gitlab) Members(ctx context.Context, name string) ([]string, error) {
	users, err := members[struct {
		gitlabUser
		State string `json:"state"`
	}](ctx, g.wire, "/groups/"+escape(strings.Trim(name, "/"))+"/members/all")
	var names []string
	for _, u := range users {
		if u.State == "active" {
			names = append(names, u.Username)
		}
	}
	return names, err
}

// Members finds the team's number first. The search for teams has those of the token's
// user alone, and Gitea lets nobody see members but owners and the team itself.
func (g *gitea) Members(ctx context.Context, name string) ([]string, error) {
	org, team, err := g.team(name)
	if err != nil {
		return nil, err
	}
	all, err := members[struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}](ctx, g.wire, "/orgs/"+escape(org)+"/teams")
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if strings.EqualFold(t.Name, team) {
			users, err := members[githubUser](ctx, g.wire, "/teams/"+strconv.FormatInt(t.ID, 10)+"/members")
			return logins(users), err
		}
	}
	return nil, g.fail(call{op: opMembers}, http.StatusNotFound, "there is no team "+quote(name), ErrNotFound)
}

// Members has no names to give.
func (b *bitbucket) Members(context.Context, string) ([]string, error) {
	return nil, Bitbucket.lacks("does not tell the members of a group", "name them")
}

// Members has no names to give: the groups of a Data Center are for its administrators.
func (d *dataCenter) Members(context.Context, string) ([]string, error) {
	return nil, BitbucketServer.lacks("tells the members of a group to administrators alone", "name them")
}

// Members is for a team of a project.
func (a *azure) Members(ctx context.Context, name string) ([]string, error) {
	project, team, err := a.team(name)
	if err != nil {
		return nil, err
	}
	const size = 100
	type member struct {
		Identity azureUser `json:"identity"`
	}
	all, err := pages(func(page int) ([]member, bool, error) {
		var out struct {
			Value []member `json:"value"`
		}
		path := a.organization + "/projects/" + escape(project) + "/teams/" + escape(team) + "/members" +
			a.query("$top", strconv.Itoa(size), "$skip", strconv.Itoa((page-1)*size))
		err := a.send(ctx, call{op: opMembers, method: http.MethodGet, path: path, out: &out, need: needTeam})
		return out.Value, len(out.Value) == size, err
	})
	var names []string
	for _, m := range all {
		names = append(names, m.Identity.name())
	}
	return names, err
}
