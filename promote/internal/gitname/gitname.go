// Package gitname tells what may be the name of a branch, and the address of a repository.
package gitname

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
)

// badBranch is what git takes for the name of no branch
// (https://git-scm.com/docs/git-check-ref-format).
var badBranch = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./]|[./]$|\.lock(/|$)`)
})

// IsBranch tells whether git takes a name for that of a branch, or of a tag.
func IsBranch(name string) bool { return name != "" && !badBranch().MatchString(name) }

var scp = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9][A-Za-z0-9._-]*:[^:]+$`) })

// IsSCP tells whether an address is USER@HOST:PATH.
func IsSCP(address string) bool { return scp().MatchString(address) }

// CheckAddress tells what is wrong with the address of a repository: a URL, or a path to one
// beside this; "" where nothing is. secret tells that it is a password that stands in it.
func CheckAddress(address string) (wrong string, secret bool) {
	u, err := url.Parse(address)
	switch {
	case IsSCP(address):
	case !strings.Contains(address, "://"):
		if strings.HasPrefix(address, "-") || strings.ContainsAny(address, ":\\\x00\n\r") || path.IsAbs(address) || path.Clean(address) == "." {
			return fmt.Sprintf("%q is neither a URL of a repository nor a path to one beside this", address), false
		}
	case err != nil:
		return "repository is no URL", false
	case !strings.Contains(" https http ssh git file ", " "+u.Scheme+" ") || u.Host == "" && u.Scheme != "file" || strings.HasPrefix(u.Host, "-"):
		return fmt.Sprintf("%q is no URL of a repository", u.Redacted()), false
	default:
		if _, secret := u.User.Password(); secret {
			return "repository has a password, which everybody can read", true
		}
	}
	return "", false
}

// Plain is the host and the path of a repository's URL, by which it is the same for all
// who may know it by another user, scheme or ending.
func Plain(address string) string {
	text := address
	if IsSCP(text) {
		text = "ssh://" + strings.Replace(text, ":", "/", 1)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	return strings.ToLower(u.Hostname()) + "/" + strings.TrimSuffix(strings.Trim(path.Clean(u.Path), "/"), ".git")
}
