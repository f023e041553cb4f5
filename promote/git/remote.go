package git

import (
	"context"
	"net/url"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Remote gives the URL of the repository that the remote origin names, without
// user names, passwords and tokens; empty where there is none, or one that is a
// path of this machine. The form user@host:path is given as ssh://host/path.
func (r *Repo) Remote(ctx context.Context) (string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "read the remote", Args: []string{"config", "--get", "--default", "", "remote.origin.url"}, Reads: true})
	if err != nil {
		return "", err
	}
	return publicURL(strings.TrimSpace(string(out))), nil
}

func publicURL(remote string) string {
	if strings.Contains(remote, "::") { // a remote helper, with its own kind of address
		return ""
	}
	if !strings.Contains(remote, "://") {
		host, path, ok := strings.Cut(remote, ":")
		if !ok || strings.ContainsAny(host, `/\`) || len(host) == 1 { // a path, or a drive's letter
			return ""
		}
		remote = "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" {
		return ""
	}
	switch u.Scheme {
	case "http", "https", "ssh", "git":
		return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	return ""
}

// Remotes gives the URLs of all remotes, as Remote has them.
func (r *Repo) Remotes(ctx context.Context) []string {
	out, err := r.run(ctx, gitcmd.Call{Op: "read the remotes", Args: []string{"config", "--null", "--get-regexp", `^remote\..*\.url$`}, Reads: true})
	if err != nil {
		return nil // there are none
	}
	var all []string
	for entry := range strings.SplitSeq(string(out), "\x00") {
		_, remote, _ := strings.Cut(entry, "\n")
		if public := publicURL(remote); public != "" {
			all = append(all, public)
		}
	}
	return all
}
