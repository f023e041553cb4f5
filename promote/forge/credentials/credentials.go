// Package credentials finds the token that a forge knows the caller by: in the
// environment, in a file, from a GitHub App, in the configuration of gh and glab, and
// at last from git's credential helper.
//
// A token goes to no host that it is not meant for. Those of the configurations and of
// the helper are bound to a host already; those of the environment are not, and go to
// the hosts in [Options.Trusted] and to those that variables of CI name: a pipeline file,
// which may come from anybody, must not send a token away by naming a host.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/forge"
)

// The variables that are the project's own.
const (
	Variable             = "KUBEPROMOTE_TOKEN"
	FileVariable         = "KUBEPROMOTE_TOKEN_FILE"
	AppVariable          = "KUBEPROMOTE_GITHUB_APP_ID"
	InstallationVariable = "KUBEPROMOTE_GITHUB_INSTALLATION_ID"
	KeyFileVariable      = "KUBEPROMOTE_GITHUB_PRIVATE_KEY_FILE"
)

// ErrNone is the error of a token that is nowhere. Test with errors.Is.
var ErrNone = errors.New("no token")

// Options says where to look.
type Options struct {
	// Getenv gives variables of the environment; nil means that there are none.
	Getenv func(name string) string
	// Home is the user's own directory; empty means that no configuration is read.
	Home string
	// Fill asks git's credential helpers: it runs "git credential fill" with the
	// given input and gives its output. Nil leaves them out.
	Fill func(ctx context.Context, input string) (string, error)
	// Trusted are hosts that the user has chosen and no file of a repository: those of
	// the git remotes and of flags, without ports.
	Trusted []string
	// Forge is what a GitHub App's token is asked for with.
	Forge forge.Options
}

// Find gives the first token for a repository, in the order of the package's
// description. Its error says where it looked.
func Find(ctx context.Context, r forge.Repository, o Options) (forge.Token, error) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	s := &search{repository: r, options: o}
	u, err := url.Parse(r.Web)
	if err != nil || u.Hostname() == "" {
		return forge.Token{}, &forge.Error{Msg: "no repository on a forge is given"}
	}
	s.host, s.hostPort, s.scheme = u.Hostname(), u.Host, u.Scheme
	for _, look := range []func(context.Context) (forge.Token, error){s.environment, s.file, s.app, s.gh, s.glab, s.helper} {
		if t, err := look(ctx); err != nil || t.Secret != "" {
			return t, err
		}
	}
	return forge.Token{}, s.none()
}

// search is one look for a token.
type search struct {
	repository     forge.Repository
	options        Options
	host, hostPort string
	scheme         string
	// looked are the places, and notes what was found there and not used.
	looked, notes []string
}

func (s *search) none() error {
	msg := fmt.Sprintf("there is no token for %s: looked at %s", s.hostPort, strings.Join(s.looked, ", "))
	if len(s.notes) > 0 {
		msg += "; " + strings.Join(s.notes, "; ")
	}
	return &forge.Error{Msg: msg, Hint: "export " + Variable + "=TOKEN", Err: ErrNone}
}

// trusted tells whether a token without a host of its own may go to the forge.
func (s *search) trusted(bound ...string) bool {
	if slices.Contains(s.options.Trusted, s.host) {
		return true
	}
	for _, name := range bound {
		value := s.options.Getenv(name)
		if u, err := url.Parse(value); err == nil && u.Host != "" {
			value = u.Host
		}
		if value != "" && (strings.EqualFold(value, s.hostPort) || strings.EqualFold(value, s.host)) {
			return true
		}
	}
	return false
}

// variable is a variable with a token.
type variable struct {
	name string
	// bound are variables that name the host that the token is for, and home is a host
	// that it always may go to.
	bound []string
	home  string
	// strictly tells that it is good nowhere else.
	strictly bool
	scheme   forge.Scheme
}

