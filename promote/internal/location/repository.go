package location

import (
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// scpURL is USER@HOST:PATH.
var scpURL = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9][A-Za-z0-9._-]*:[^:]+$`) })

// Repository tells whether a text is the URL of a git repository, rather than a path or a
// name. Why says what is wrong with one that is: git would take some for commands to run,
// and a password would be there for all to read. Hint, if not empty, is what to do then.
func Repository(text string) (isURL bool, why, hint string) {
	if scpURL().MatchString(text) {
		return true, "", ""
	}
	if !strings.Contains(text, "://") {
		return false, "", ""
	}
	u, err := url.Parse(text)
	if err != nil {
		return true, "is no URL", ""
	}
	if !strings.Contains(" https http ssh git file ", " "+u.Scheme+" ") || u.Host == "" && u.Scheme != "file" || strings.HasPrefix(u.Host, "-") {
		return true, "is " + strconv.Quote(u.Redacted()) + ", which is no URL of a repository", ""
	}
	if _, secret := u.User.Password(); secret {
		return true, "has a password, which everybody can read", "git's credential helpers keep it"
	}
	return true, "", ""
}

// PlainURL is the host and the path of a repository's URL, by which it is the same for all
// who may know it by another user, scheme or ending.
func PlainURL(text string) string {
	if scpURL().MatchString(text) {
		text = "ssh://" + strings.Replace(text, ":", "/", 1)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	return strings.ToLower(u.Hostname()) + "/" + strings.TrimSuffix(strings.Trim(path.Clean(u.Path), "/"), ".git")
}

// badBranch is what git takes for the name of no branch
// (https://git-scm.com/docs/git-check-ref-format).
var badBranch = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./]|[./]$|\.lock(/|$)`)
})

// IsBadBranch tells that git takes a text for the name of no branch, and of no tag.
func IsBadBranch(name string) bool { return badBranch().MatchString(name) }
