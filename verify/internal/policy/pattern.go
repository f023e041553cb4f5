package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// pattern is a glob over whole repository names.
type pattern struct {
	text string // as written
	full string // with the registry in its canonical form
	re   *regexp.Regexp
}

// Match tells whether a repository, by its canonical name, fits the glob.
func (p pattern) Match(repository string) bool { return p.re.MatchString(repository) }

const (
	lowerChars = "abcdefghijklmnopqrstuvwxyz0123456789._/*-"
	upperChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// parsePattern compiles a glob. A glob that can match no repository is an
// error: with "unmatched: allow", a rule that never holds is an open door.
func parsePattern(s string) (pattern, error) {
	fail := func(hint, format string, args ...any) (pattern, error) {
		return pattern{}, &hinted{fmt.Sprintf("pattern %q ", untrusted.OneLine(s)) + fmt.Sprintf(format, args...), hint}
	}
	if strings.Contains(s, "***") {
		return fail("", "has more than two stars in a row")
	}
	if strings.Contains(s, "@") {
		return fail("leave out tag and digest", "does not name a repository")
	}
	host, path, slash := strings.Cut(s, "/")
	if strings.HasPrefix(s, "[") {
		if !slash || !isIPv6Host(host) {
			return fail("[fd00::5]:5000/shop/**", "begins with [, and with no IPv6 address and port behind it")
		}
	} else if strings.Trim(host, lowerChars+upperChars+":") != "" {
		return fail("only * and ** are special, and everything else is taken as it stands", "has a character that no repository name has")
	}
	if strings.Trim(path, lowerChars+upperChars+":") != "" {
		return fail("only * and ** are special, and everything else is taken as it stands", "has a character that no repository name has")
	}
	if !slash {
		if strings.ContainsAny(s, upperChars) {
			return fail(strings.ToLower(s), "has upper case letters, which no repository name has")
		}
		if strings.HasPrefix(s, "**") || strings.HasSuffix(s, "**") {
			return pattern{s, s, compileGlob(s)}, nil
		}
		return fail("index.docker.io/library/"+strings.ToLower(s), "names no registry, so it matches nothing")
	}
	if !strings.ContainsAny(host, ".:*") && host != "localhost" {
		return fail("index.docker.io/"+strings.ToLower(s), "names no registry, so it matches nothing")
	}
	if strings.Contains(path, ":") {
		return fail("leave out tag and digest", "does not name a repository")
	}
	if strings.ContainsAny(path, upperChars) {
		return fail(host+"/"+strings.ToLower(path), "has upper case letters, which no repository name has")
	}
	if path == "" || strings.Contains(s, "//") || strings.HasSuffix(s, "/") {
		return fail(strings.TrimRight(s, "/")+"/**", "has an empty part, so it matches nothing")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part[0] == '.' || part[0] == '-' {
			return fail("", "has the part %q, which no repository has, so it matches nothing", untrusted.OneLine(part))
		}
	}
	if strings.HasPrefix(host, ".") || strings.HasPrefix(host, "-") || strings.Contains(host, "..") {
		return fail("", "has no registry that can be, so it matches nothing")
	}
	host = canonicalHost(host)
	if host == name.DefaultRegistry && !strings.Contains(path, "/") && !strings.Contains(path, "**") {
		path = "library/" + path
	}
	full := host + "/" + path
	return pattern{s, full, compileGlob(full)}, nil
}

func compileGlob(s string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(s)
	quoted = strings.ReplaceAll(quoted, `\*\*`, `.*`)
	quoted = strings.ReplaceAll(quoted, `\*`, `[^/]*`)
	return regexp.MustCompile(`^(?:` + quoted + `)$`)
}

// CanonicalName is the name a pattern is compared with. The same repository
// can be reached under several spellings of its registry; a rule must hold for
// all of them.
func CanonicalName(r name.Repository) string {
	host, path := canonicalHost(r.RegistryStr()), r.RepositoryStr()
	// The library adds it for two spellings of Docker Hub only.
	if host == name.DefaultRegistry && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return host + "/" + path
}

// isIPv6Host tells whether a registry is an IPv6 address in brackets, with or
// without a port.
func isIPv6Host(host string) bool {
	inner, port, ok := strings.Cut(strings.TrimPrefix(host, "["), "]")
	a, err := netip.ParseAddr(inner)
	return ok && err == nil && a.Is6() && a.Zone() == "" && (port == "" || len(port) > 1 && port[0] == ':' && strings.Trim(port[1:], "0123456789") == "")
}

// canonicalHost has one spelling for the hosts that are one registry.
func canonicalHost(host string) string {
	if strings.HasPrefix(host, "[") && isIPv6Host(host) {
		inner, port, _ := strings.Cut(host[1:], "]")
		host = "[" + netip.MustParseAddr(inner).String() + "]"
		if port = strings.TrimLeft(strings.TrimPrefix(port, ":"), "0"); port != "" && port != "443" {
			host += ":" + port
		}
		return host
	}
	host, port, _ := strings.Cut(strings.ToLower(host), ":")
	host = strings.TrimSuffix(host, ".")
	// 0443 and nothing at all are port 443, too.
	if port = strings.TrimLeft(port, "0"); port != "" && port != "443" {
		return host + ":" + port
	}
	switch host {
	case "docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return name.DefaultRegistry
	}
	return host
}
