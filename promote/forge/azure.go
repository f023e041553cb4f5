package forge

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/lists"
	"github.com/kubepromote/kubepromote/promote/forge/internal/words"
)

// azure speaks version 7.1 of Azure DevOps Services, or 7.0 of a server of one's own:
// https://learn.microsoft.com/en-us/rest/api/azure/devops/git/pull-requests.
type azure struct {
	*wire
	// organization is the path of what is not of the project.
	organization, version string
	// identities is the whole address of the service that knows the users.
	identities string
}

func newAzure(w *wire) *azure {
	a := &azure{wire: w, organization: "/_apis", version: "7.1", identities: w.repository.API + "/_apis/identities"}
	const cloud = "https://dev.azure.com/"
	if org, ok := strings.CutPrefix(w.repository.API, cloud); ok {
		a.identities = "https://vssps.dev.azure.com/" + org + "/_apis/identities"
	} else {
		a.version = "7.0"
	}
	w.self = "/" + escape(w.repository.Owner) + "/_apis/git/repositories/" + escape(w.repository.Name) + "?api-version=" + a.version
	return a
}

// at gives the path of something of the repository.
func (a *azure) at(path string, pairs ...string) string {
	self, _, _ := strings.Cut(a.self, "?")
	return self + path + a.query(pairs...)
}

func (a *azure) query(pairs ...string) string {
	return query(append(pairs, "api-version", a.version)...)
}

func (a *azure) pull(number int, path string) string {
	return a.at("/pullrequests/" + strconv.Itoa(number) + path)
}

type azureUser struct {
	ID         string `json:"id"`
	UniqueName string `json:"uniqueName"`
	Name       string `json:"displayName"`
}

func (u azureUser) name() string { return cmp.Or(u.UniqueName, u.Name, u.ID) }

type azureCommit struct {
	ID string `json:"commitId"`
}

type azureFork struct {
	Repository struct {
		ID string `json:"id"`
	} `json:"repository"`
}

type azurePull struct {
	ID           int         `json:"pullRequestId"`
	Title        string      `json:"title"`
	Description  string      `json:"description"`
	Status       string      `json:"status"`
	Draft        bool        `json:"isDraft"`
	Source       string      `json:"sourceRefName"`
	Target       string      `json:"targetRefName"`
	MergeStatus  string      `json:"mergeStatus"`
	MergeFailure string      `json:"mergeFailureMessage"`
	SourceCommit azureCommit `json:"lastMergeSourceCommit"`
	MergeCommit  azureCommit `json:"lastMergeCommit"`
	CreatedBy    azureUser   `json:"createdBy"`
	Fork         *azureFork  `json:"forkSource"`
	Repository   words.Azure `json:"repository"`
	Labels       []struct {
		Name string `json:"name"`
	} `json:"labels"`
	Reviewers []struct {
		azureUser
		Vote int `json:"vote"`
	} `json:"reviewers"`
}

func (a *azure) pullRequest(p *azurePull) *PullRequest {
	pr := &PullRequest{Number: p.ID, Title: p.Title, Body: unixLines(p.Description), Head: strings.TrimPrefix(p.Source, "refs/heads/"),
		HeadCommit: p.SourceCommit.ID, Base: strings.TrimPrefix(p.Target, "refs/heads/"), Author: p.CreatedBy.name(), Draft: p.Draft, State: StateOpen, Mergeable: Unknown,
		Into: p.Repository.FullName(a.repository.Owner, a.repository.Name)}
	pr.URL = a.repository.Web + "/" + escape(a.repository.Owner) + "/_git/" + escape(a.repository.Name) + "/pullrequest/" + strconv.Itoa(p.ID)
	switch p.Status {
	case "completed":
		pr.State, pr.MergeCommit = StateMerged, p.MergeCommit.ID
	case "abandoned":
		pr.State = StateClosed
	}
	switch p.MergeStatus {
	case "succeeded":
		pr.Mergeable = Yes
	case "conflicts", "failure":
		pr.Mergeable = No
	}
	for _, l := range p.Labels {
		pr.Labels = append(pr.Labels, l.Name)
	}
	return pr
}

// Carrying implements [Checks].
func (a *azure) Carrying(ctx context.Context, commit, _ string) ([]PullRequest, error) {
	type query struct {
		Type  string   `json:"type"`
		Items []string `json:"items"`
	}
	in := map[string][]query{"queries": {{"lastMergeCommit", []string{commit}}}}
	var out struct {
		Results []map[string][]azurePull `json:"results"`
	}
	err := a.send(ctx, call{op: "finding the pull request of a commit", method: http.MethodPost, path: a.at("/pullrequestquery"), in: in, out: &out})
	var found []azurePull
	for _, result := range out.Results {
		found = append(found, result[commit]...)
	}
	return all(found, a.pullRequest), err
}

