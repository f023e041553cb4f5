package forge

import (
	"net/url"
	"strings"

	"github.com/kubepromote/kubepromote/promote/forge/internal/address"
)

// Remote is what a repository on a forge is found by.
type Remote struct {
	// URL is a remote of git: https://HOST/OWNER/NAME.git, ssh://git@HOST:PORT/OWNER/NAME
	// or git@HOST:OWNER/NAME, with or without .git. A user and a password in it are
	// left out.
	URL string
	// Kind may be empty for hosts that are known: github.com, gitlab.com,
	// bitbucket.org, dev.azure.com, codeberg.org, gitea.com and those below ghe.com and
	// visualstudio.com.
	Kind Kind
	// Web is the address of a forge of one's own in a browser, such as
	// https://git.example.com/gitlab, where the remote does not tell it: a port or a
	// path of its own, an alias of ssh, or http where nothing else is to be had. It
	// may be empty. For Azure DevOps it is that of the organization or collection.
	Web string
}

// Repository is a repository on a forge. Make it with [Locate].
type Repository struct {
	Kind Kind
	// Web is the forge's address in a browser and API that of its interface, without
	// a slash at the end.
	Web, API string
	// Owner is the user, organization, group with its subgroups, workspace or project
	// that the repository belongs to, and Name the last part of its address.
	Owner, Name string
	// RemoteHost is the host that the remote names, without a port. It differs from
	// that of Web where Remote.Web says so: tokens that are not bound to a host are
	// for RemoteHost.
	RemoteHost string
}

// Host is the forge's host, with its port if it has one.
func (r Repository) Host() string {
	u, err := url.Parse(r.Web)
	if err != nil {
		return ""
	}
	return u.Host
}

// String is the host, the owner and the name.
func (r Repository) String() string { return r.Host() + "/" + r.Owner + "/" + r.Name }

// Locate says which repository on which forge a remote is. It asks nobody.
func Locate(at Remote) (Repository, error) {
	p, err := parseRemote(at.URL)
	if err != nil {
		return Repository{}, err
	}
	r := Repository{RemoteHost: p.host, Kind: at.Kind}
	known := kindOf(p.host)
	switch {
	case known != "" && r.Kind != "" && r.Kind != known:
		return Repository{}, &Error{Msg: p.host + " is " + known.String() + ", not " + r.Kind.String(), Hint: "forge: " + string(known)}
	case known != "":
		r.Kind = known
	case r.Kind == "":
		return Repository{}, &Error{Msg: "what kind of forge " + quote(p.host) + " is, its name does not tell",
			Hint: "write forge: github, gitlab, gitea, bitbucket-server or azure below deliver"}
	}
	if at.Web != "" {
		err = p.takeWeb(at.Web)
	} else if p.scheme == "http" && !address.Loopback(p.host) {
		err = &Error{Msg: "the remote is http://" + p.host + ", and a token would be sent there for all to read",
			Hint: "write url: http://" + p.hostPort() + " below deliver if there is no https"}
	}
	if err == nil {
		err = p.locate(&r)
	}
	if err != nil {
		return Repository{}, err
	}
	return r, nil
}

// place is a remote in its parts.
type place struct {
	scheme, host, port string
	// path has no slash at its ends and no .git.
	path string
	// web is given, or empty.
	web string
}

func (p *place) hostPort() string {
	host := p.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p.port == "" {
		return host
	}
	return host + ":" + p.port
}

// base is the address in a browser of the forge's host.
func (p *place) base() string {
	if p.web != "" {
		return p.web
	}
	return p.scheme + "://" + p.hostPort()
}

func notARemote(why string) error {
	return &Error{Msg: "the remote is no address of a repository on a forge: " + why, Hint: "git remote -v"}
}

// parseRemote reads a remote.
func parseRemote(s string) (*place, error) {
	a, err := address.Parse(s)
	if err != nil {
		return nil, notARemote(err.Error())
	}
	return &place{scheme: a.Scheme, host: a.Host, port: a.Port, path: a.Path}, nil
}

// takeWeb takes the address that was given.
func (p *place) takeWeb(web string) error {
	u, err := url.Parse(web)
	if len(web) > address.Most || err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		address.CheckHost(strings.ToLower(u.Hostname())) != nil || strings.Contains(u.Path, "..") {
		return &Error{Msg: "the url of the forge is not of the form https://HOST/PATH", Hint: "write the address that the forge has in a browser, without the repository"}
	}
	prefix := strings.Trim(u.Path, "/")
	p.web = u.Scheme + "://" + strings.ToLower(u.Host)
	if prefix != "" {
		p.web += "/" + prefix
		p.path = strings.TrimPrefix(p.path, prefix+"/")
	}
	return nil
}

