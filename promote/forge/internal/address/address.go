// Package address reads the address of a remote of git, and names of branches.
package address

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// Most is how long an address may be.
const Most = 2000

// Address is a remote in its parts.
type Address struct {
	// Port is empty for ssh: the forge's page is elsewhere.
	Scheme, Host, Port string
	// Path has no slash at its ends and no .git.
	Path string
}

// Parse reads an address of the forms that git takes. What is wrong with one is said as
// what it has, or lacks.
func Parse(s string) (*Address, error) {
	if len(s) > Most {
		return nil, errors.New("it is longer than 2,000 bytes")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r == '\\' || unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return nil, errors.New("it has a space, a backslash or a character that cannot be printed")
	}
	if !strings.Contains(s, "://") {
		// The form of scp. A helper's "ext::" and a drive's letter are not.
		host, path, ok := strings.Cut(s, ":")
		if strings.HasPrefix(s, "[") || strings.Contains(s, "@[") {
			host, path, ok = strings.Cut(s, "]:")
			host += "]"
		}
		if !ok || strings.Contains(host, "/") || len(host) < 2 || strings.HasPrefix(path, ":") {
			return nil, errors.New("it names no host")
		}
		s = "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("it is no URL")
	}
	p := &Address{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Hostname()), Port: u.Port(), Path: u.Path}
	switch p.Scheme {
	case "https", "http":
	case "ssh", "git+ssh", "ssh+git", "git":
		// The port is that of ssh, and the forge's page is elsewhere.
		p.Scheme, p.Port = "https", ""
	default:
		return nil, errors.New("its scheme is not https, http or ssh")
	}
	if err := CheckHost(p.Host); err != nil {
		return nil, err
	}
	p.Path = strings.TrimSuffix(strings.Trim(p.Path, "/"), ".git")
	for part := range strings.SplitSeq(p.Path, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("?#%\\", r) }) {
			return nil, errors.New("its path is " + quote(p.Path))
		}
	}
	return p, nil
}

// CheckHost accepts names and addresses.
func CheckHost(host string) error {
	if host == "" {
		return errors.New("it names no host")
	}
	if net.ParseIP(host) != nil {
		return nil
	}
	for _, c := range []byte(host) {
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return errors.New("its host is " + quote(host))
		}
	}
	return nil
}

// Public gives the kind of a public forge by its host; empty for others.
func Public(host string) string {
	switch host {
	case "github.com", "ssh.github.com":
		return "github"
	case "gitlab.com", "altssh.gitlab.com":
		return "gitlab"
	case "bitbucket.org", "altssh.bitbucket.org":
		return "bitbucket"
	case "dev.azure.com", "ssh.dev.azure.com", "vs-ssh.visualstudio.com":
		return "azure"
	case "codeberg.org", "gitea.com":
		return "gitea"
	}
	switch {
	case strings.HasSuffix(host, ".ghe.com"):
		return "github"
	case strings.HasSuffix(host, ".visualstudio.com"):
		return "azure"
	}
	return ""
}

// Loopback tells whether a host is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// WrongBranch says why a name cannot be that of a branch. The whole rule is git's
// (git-check-ref-format(1)); this is what would change the meaning of a request.
func WrongBranch(name string) string {
	switch {
	case name == "":
		return "is not given"
	case strings.HasPrefix(name, "refs/"):
		return quote(name) + " is a whole reference, write it without refs/heads/"
	case strings.HasPrefix(name, "-") || strings.ContainsAny(name, "\x00\r\n\t :?*[\\^~\"") || strings.Contains(name, ".."):
		return quote(name) + " is no name of a branch"
	}
	return ""
}

// EscapePath escapes each part of a path.
func EscapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// quote quotes a foreign text, shortened.
func quote(s string) string { return strconv.Quote(fault.Shorten(s)) }