// variables are those of one kind of forge, in order.
func variables(k forge.Kind) []variable {
	own := variable{name: Variable}
	switch k {
	case forge.GitHub:
		bound := []string{"GITHUB_SERVER_URL", "GH_HOST"}
		return []variable{own, {name: "GH_TOKEN", bound: bound, home: "github.com"}, {name: "GITHUB_TOKEN", bound: bound, home: "github.com"},
			{name: "GH_ENTERPRISE_TOKEN", bound: bound}}
	case forge.GitLab:
		return []variable{own, {name: "GITLAB_TOKEN", bound: []string{"CI_SERVER_URL", "GITLAB_HOST"}, home: "gitlab.com"},
			{name: "CI_JOB_TOKEN", bound: []string{"CI_SERVER_URL"}, strictly: true, scheme: forge.SchemeJob}}
	case forge.Gitea:
		bound := []string{"GITEA_SERVER_URL", "FORGEJO_SERVER_URL", "GITHUB_SERVER_URL"}
		return []variable{own, {name: "GITEA_TOKEN", bound: bound}, {name: "FORGEJO_TOKEN", bound: bound}}
	case forge.Bitbucket:
		return []variable{own, {name: "BITBUCKET_TOKEN", home: "bitbucket.org"}}
	case forge.BitbucketServer:
		return []variable{own, {name: "BITBUCKET_TOKEN"}}
	case forge.Azure:
		bound := []string{"SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"}
		return []variable{own, {name: "AZURE_DEVOPS_EXT_PAT", bound: bound, home: "dev.azure.com"},
			{name: "SYSTEM_ACCESSTOKEN", bound: bound, scheme: forge.SchemeBearer}}
	}
	return []variable{own}
}

func (s *search) environment(context.Context) (forge.Token, error) {
	for _, v := range variables(s.repository.Kind) {
		s.looked = append(s.looked, v.name)
		secret := s.options.Getenv(v.name)
		if secret == "" {
			continue
		}
		home := v.home != "" && (s.host == v.home || v.home == "github.com" && strings.HasSuffix(s.host, ".ghe.com"))
		allowed := home || s.trusted(v.bound...)
		if v.strictly {
			allowed = (&search{options: Options{Getenv: s.options.Getenv}, host: s.host, hostPort: s.hostPort}).trusted(v.bound...)
		}
		if !allowed {
			s.refuse(v.name)
			continue
		}
		return s.token(secret, v.name, v.scheme)
	}
	return forge.Token{}, nil
}

func (s *search) refuse(name string) {
	s.notes = append(s.notes, name+" is set and does not go to "+s.hostPort+", which only a file of the repository names or which it is not for")
}

// token checks the form of a secret.
func (s *search) token(secret, from string, scheme forge.Scheme) (forge.Token, error) {
	secret = strings.TrimSpace(secret)
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' }) {
		return forge.Token{}, &forge.Error{Msg: from + " is no token: it is empty, or has spaces, line breaks or other characters that no token has"}
	}
	return forge.Token{Secret: secret, From: from, Scheme: scheme}, nil
}

// maxFile bounds the files that are read, none of which is long.
const maxFile = 1 << 20

func (s *search) file(context.Context) (forge.Token, error) {
	s.looked = append(s.looked, FileVariable)
	name := s.options.Getenv(FileVariable)
	if name == "" {
		return forge.Token{}, nil
	}
	if !s.trusted() {
		s.refuse(FileVariable)
		return forge.Token{}, nil
	}
	data, err := readFile(name)
	if err != nil {
		return forge.Token{}, &forge.Error{Msg: FileVariable + ": " + err.Error()}
	}
	return s.token(string(data), FileVariable, forge.SchemeDefault)
}

// readFile reads a file of the user's.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		return nil, fault.Text(fault.Shorten(fault.Printable(name)) + " is no file of at most 1 MiB")
	}
	data, err := os.ReadFile(name)
	var path *os.PathError
	if errors.As(err, &path) {
		return nil, &fault.Cause{Text: fault.Shorten(fault.Printable(name)) + ": " + fault.OneLine(path.Err.Error()), Err: err}
	}
	return data, err
}

// configFile is a file below the user's configuration, with ~ for the home in what
// is shown.
func (s *search) configFile(variable, dir, name string) (file, shown string) {
	if own := s.options.Getenv(variable); own != "" {
		file = filepath.Join(own, name)
	} else if xdg := s.options.Getenv("XDG_CONFIG_HOME"); xdg != "" {
		file = filepath.Join(xdg, dir, name)
	} else if s.options.Home != "" {
		file = filepath.Join(s.options.Home, ".config", dir, name)
	}
	shown = file
	if rest, ok := strings.CutPrefix(file, s.options.Home+string(filepath.Separator)); ok && s.options.Home != "" {
		shown = "~/" + filepath.ToSlash(rest)
	}
	return file, shown
}
