package forge

import (
	"context"
	"net/http"
	"time"
)

// Scheme is how a token is sent.
type Scheme string

// The schemes.
const (
	// SchemeDefault is what the kind of forge takes for tokens of a person or a
	// project. A token of the form USER:PASSWORD is sent as SchemeBasic where the forge
	// has such tokens.
	SchemeDefault Scheme = ""
	// SchemeBearer is that of OAuth and of installations of an app.
	SchemeBearer Scheme = "bearer"
	// SchemeBasic sends User and Secret.
	SchemeBasic Scheme = "basic"
	// SchemeJob is that of a job of GitLab CI.
	SchemeJob Scheme = "job"
)

// Token is what a forge knows the caller by.
type Token struct {
	Secret string
	// User is for SchemeBasic.
	User   string
	Scheme Scheme
	// From says where the token was found, for messages: "GITHUB_TOKEN".
	From string
}

// String hides the secret.
func (t Token) String() string { return "token from " + t.From }

// GoString hides the secret.
func (t Token) GoString() string { return t.String() }

// Options is what a client may be told. The zero value works, without a token.
type Options struct {
	Token Token
	// Fork, if not zero, is a fork of the repository. Heads of pull requests are its branches.
	Fork Repository
	// Transport is [http.DefaultTransport] where nil.
	Transport http.RoundTripper
	// UserAgent is what the client calls itself.
	UserAgent string
	// Patience is how long one call waits altogether, for a rate limit to lift, for a
	// forge that is down, or for a base that moves. 0 is one minute; less than 0 is not
	// at all.
	Patience time.Duration
	// Now and Wait are the clock, which tests replace.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

// New makes the client of a repository.
func New(r Repository, o Options) (Client, error) {
	if _, err := ParseKind(string(r.Kind)); err != nil || r.Kind == "" || r.API == "" || r.Owner == "" || r.Name == "" {
		return nil, &Error{Msg: "no repository on a forge is given"}
	}
	if o.Fork != (Repository{}) && (o.Fork.Kind != r.Kind || o.Fork.Web != r.Web) {
		return nil, &Error{Msg: o.Fork.String() + " is on another forge than " + r.String() + ", and no fork of it", Hint: "deliver.fork: the URL of a fork on " + r.Host()}
	}
	w := newWire(r, o)
	switch r.Kind {
	case GitHub:
		return &guard{wire: w, remote: newGitHub(w)}, nil
	case GitLab:
		return &guard{wire: w, remote: newGitLab(w)}, nil
	case Gitea:
		return &guard{wire: w, remote: newGitea(w)}, nil
	case Bitbucket:
		return &guard{wire: w, remote: newBitbucket(w)}, nil
	case BitbucketServer:
		return &guard{wire: w, remote: newDataCenter(w)}, nil
	}
	return &guard{wire: w, remote: newAzure(w)}, nil
}
