// Package shard splits services among processes that know nothing of each other: each takes
// those that a hash of their names gives to it. Git is the only lock between them.
//
// Services that depend on each other are in one shard, as one promotion has to bring them in
// their order. What a name gives does not depend on what other services there are; it
// changes with the number of shards, and where dependencies join or part services.
package shard

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Most is how many shards there may be.
const Most = 10_000

// Shard is one of several parts, by its number from 0 on. The zero value is all.
type Shard struct{ Index, Count int }

var form = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]{1,6})/([0-9]{1,6})$`) })

// ErrMalformed is the kind of an error of [Parse].
var ErrMalformed = errors.New("malformed shard")

type malformed string

// Error says what would do.
func (m malformed) Error() string { return string(m) }

// Unwrap gives [ErrMalformed].
func (malformed) Unwrap() error { return ErrMalformed }

// Parse reads K/N, such as 0/4: the first of four. The error is one line, says what would do,
// and is of [ErrMalformed].
func Parse(s string) (Shard, error) {
	m := form().FindStringSubmatch(s)
	if m == nil {
		return Shard{}, malformed(fmt.Sprintf("%q is no shard: K/N, where 0/4 is the first of four", s))
	}
	k, _ := strconv.Atoi(m[1]) // of few digits
	n, _ := strconv.Atoi(m[2])
	switch {
	case n == 0 || n > Most:
		return Shard{}, malformed(fmt.Sprintf("%q is no shard: there may be 1 to %d", s, Most))
	case k >= n:
		return Shard{}, malformed(fmt.Sprintf("%q is no shard: they are numbered from 0 to %d", s, n-1))
	}
	return Shard{k, n}, nil
}

// String is K/N, or "" for all.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// MarshalText is [Shard.String].
func (s Shard) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is [Parse].
func (s *Shard) UnmarshalText(text []byte) (err error) {
	*s, err = Parse(string(text))
	return err
}

// Takes tells whether something is in the shard, by its name.
func (s Shard) Takes(name string) bool {
	if s.Count <= 1 {
		return true
	}
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(sum[:])%uint64(s.Count) == uint64(s.Index)
}

// Services gives those of the shard, in their order. Those that a pipeline has depend on each
// other, over however many steps, count by the name that comes first of them.
func (s Shard) Services(p *pipeline.Pipeline, names []string) []string {
	if s.Count <= 1 {
		return names
	}
	first := together(p)
	var out []string
	for _, name := range names {
		by := name
		if f, ok := first[name]; ok {
			by = f
		}
		if s.Takes(by) {
			out = append(out, name)
		}
	}
	return out
}

// together gives the first name of those that depend on each other, for each of them.
func together(p *pipeline.Pipeline) map[string]string {
	parent := make(map[string]string)
	var root func(name string) string
	root = func(name string) string {
		if up, ok := parent[name]; ok && up != name {
			parent[name] = root(up)
			return parent[name]
		}
		return name
	}
	for _, service := range p.Spec.Services {
		for _, other := range service.DependsOn {
			a, b := root(service.Name), root(other)
			parent[max(a, b)], parent[min(a, b)] = min(a, b), min(a, b)
		}
	}
	for name := range parent {
		parent[name] = root(name)
	}
	return parent
}
