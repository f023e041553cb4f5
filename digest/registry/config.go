package registry

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	maxRegistriesFile = 1 << 20
	maxRegistries     = 1000
	maxMirrors        = 100
)

// Config is a registries configuration: where the images of a registry may
// also be had, and which registries must not be asked. Make it with
// [ParseConfig]. Nil means no configuration.
type Config struct {
	entries []registryEntry
}

// registryEntry is one [[registry]].
type registryEntry struct {
	prefix   string // a host, a path below one, or "*." and the end of a host
	location string
	file     string // for messages
	insecure bool
	blocked  bool
	mirrors  []mirror
}

// mirror is one [[registry.mirror]].
type mirror struct {
	location string
	insecure bool
	pull     string // all, digest-only or tag-only
}

type registriesFile struct {
	Unqualified []string          `toml:"unqualified-search-registries"`
	ShortNames  string            `toml:"short-name-mode"`
	Helpers     []string          `toml:"credential-helpers"`
	Aliases     map[string]string `toml:"aliases"`
	Registries  []struct {
		Prefix     string `toml:"prefix"`
		Location   string `toml:"location"`
		Insecure   bool   `toml:"insecure"`
		Blocked    bool   `toml:"blocked"`
		DigestOnly bool   `toml:"mirror-by-digest-only"`
		Mirrors    []struct {
			Location string `toml:"location"`
			Insecure bool   `toml:"insecure"`
			Pull     string `toml:"pull-from-mirror"`
		} `toml:"mirror"`
	} `toml:"registry"`
}

// ParseConfig reads a registries configuration of version 2, as Podman, CRI-O
// and Skopeo do (containers-registries.conf(5)). name is the file's name for
// messages; data is at most 1 MiB. A field that is not known is an error of the
// form "name:line: what".
//
// Each [[registry]] has a prefix (a host, a path below one, or "*.example.com"
// for all hosts below a domain; default: location), a location that takes its
// place (not with "*."), insecure (plain HTTP or a certificate that is not
// checked), blocked, mirror-by-digest-only and mirrors with a location,
// insecure and pull-from-mirror (all, digest-only, tag-only). The longest
// prefix that fits a repository counts.
//
// Mirrors are asked, in order, for manifests and blobs, and then the location.
// A mirror that fails, is slow or does not have it is passed over, so its "not
// found" never decides. What a mirror gives for a digest must hash to that
// digest. What it says a tag stands for is believed, as Podman does, if it is
// not set to digest-only: a mirror decides about tags as its registry does.
//
// unqualified-search-registries, short-name-mode and aliases are read and change
// nothing: a reference without a registry is never guessed, it means Docker Hub.
// credential-helpers are not started.
func ParseConfig(name string, data []byte) (*Config, error) {
	if len(data) > maxRegistriesFile {
		return nil, fault.Text(name + ": larger than 1 MiB")
	}
	var file registriesFile
	meta, err := toml.Decode(string(data), &file)
	if err != nil {
		return nil, tomlFault(name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		key := unknown[0]
		return nil, fault.Text(fmt.Sprintf("%s:%d: unknown field %q", name, lineOf(data, key[len(key)-1]), fault.Shorten(key.String())))
	}
	if len(file.Registries) > maxRegistries {
		return nil, fault.Text(fmt.Sprintf("%s: more than %d registries", name, maxRegistries))
	}
	r := &Config{}
	for i, f := range file.Registries {
		e := registryEntry{prefix: cmp.Or(f.Prefix, f.Location), location: f.Location, insecure: f.Insecure, blocked: f.Blocked, file: name}
		if len(f.Mirrors) > maxMirrors {
			return nil, fault.Text(fmt.Sprintf("%s: registry %d: more than %d mirrors", name, i+1, maxMirrors))
		}
		for _, m := range f.Mirrors {
			if f.DigestOnly && m.Pull == "" {
				m.Pull = "digest-only"
			}
			e.mirrors = append(e.mirrors, mirror{location: m.Location, insecure: m.Insecure, pull: m.Pull})
		}
		if why := e.check(); why != "" {
			return nil, fault.Text(fmt.Sprintf("%s:%d: registry %d: %s", name, lineOfTable(data, i), i+1, why))
		}
		e.fold()
		r.entries = append(r.entries, e)
	}
	return r, nil
}

// Join adds the entries of other files, such as those of registries.conf.d. An
// entry for the same prefix takes the place of an earlier one.
func (r *Config) Join(others ...*Config) *Config {
	joined := &Config{}
	at := make(map[string]int)
	for _, part := range append([]*Config{r}, others...) {
		if part == nil {
			continue
		}
		for _, e := range part.entries {
			if i, ok := at[e.prefix]; ok {
				joined.entries[i] = e
				continue
			}
			at[e.prefix] = len(joined.entries)
			joined.entries = append(joined.entries, e)
		}
	}
	return joined
}

func tomlFault(name string, err error) error {
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		return fault.Text(fmt.Sprintf("%s:%d:%d: %s", name, parse.Position.Line, max(parse.Position.Col, 1), fault.OneLine(parse.Message)))
	}
	// A value of the wrong type comes as text: toml: line 2 (last key "k"): what
	text := strings.TrimPrefix(err.Error(), "toml: ")
	var line int
	if _, scanErr := fmt.Sscanf(text, "line %d (", &line); scanErr == nil {
		if _, what, ok := strings.Cut(text, "): "); ok {
			return fault.Text(fmt.Sprintf("%s:%d: %s", name, line, fault.OneLine(what)))
		}
	}
	return fault.Text(name + ": " + fault.OneLine(text))
}

