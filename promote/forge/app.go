package forge

import (
	"context"
	"net/http"
	"strconv"
)

// InstallationToken exchanges the signed token of a GitHub App (a JWT, which is valid
// for ten minutes at most) for one of its installation, which is good for this
// repository alone and for an hour. installation may be 0: that of the repository is
// then asked for.
func InstallationToken(ctx context.Context, r Repository, jwt Token, installation int64, o Options) (Token, error) {
	if r.Kind != GitHub {
		return Token{}, r.Kind.lacks("has no apps with installations", "use another token")
	}
	jwt.Scheme = SchemeBearer
	o.Token = jwt
	w := newWire(r, o)
	g := newGitHub(w)
	if installation == 0 {
		var found struct {
			ID int64 `json:"id"`
		}
		if err := w.get(ctx, "finding the installation of the app", g.self+"/installation", &found); err != nil {
			return Token{}, err
		}
		installation = found.ID
	}
	var out struct {
		Token string `json:"token"`
	}
	c := call{op: "asking for the token of an app", method: http.MethodPost, out: &out, need: needWrite,
		path: "/app/installations/" + strconv.FormatInt(installation, 10) + "/access_tokens", in: map[string]any{"repositories": []string{r.Name}}}
	if err := w.send(ctx, c); err != nil {
		return Token{}, err
	}
	if out.Token == "" {
		return Token{}, w.fail(c, 0, "the answer has no token", nil)
	}
	return Token{Secret: out.Token, Scheme: SchemeBearer, From: jwt.From}, nil
}