// find reads each pull request by itself: the list has the first 400 characters of
// a description.
func (a *azure) find(ctx context.Context, f FindRequest) ([]PullRequest, error) {
	const size = 100
	fork, err := a.fork(ctx)
	if err != nil {
		return nil, err
	}
	found, err := pages(func(page int) ([]azurePull, bool, error) {
		var out struct {
			Value []azurePull `json:"value"`
		}
		q := []string{"searchCriteria.status", "active", "$top", strconv.Itoa(size), "$skip", strconv.Itoa((page - 1) * size)}
		if !f.any() {
			q = append(q, "searchCriteria.sourceRefName", "refs/heads/"+f.Head)
		}
		if f.Base != "" {
			q = append(q, "searchCriteria.targetRefName", "refs/heads/"+f.Base)
		}
		if fork != nil && !f.any() {
			q = append(q, "searchCriteria.sourceRepositoryId", fork.Repository.ID)
		}
		err := a.wire.get(ctx, "finding pull requests", a.at("/pullrequests", q...), &out)
		return out.Value, len(out.Value) == size, err
	})
	if err != nil {
		return nil, err
	}
	const most = 20
	var own []PullRequest
	for _, p := range found {
		if f.any() { // of many, nobody reads the whole text
			own = append(own, *a.pullRequest(&p))
			continue
		}
		if fork == nil && p.Fork != nil || fork != nil && (p.Fork == nil || !strings.EqualFold(p.Fork.Repository.ID, fork.Repository.ID)) {
			continue
		}
		if len(own) == most {
			return nil, a.fail(call{op: "finding pull requests"}, 0, "there are more than 20 from one branch", nil)
		}
		pr, err := a.get(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		own = append(own, *pr)
	}
	return own, nil
}

// fork finds the number of the fork that heads are in; nil where they are in none.
func (a *azure) fork(ctx context.Context) (*azureFork, error) {
	if !a.forked() {
		return nil, nil
	}
	var f azureFork
	err := a.wire.get(ctx, "looking at the fork", "/"+escape(a.heads.Owner)+"/_apis/git/repositories/"+escape(a.heads.Name)+a.query(), &f.Repository)
	return &f, err
}

func (a *azure) look(ctx context.Context, number int) (*azurePull, error) {
	var p azurePull
	return &p, a.wire.get(ctx, "reading a pull request", a.pull(number, ""), &p)
}

func (a *azure) get(ctx context.Context, number int) (*PullRequest, error) {
	p, err := a.look(ctx, number)
	if err != nil {
		return nil, err
	}
	return a.pullRequest(p), nil
}

func (a *azure) open(ctx context.Context, o OpenRequest) (*PullRequest, error) {
	in := map[string]any{"sourceRefName": "refs/heads/" + o.Head, "targetRefName": "refs/heads/" + o.Base, "title": o.Title, "description": o.Body, "isDraft": o.Draft}
	fork, err := a.fork(ctx)
	if err != nil {
		return nil, err
	}
	if fork != nil {
		in["forkSource"] = fork
	}
	var p azurePull
	err = a.send(ctx, call{op: "opening a pull request", method: http.MethodPost, path: a.at("/pullrequests"), in: in, out: &p, need: needWrite})
	if err != nil {
		// TF401179: An active pull request for the source and target branch already exists.
		return nil, because(err, http.StatusConflict, map[string]error{"TF401179": ErrExists})
	}
	return a.pullRequest(&p), nil
}

func (a *azure) edit(ctx context.Context, pr *PullRequest, u UpdateRequest) (*PullRequest, error) {
	in := make(map[string]any)
	if u.Title != nil {
		in["title"] = *u.Title
	}
	if u.Body != nil {
		in["description"] = *u.Body
	}
	p, err := a.patch(ctx, call{op: "updating a pull request", need: needWrite}, pr.Number, in)
	if err != nil {
		return nil, err
	}
	return a.pullRequest(p), nil
}

func (a *azure) patch(ctx context.Context, c call, number int, in map[string]any) (*azurePull, error) {
	var p azurePull
	c.method, c.path, c.in, c.out = http.MethodPatch, a.pull(number, ""), in, &p
	return &p, a.send(ctx, c)
}

func (a *azure) decorate(ctx context.Context, pr *PullRequest, labels, reviewers []string) error {
	for _, name := range labels {
		c := call{op: "setting labels", method: http.MethodPost, path: a.pull(pr.Number, "/labels"), in: map[string]any{"name": name}, need: needWrite}
		if err := a.send(ctx, c); err != nil {
			return err
		}
	}
	for _, name := range reviewers {
		id, err := a.user(ctx, name)
		if err != nil {
			return err
		}
		c := call{op: "asking for reviews", method: http.MethodPut, path: a.pull(pr.Number, "/reviewers/"+escape(id)), in: map[string]any{"id": id, "vote": 0}, need: needWrite}
		if err := a.send(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// user finds the id of a user or a group.
func (a *azure) user(ctx context.Context, name string) (string, error) {
	if guid.MatchString(name) {
		return name, nil
	}
	const op = "looking for a reviewer"
	var out struct {
		Value []struct {
			ID string `json:"id"`
		} `json:"value"`
	}
	q := a.query("searchFilter", "General", "filterValue", name)
	if err := a.wire.get(ctx, op, a.identities+q, &out); err != nil {
		return "", err
	}
	switch {
	case len(out.Value) == 0:
		return "", a.fail(call{op: op}, 0, "there is no user "+quote(name), ErrNotFound)
	case len(out.Value) > 1 || !guid.MatchString(out.Value[0].ID):
		return "", a.fail(call{op: op}, 0, "more than one user is called "+quote(name), ErrNotFound).hinted("write the e-mail address or the id")
	}
	return out.Value[0].ID, nil
}

func (a *azure) comment(ctx context.Context, number int, text string) error {
	in := map[string]any{"comments": []any{map[string]any{"parentCommentId": 0, "content": text, "commentType": "text"}}, "status": "closed"}
	return a.send(ctx, call{op: "commenting on a pull request", method: http.MethodPost, path: a.pull(number, "/threads"), in: in, need: needWrite})
}

func (a *azure) shut(ctx context.Context, pr *PullRequest) error {
	_, err := a.patch(ctx, call{op: "abandoning a pull request", need: needWrite}, pr.Number, map[string]any{"status": "abandoned"})
	return err
}

func (a *azure) merge(ctx context.Context, pr *PullRequest, m MergeRequest) (MergeResult, error) {
	strategies := map[Method]string{MethodDefault: "noFastForward", MethodMerge: "noFastForward", MethodSquash: "squash", MethodRebase: "rebase", MethodFastForward: "rebase"}
	completion := map[string]any{"mergeStrategy": strategies[m.Method], "deleteSourceBranch": false}
	if text := joined(m); text != "" {
		completion["mergeCommitMessage"] = text
	}
	in := map[string]any{"completionOptions": completion}
	c := call{op: opMerge, need: needMerge}
	if m.AutoMerge {
		me, err := a.me(ctx)
		if err != nil {
			return MergeResult{}, err
		}
		in["autoCompleteSetBy"] = map[string]any{"id": me}
		c.op = "setting auto-complete"
	} else {
		in["status"] = "completed"
		in["lastMergeSourceCommit"] = azureCommit{m.Head}
	}
	p, err := a.patch(ctx, c, pr.Number, in)
	if err != nil {
		return MergeResult{}, a.whyNot(ctx, pr, m, err)
	}
	if m.AutoMerge {
		done := a.pullRequest(p)
		return MergeResult{Merged: done.State == StateMerged, Commit: done.MergeCommit}, nil
	}
	return a.completed(ctx, c, p, m)
}

// me is the id of the token's user.
func (a *azure) me(ctx context.Context) (string, error) {
	var out struct {
		User azureUser `json:"authenticatedUser"`
	}
	// This one has never left its preview.
	path := a.organization + "/connectionData" + query("api-version", a.version+"-preview")
	err := a.wire.get(ctx, "asking who the token is", path, &out)
	return out.User.ID, err
}

// completed waits for the merge, which goes on in the background.
func (a *azure) completed(ctx context.Context, c call, p *azurePull, m MergeRequest) (MergeResult, error) {
	const tries = 10
	for try := 0; ; try++ {
		pr := a.pullRequest(p)
		e := a.fail(c, 0, "the merge ended with "+quote(p.MergeStatus), ErrNotMergeable)
		if p.MergeFailure != "" {
			e.Msg += ": " + a.printable(p.MergeFailure)
		}
		switch {
		case pr.State == StateMerged:
			return MergeResult{Merged: true, Commit: pr.MergeCommit}, nil
		case pr.HeadCommit != "" && !strings.EqualFold(pr.HeadCommit, m.Head):
			return MergeResult{}, a.headMoved(pr, m)
		case pr.State == StateClosed, p.MergeStatus == "conflicts", p.MergeStatus == "rejectedByPolicy":
			return MergeResult{}, e
		case p.MergeStatus == "failure":
			e.Err = ErrBaseModified
			return MergeResult{}, &again{e}
		case try == tries:
			e.Err, e.Msg = ErrBaseModified, "the merge was taken on, and is not done after some time"
			return MergeResult{}, e
		}
		err := a.wait(ctx, c, time.Second)
		if err == nil {
			p, err = a.look(ctx, p.ID)
		}
		if err != nil {
			return MergeResult{}, err
		}
	}
}

// whyNot tells a head that moved from rules that say no: the texts of both are not
// documented, so the pull request is read again.
func (a *azure) whyNot(ctx context.Context, pr *PullRequest, m MergeRequest, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Status < 400 || e.Status >= 500 || e.Status == http.StatusUnauthorized || e.Status == http.StatusTooManyRequests {
		return err
	}
	if now, again := a.get(ctx, pr.Number); again == nil && now.HeadCommit != "" && !strings.EqualFold(now.HeadCommit, m.Head) {
		return a.headMoved(now, m)
	}
	if e.Status == http.StatusConflict || e.Status == http.StatusBadRequest || strings.Contains(e.Msg, "policy") || strings.Contains(e.Msg, "policies") {
		e.Err, e.Hint = ErrNotMergeable, ""
	}
	return err
}

// Reviews implements [Checks].
func (a *azure) Reviews(ctx context.Context, number int) ([]Review, error) {
	p, err := a.look(ctx, number)
	if err != nil {
		return nil, err
	}
	const approved, waiting = 5, -5 // 10 is without suggestions, -10 a rejection
	var words []Review
	for _, r := range p.Reviewers {
		switch {
		case r.Vote >= approved:
			words = append(words, Review{User: r.name(), State: ReviewApproved})
		case r.Vote <= waiting:
			words = append(words, Review{User: r.name(), State: ReviewChangesRequested})
		}
	}
	return words, stale(words, func() (time.Time, error) { return a.dated(ctx, number, words) })
}

// dated gives reviews the time of the vote, which stands in the discussion alone. Its own
// time is when the head came to be, zero for the first.
func (a *azure) dated(ctx context.Context, number int, words []Review) (pushed time.Time, err error) {
	var iterations struct {
		Value []struct {
			Created time.Time `json:"createdDate"`
		} `json:"value"`
	}
	if err := a.wire.get(ctx, "reading iterations", a.pull(number, "/iterations"), &iterations); err != nil || len(iterations.Value) < 2 {
		return pushed, err
	}
	for _, i := range iterations.Value {
		if i.Created.After(pushed) {
			pushed = i.Created
		}
	}
	var threads struct {
		Value []struct {
			Published  time.Time `json:"publishedDate"`
			Properties struct {
				Type struct {
					Value string `json:"$value"`
				} `json:"CodeReviewThreadType"`
			} `json:"properties"`
			Comments []struct {
				Author azureUser `json:"author"`
			} `json:"comments"`
		} `json:"value"`
	}
	err = a.wire.get(ctx, "reading votes", a.pull(number, "/threads"), &threads)
	for _, t := range threads.Value {
		for n := range words {
			if t.Properties.Type.Value == "VoteUpdate" && len(t.Comments) > 0 && t.Comments[0].Author.name() == words[n].User && words[n].At.Before(t.Published) {
				words[n].At = t.Published
			}
		}
	}
	return pushed, err
}

type azureStatus struct {
	ID          int       `json:"id"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	TargetURL   string    `json:"targetUrl"`
	Created     time.Time `json:"creationDate"`
	Context     struct {
		Name  string `json:"name"`
		Genre string `json:"genre"`
	} `json:"context"`
}

func (s azureStatus) name() string {
	return strings.TrimPrefix(s.Context.Genre+"/"+s.Context.Name, "/")
}

// Statuses implements [Checks].
func (a *azure) Statuses(ctx context.Context, commit string) ([]Status, error) {
	const size = 100
	all, err := pages(func(page int) ([]azureStatus, bool, error) {
		var out struct {
			Value []azureStatus `json:"value"`
		}
		path := a.at("/commits/"+commit+"/statuses", "latestOnly", "true", "top", strconv.Itoa(size), "skip", strconv.Itoa((page-1)*size))
		err := a.wire.get(ctx, "reading statuses", path, &out)
		return out.Value, len(out.Value) == size, err
	})
	all = lists.Last(all, azureStatus.name, func(a, b azureStatus) bool { return a.ID > b.ID })
	var found []Status
	for _, s := range all {
		found = append(found, Status{Context: s.name(), State: statusOf(s.State), Description: s.Description, URL: s.TargetURL, At: s.Created})
	}
	return found, err
}

// SetStatus implements [Checks].
func (a *azure) SetStatus(ctx context.Context, commit string, s Status) error {
	state := map[StatusState]string{StatusPending: "pending", StatusSuccess: "succeeded", StatusFailure: "failed"}[s.State]
	genre, name, ok := strings.Cut(s.Context, "/")
	if !ok {
		genre, name = "", s.Context
	}
	in := map[string]any{"state": state, "description": s.Description, "context": map[string]any{"name": name, "genre": genre}}
	if s.URL != "" {
		in["targetUrl"] = s.URL
	}
	return a.send(ctx, call{op: "setting a status", method: http.MethodPost, path: a.at("/commits/" + commit + "/statuses"), in: in, need: needStatus})
}
