// Package sources tells which commits of an image's source lie between two of its
// versions, by what the images say of themselves.
//
// What they say is the text of whoever has built them. It is taken only where it has the
// form of an address and of a revision, and both images name one repository: else nothing
// is claimed.
package sources

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// Of is what one image says: the address of its source, and the revision.
type Of struct{ URL, Revision string }

// Change is what has happened to the source between two images.
type Change struct {
	// Repository is the address of the source in a browser.
	Repository string `json:"repository"`
	// Old and New are the revisions of the image that is there and of the one that comes.
	Old string `json:"old"`
	New string `json:"new"`
	// Compare is where a browser shows the commits between them, where the host is one
	// whose form is known.
	Compare string `json:"compare,omitempty"`
}

// String is the change on one line, with short revisions.
func (c Change) String() string {
	if c.Old == c.New {
		return c.Repository + " " + short(c.New) + ", the same commit"
	}
	return c.Repository + " " + short(c.Old) + ".." + short(c.New)
}

// short is a revision as people name it.
func short(revision string) string {
	const digits = 7
	if commit().MatchString(revision) {
		return revision[:digits]
	}
	return revision
}

// Kind is the kind of a forge, by which its addresses are formed.
type Kind string

// The kinds whose addresses are known.
const (
	GitHub    Kind = "github"
	GitLab    Kind = "gitlab"
	Gitea     Kind = "gitea" // and Forgejo
	Bitbucket Kind = "bitbucket"
)

// hosts are those whose kind everybody knows.
var hosts = map[string]Kind{"github.com": GitHub, "gitlab.com": GitLab, "codeberg.org": Gitea, "gitea.com": Gitea, "bitbucket.org": Bitbucket}

const (
	maxAddress  = 300
	maxRevision = 128
)

var (
	commit     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{7,64}$`) })
	revision   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._/+-]*$`) })
	repository = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(/[0-9A-Za-z~_][0-9A-Za-z._~+-]*){1,20}$`) })
	host       = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?(:[0-9]{1,5})?$`)
	})
	scp = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._-]+@([^:/]+):(.+)$`) })
)

// Between tells what lies between two images; false where they do not say it both. more
// are hosts, with their ports, whose kind the caller knows.
func Between(old, now Of, more map[string]Kind) (Change, bool) {
	at, ok := address(now.URL)
	before, there := address(old.URL)
	if !ok || !there || at != before || !isRevision(old.Revision) || !isRevision(now.Revision) {
		return Change{}, false
	}
	c := Change{Repository: at, Old: old.Revision, New: now.Revision}
	if c.Old != c.New && commit().MatchString(c.Old) && commit().MatchString(c.New) {
		c.Compare = compare(at, c.Old, c.New, more)
	}
	return c, true
}

func isRevision(s string) bool {
	return len(s) <= maxRevision && revision().MatchString(s) && !strings.Contains(s, "..")
}

// address is that of a source in a browser: https, a host and a path, and nothing else.
func address(text string) (string, bool) {
	if len(text) > maxAddress {
		return "", false
	}
	if m := scp().FindStringSubmatch(text); m != nil && !strings.Contains(text, "://") {
		text = "ssh://" + m[1] + "/" + m[2]
	}
	u, err := url.Parse(strings.TrimPrefix(text, "git+"))
	if err != nil || u.Opaque != "" {
		return "", false
	}
	scheme, at := "https", u.Host
	switch u.Scheme {
	case "https":
	case "http":
		scheme = "http"
	case "ssh", "git":
		at = u.Hostname()
	default:
		return "", false
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")
	if !host().MatchString(at) || strings.Contains(at, "..") || !repository().MatchString(path) || strings.Contains(path, "..") {
		return "", false
	}
	return scheme + "://" + strings.ToLower(at) + path, true
}

// compare is where the commits are shown.
func compare(repository, old, now string, more map[string]Kind) string {
	_, rest, _ := strings.Cut(repository, "://")
	at, path, _ := strings.Cut(rest, "/")
	kind, ok := hosts[at]
	if !ok {
		kind = more[at]
	}
	if strings.HasSuffix(at, ".ghe.com") {
		kind = GitHub
	}
	deep := strings.Count(path, "/")
	switch {
	case deep < 1 || deep > 1 && kind != GitLab:
		return ""
	case kind == GitHub || kind == Gitea:
		return repository + "/compare/" + old + "..." + now
	case kind == GitLab:
		return repository + "/-/compare/" + old + "..." + now
	case kind == Bitbucket:
		return repository + "/branches/compare/" + now + "%0D" + old
	}
	return ""
}