// lineOf finds the first line that sets a key. The library does not say where a
// field is that no one wanted.
func lineOf(data []byte, key string) int {
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimLeft(line, " \t[\"'")
		if rest, ok := strings.CutPrefix(line, key); ok && strings.TrimLeft(rest, " \t\"'=].") != rest || line == key {
			return i + 1
		}
	}
	return 1
}

// lineOfTable finds the n-th [[registry]].
func lineOfTable(data []byte, n int) int {
	for i, line := range strings.Split(string(data), "\n") {
		if table, _, _ := strings.Cut(line, "#"); strings.Join(strings.Fields(table), "") == "[[registry]]" {
			if n == 0 {
				return i + 1
			}
			n--
		}
	}
	return 1
}

func (e *registryEntry) check() string {
	if e.prefix == "" {
		return "neither prefix nor location"
	}
	domain, wild := strings.CutPrefix(e.prefix, "*.")
	switch {
	case wild && e.location != "":
		return "a prefix with \"*.\" cannot have a location"
	case wild && strings.ContainsAny(domain, "/*"):
		return "a prefix with \"*.\" cannot have a path"
	}
	if why := checkLocation(domain); why != "" {
		return "prefix: " + why
	}
	if e.location != "" {
		if why := checkLocation(e.location); why != "" {
			return "location: " + why
		}
	}
	for i, m := range e.mirrors {
		why := checkLocation(m.location)
		switch {
		case m.location == "":
			why = "no location"
		case why == "" && m.pull != "" && m.pull != "all" && m.pull != "digest-only" && m.pull != "tag-only":
			why = fmt.Sprintf("pull-from-mirror is %q, write all, digest-only or tag-only", fault.Shorten(m.pull))
		}
		if why != "" {
			return fmt.Sprintf("mirror %d: %s", i+1, why)
		}
	}
	return ""
}

// checkLocation checks a host with an optional path.
func checkLocation(s string) string {
	host, path, hasPath := strings.Cut(s, "/")
	switch {
	case strings.Contains(s, "://"):
		return "a URL, write only host and path"
	case host == "":
		return "no host"
	}
	if at, why := grammar.CheckHost(host); why != "" {
		return fmt.Sprintf("byte %d: %s", at+1, why)
	}
	if !hasPath {
		return ""
	}
	for part := range strings.SplitSeq(path, "/") {
		if at, why := grammar.CheckPart(part); why != "" {
			return fmt.Sprintf("byte %d: %s", len(host)+2+at, why)
		}
	}
	return ""
}

// fold writes Docker Hub the way its URLs do.
func (e *registryEntry) fold() {
	e.prefix, e.location = foldHost(e.prefix), foldHost(e.location)
	for i := range e.mirrors {
		e.mirrors[i].location = foldHost(e.mirrors[i].location)
	}
}

func foldHost(location string) string {
	host, path, ok := strings.Cut(location, "/")
	host = grammar.FoldHost(host)
	if ok {
		return host + "/" + path
	}
	return host
}

// find gives the entry with the longest prefix for a repository, or nil. A host
// that is spelt out goes before one with "*.".
func (r *Config) find(host, repo string) *registryEntry {
	if r == nil {
		return nil
	}
	var best *registryEntry
	full := host + "/" + repo
	for i := range r.entries {
		e := &r.entries[i]
		if !e.covers(host, full) {
			continue
		}
		if best == nil || e.rank() > best.rank() {
			best = e
		}
	}
	return best
}

func (e *registryEntry) covers(host, full string) bool {
	if domain, wild := strings.CutPrefix(e.prefix, "*"); wild {
		name, _, _ := strings.Cut(host, ":")
		return strings.HasSuffix(host, domain) || strings.HasSuffix(name, domain)
	}
	return strings.HasPrefix(full, e.prefix+"/") || full == e.prefix || host == e.prefix
}

func (e *registryEntry) rank() int {
	if strings.HasPrefix(e.prefix, "*") {
		return len(e.prefix) - 1<<16
	}
	return len(e.prefix)
}

// insecure tells whether the configuration allows plain HTTP, or a certificate
// that is not accepted, for a host: as a registry, or where one's images are.
func (r *Config) insecure(host string) bool {
	if r == nil {
		return false
	}
	for _, e := range r.entries {
		if e.insecure && (e.location == "" && e.covers(host, host+"/") || hostOf(e.location) == host) {
			return true
		}
		for _, m := range e.mirrors {
			if m.insecure && hostOf(m.location) == host {
				return true
			}
		}
	}
	return false
}

// names tells whether a host is spelt out as a registry, or as where one's images are.
func (r *Config) names(host string) bool {
	return r != nil && slices.ContainsFunc(r.entries, func(e registryEntry) bool {
		return hostOf(e.prefix) == host || e.location != "" && hostOf(e.location) == host
	})
}

func hostOf(location string) string {
	host, _, _ := strings.Cut(location, "/")
	return host
}