// kindOf knows the public forges.
func kindOf(host string) Kind { return Kind(address.Public(host)) }

// locate fills in what depends on the kind.
func (p *place) locate(r *Repository) error {
	// The hosts that serve ssh over the port of https.
	switch p.host {
	case "ssh.github.com", "altssh.gitlab.com", "altssh.bitbucket.org":
		_, p.host, _ = strings.Cut(p.host, ".")
	}
	r.Web = p.base()
	switch r.Kind {
	case GitHub:
		r.API = githubAPI(r.Web, p)
	case GitLab:
		r.API = r.Web + "/api/v4"
	case Gitea:
		return p.below(r, "/api/v1")
	case Bitbucket:
		r.API = "https://api.bitbucket.org/2.0"
		if p.web != "" {
			r.API = p.web + "/2.0"
		}
	case BitbucketServer:
		return p.dataCenter(r)
	case Azure:
		return p.azure(r)
	}
	i := strings.LastIndexByte(p.path, '/')
	if i < 0 || r.Kind != GitLab && strings.Count(p.path, "/") != 1 {
		return notARemote("its path is " + quote(p.path) + ", not OWNER/NAME")
	}
	r.Owner, r.Name = p.path[:i], p.path[i+1:]
	return nil
}

func githubAPI(web string, p *place) string {
	host := strings.TrimPrefix(strings.TrimPrefix(web, "https://"), "http://")
	if p.web == "" && kindOf(p.host) == GitHub || host == "github.com" || strings.HasSuffix(host, ".ghe.com") {
		return "https://api." + host
	}
	return web + "/api/v3"
}

// below takes the last two parts of the path; what stands before them is the
// path of the forge, where the remote is its web address.
func (p *place) below(r *Repository, api string) error {
	parts := strings.Split(p.path, "/")
	n := len(parts)
	if n < 2 {
		return notARemote("its path is " + quote(p.path) + ", not OWNER/NAME")
	}
	r.Owner, r.Name = parts[n-2], parts[n-1]
	if p.web == "" && n > 2 {
		r.Web += "/" + address.EscapePath(strings.Join(parts[:n-2], "/"))
	}
	r.API = r.Web + api
	return nil
}

// dataCenter reads /scm/KEY/NAME, which is what stands in an https remote, and
// KEY/NAME, which is what stands in one of ssh.
func (p *place) dataCenter(r *Repository) error {
	path := "/" + p.path
	if before, after, ok := strings.Cut(path, "/scm/"); ok {
		if p.web == "" {
			r.Web += address.EscapePath(before)
		}
		path = "/" + after
	}
	r.API = r.Web + "/rest"
	parts := strings.Split(path[1:], "/")
	if len(parts) != 2 {
		return notARemote("its path is " + quote(p.path) + ", not scm/PROJECT/NAME")
	}
	r.Owner, r.Name = parts[0], parts[1]
	return nil
}

// azure reads ORG/PROJECT/_git/NAME and, for ssh, v3/ORG/PROJECT/NAME. A
// repository with the name of its project stands as ORG/_git/NAME.
func (p *place) azure(r *Repository) error {
	parts := strings.Split(p.path, "/")
	var org []string
	at := -1
	for i, part := range parts {
		if part == "_git" {
			at = i
		}
	}
	organization, old := strings.CutSuffix(p.host, ".visualstudio.com")
	old = old && organization != "vs-ssh"
	switch n := len(parts); {
	case at < 0 && n == 4 && parts[0] == "v3":
		org, r.Owner, r.Name = parts[1:2], parts[2], parts[3]
	case at >= 1 && at == n-2 && (at >= 2 || p.web != "" || old && parts[0] != "DefaultCollection"):
		org, r.Owner, r.Name = parts[:at-1], parts[at-1], parts[n-1]
	case at >= 0 && at == n-2:
		org, r.Owner, r.Name = parts[:at], parts[n-1], parts[n-1]
	default:
		return notARemote("its path is " + quote(p.path) + ", not ORGANIZATION/PROJECT/_git/NAME")
	}
	switch {
	case p.web != "":
		// The address of the organization, or of the collection.
	case old:
		r.Web = "https://dev.azure.com/" + address.EscapePath(organization)
	case kindOf(p.host) == Azure && len(org) == 1:
		r.Web = "https://dev.azure.com/" + address.EscapePath(org[0])
	case kindOf(p.host) == Azure:
		return notARemote("its path is " + quote(p.path) + ", not ORGANIZATION/PROJECT/_git/NAME")
	case len(org) > 0:
		r.Web += "/" + address.EscapePath(strings.Join(org, "/"))
	}
	r.API = r.Web
	return nil
}
