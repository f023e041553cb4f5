package forge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/forge/internal/rest"
	"github.com/kubepromote/kubepromote/promote/forge/internal/words"
)

// need is what a token must be good for.
type need = words.Need

const (
	needRead   = words.NeedRead
	needWrite  = words.NeedWrite
	needMerge  = words.NeedMerge
	needStatus = words.NeedStatus
	needTeam   = words.NeedTeam
	needCommit = words.NeedCommit
	needDeploy = words.NeedDeploy
)

// fail makes the error of a call.
func (w *wire) fail(c call, status int, msg string, err error) *Error {
	return &Error{Op: w.repository.Host() + ": " + c.op, Msg: w.printable(msg), Status: status, Err: err}
}

func (e *Error) hinted(hint string) *Error {
	e.Hint = hint
	return e
}

// printable makes one line of a foreign text and takes the token out of it.
func (w *wire) printable(s string) string {
	if secret := w.token.Secret; secret != "" {
		s = strings.ReplaceAll(s, secret, "(token)")
		if _, password, ok := strings.Cut(secret, ":"); ok && password != "" {
			s = strings.ReplaceAll(s, password, "(token)")
		}
	}
	return fault.OneLine(strings.Join(strings.Fields(s), " "))
}

// refused is a call that was answered with an error.
func (w *wire) refused(ctx context.Context, c call, r *rest.Refused) error {
	said := rest.Said(r.Body)
	msg := cmp.Or(said, strings.ToLower(http.StatusText(r.Status)))
	e := w.fail(c, r.Status, strconv.Itoa(r.Status)+" "+msg, nil)
	switch {
	case r.Limited:
		e.Err = ErrLimited
		e.Msg = "rate limit, which lifts in " + r.Lifts.Round(time.Second).String()
		e.Hint = "try again later"
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusNonAuthoritativeInfo:
		e.Err = ErrNotAllowed
		e.Msg, e.Hint = w.unauthorized(c, said)
	case r.Status == http.StatusForbidden:
		e.Err = ErrNotAllowed
		e.Hint = w.missing(c, r)
	case r.Status == http.StatusNotFound:
		w.absent(ctx, c, e)
	case r.Status >= 500:
		e.Hint = "try again later"
	}
	return e
}

// absent tells something that is not there from a repository that is not there or
// must not be seen.
func (w *wire) absent(ctx context.Context, c call, e *Error) {
	e.Err, e.Msg = ErrNotFound, cmp.Or(strings.TrimPrefix(e.Msg, "404 "), "not found")
	if c.path != w.self && c.op != opSelf {
		var apart *Error
		if err := w.get(ctx, opSelf, w.self, nil); !errors.As(err, &apart) || !errors.Is(apart, ErrNoAccess) {
			return
		}
	}
	e.Err = ErrNoAccess
	e.Msg = "there is no repository " + quote(w.repository.Owner+"/"+w.repository.Name) + ", or " + w.who() + " may not see it"
	e.Hint = w.scopes(c.need)
}

const opSelf = "looking at the repository"

// who names the token, never its secret.
func (w *wire) who() string {
	if w.token.Secret == "" {
		return "without a token one"
	}
	return "the token from " + cmp.Or(w.token.From, "the caller")
}

func (w *wire) unauthorized(c call, said string) (msg, hint string) {
	switch {
	case w.token.Secret == "":
		return "there is no token, and the forge wants one", w.scopes(c.need)
	case strings.Contains(said, "insufficient") || strings.Contains(said, "scope") || strings.Contains(said, "permission"):
		return w.printable("401 " + said), w.scopes(c.need)
	}
	return w.who() + " is not accepted: it is wrong, or has expired or been revoked", w.scopes(c.need)
}

// missing says which scope or permission a token lacks, in the forge's words
// where it has said so.
func (w *wire) missing(c call, r *rest.Refused) string {
	h := r.Header
	if sso := h.Get("X-GitHub-SSO"); strings.HasPrefix(sso, "required") {
		return "authorize " + w.who() + " for the single sign-on of the organization"
	}
	if wanted := h.Get("X-Accepted-GitHub-Permissions"); wanted != "" {
		return w.who() + " needs the permission " + w.printable(wanted)
	}
	if wanted := h.Get("X-Accepted-OAuth-Scopes"); wanted != "" && h.Get("X-OAuth-Scopes") != "" {
		return w.who() + " has the scopes " + w.printable(h.Get("X-OAuth-Scopes")) + " and needs one of " + w.printable(wanted)
	}
	var cloud struct {
		Error struct {
			Detail struct{ Required, Granted []string }
		}
	}
	if json.Unmarshal(r.Body, &cloud) == nil && len(cloud.Error.Detail.Required) > 0 {
		return w.who() + " needs the scope " + w.printable(strings.Join(cloud.Error.Detail.Required, ", "))
	}
	return w.scopes(c.need)
}

// scopes says what a token must be good for, in the words of the forge's pages.
func (w *wire) scopes(n need) string {
	if w.token.Scheme == SchemeJob {
		return "the token of a CI job is not enough for this: use a project access token with the scope api"
	}
	return words.Needs(string(w.repository.Kind), n)
}
