package tags

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/sync/errgroup"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	maxTags = 100_000
	// maxCreated bounds the tags whose creation time is asked for: each costs
	// requests, and Docker Hub counts them.
	maxCreated     = 256
	createdAtATime = 8
)

// ErrNoTag means that no tag of a repository is one that a [Selector] admits: a
// definite no about the tags that were given.
var ErrNoTag = errors.New("no tag is admitted")

// Selection is the newest tag, and why it is.
type Selection struct {
	// Tag is the tag that was chosen.
	Tag string `json:"tag"`
	// Why says so in one line: what it is the newest of, and what the other
	// tags lack.
	Why string `json:"why"`
	// Considered counts the tags that the selector admits, Tag among them.
	Considered int `json:"considered"`
	// Equal are the tags that are as new as Tag, sorted. The tag that was
	// chosen among them has the most numbers in its version, then no "v" in
	// front, then the shortest name, then the one that sorts first: "1.0.0"
	// before "v1.0.0" and "1.0", which more often moves on.
	Equal []string `json:"equal,omitempty"`
	// Rejected are the tags that the selector does not admit, by reason.
	Rejected []Rejection `json:"rejected,omitempty"`
}

// Rejection is a reason for which tags were not considered.
type Rejection struct {
	// Reason is what they are or have: "no version", "outside the range".
	Reason string `json:"reason"`
	// Tags are sorted.
	Tags []string `json:"tags"`
}

// The reasons, in the order in which they are reported.
const (
	notATag      = "outside the grammar of tags"
	noMatch      = "not matching the pattern"
	noVersion    = "no version"
	noNumber     = "no number"
	emptyGroup   = "nothing in the group"
	outsideRange = "outside the range"
	prerelease   = "prerelease"
	gone         = "gone since they were listed"
	noTime       = "no creation time"
)

// candidate is a tag that is admitted, with what it is ordered by.
type candidate struct {
	tag     string
	value   string // of the group, or the tag
	version *semver.Version
	created time.Time
}

// Select chooses the newest of tags, which may be in any order and have doubles.
// No tag that is admitted is an error, [ErrNoTag], that says why. More than
// 100,000 tags are an error, as is a selector that orders by creation time.
func (s *Selector) Select(tags []string) (Selection, error) {
	if s.kind == byCreated {
		return Selection{}, failed(nil, "selector %q needs the times at which images were created", s.text)
	}
	admitted, rejected, err := s.admit(tags)
	if err != nil {
		return Selection{}, err
	}
	return s.choose(admitted, rejected)
}

// SelectCreated is Select with a way to ask when the image of a tag was created,
// such as [digest.Resolver.Created], for a selector that orders by that; others do not
// ask. created is called from up to eight goroutines at a time, all of which are
// over when SelectCreated returns.
//
// It is the last resort: it costs requests for each tag, builds that can be
// reproduced have no time in them, and an image that was tagged again is as old
// as it was. Times before 1981 are such placeholders, and their tags do not take
// part; nor do those of which created says [digest.ErrNotFound]. Any other error of
// created ends it: the tag might be the newest. More than 256 tags to ask about
// are an error too; a pattern makes them fewer.
func (s *Selector) SelectCreated(ctx context.Context, tags []string, created func(ctx context.Context, tag string) (time.Time, error)) (Selection, error) {
	if s.kind != byCreated {
		return s.Select(tags)
	}
	admitted, rejected, err := s.admit(tags)
	if err != nil {
		return Selection{}, err
	}
	if len(admitted) > maxCreated {
		return Selection{}, failed(nil, "selector %q has %d tags to ask for their creation time, more than %d: put regexp:PATTERN before it", s.text, len(admitted), maxCreated)
	}
	reasons, err := askCreated(ctx, admitted, created)
	if err != nil {
		return Selection{}, err
	}
	var timed []candidate
	for i, c := range admitted {
		if reasons[i] != "" {
			rejected[reasons[i]] = append(rejected[reasons[i]], c.tag)
			continue
		}
		timed = append(timed, c)
	}
	return s.choose(timed, rejected)
}

// askCreated fills in the times, or says why a tag has none.
func askCreated(ctx context.Context, tags []candidate, created func(context.Context, string) (time.Time, error)) ([]string, error) {
	reasons := make([]string, len(tags))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(createdAtATime)
	for i := range tags {
		group.Go(func() error {
			tag := &tags[i]
			if err := ctx.Err(); err != nil {
				return failed(errors.Join(digest.ErrUnknown, err), "creation time of tag %q: %s", tag.tag, fault.Network(err))
			}
			at, err := created(ctx, tag.tag)
			switch {
			case errors.Is(err, digest.ErrNotFound):
				reasons[i] = gone
			case err != nil:
				return failed(err, "creation time of tag %q: %v", tag.tag, err)
			case at.Year() <= 1980:
				reasons[i] = noTime
			}
			tag.created = at
			return nil
		})
	}
	return reasons, group.Wait()
}

// failed is the error of a selection: its text is fit for printing.
func failed(cause error, format string, args ...any) error {
	return &fault.Cause{Text: fault.OneLine(fmt.Sprintf(format, args...)), Err: cause}
}

// admit sorts tags, and out of them what the selector does not admit.
func (s *Selector) admit(tags []string) ([]candidate, map[string][]string, error) {
	if len(tags) > maxTags {
		return nil, nil, failed(nil, "more than %d tags to select from", maxTags)
	}
	tags = slices.Sorted(slices.Values(tags))
	var admitted []candidate
	rejected := make(map[string][]string)
	for _, tag := range slices.Compact(tags) {
		c, reason := s.candidate(tag)
		if reason != "" {
			rejected[reason] = append(rejected[reason], tag)
			continue
		}
		admitted = append(admitted, c)
	}
	return admitted, rejected, nil
}

// candidate reads a tag, or says why it is not admitted.
func (s *Selector) candidate(tag string) (candidate, string) {
	if _, why := grammar.CheckTag(tag); why != "" {
		return candidate{}, notATag
	}
	c := candidate{tag: tag, value: tag}
	if s.pattern != nil {
		m := s.pattern.FindStringSubmatch(tag)
		if m == nil {
			return c, noMatch
		}
		if s.group > 0 {
			c.value = m[s.group]
		}
		if c.value == "" && s.kind != byCreated {
			return c, emptyGroup
		}
	}
	switch s.kind {
	case bySemver:
		return s.versionOf(c)
	case byNumber:
		if !isDecimal(c.value) {
			return c, noNumber
		}
		for _, b := range s.bounds {
			if !b.admits(c.value) {
				return c, outsideRange
			}
		}
	}
	return c, ""
}

func (s *Selector) versionOf(c candidate) (candidate, string) {
	v, err := semver.NewVersion(c.value)
	if err != nil || numbersIn(c.value) < 2 {
		return c, noVersion
	}
	c.version = v
	if s.versions.Check(v) {
		return c, ""
	}
	if v.Prerelease() != "" && !s.versions.IncludePrerelease {
		all := *s.versions
		all.IncludePrerelease = true
		if all.Check(v) {
			return c, prerelease
		}
	}
	return c, outsideRange
}

// numbersIn counts the numbers of a version before its prerelease.
func numbersIn(version string) int {
	core := version[:grammar.Span(version, func(c byte) bool { return c != '-' && c != '+' })]
	return strings.Count(core, ".") + 1
}

func (s *Selector) choose(admitted []candidate, rejected map[string][]string) (Selection, error) {
	sel := Selection{Considered: len(admitted)}
	for _, reason := range []string{notATag, noMatch, noVersion, noNumber, emptyGroup, outsideRange, prerelease, gone, noTime} {
		if tags := rejected[reason]; len(tags) > 0 {
			slices.Sort(tags)
			sel.Rejected = append(sel.Rejected, Rejection{Reason: reason, Tags: tags})
		}
	}
	if len(admitted) == 0 {
		return sel, failed(ErrNoTag, "no tag for %q: %s", s.text, describeRejected(sel.Rejected))
	}
	best := admitted[0]
	for _, c := range admitted[1:] {
		if order := s.compare(c, best); order > 0 || order == 0 && preferred(c, best) {
			best = c
		}
	}
	for _, c := range admitted {
		if c.tag != best.tag && s.compare(c, best) == 0 {
			sel.Equal = append(sel.Equal, c.tag)
		}
	}
	sel.Tag = best.tag
	sel.Why = s.why(sel, best)
	return sel, nil
}

// Older tells whether a tag is older than another by the selector's order, wherever
// they stand to its range. It is false where that cannot be told: of a tag that has no
// place in the order, and of the times at which images were built, which no tag tells.
func (s *Selector) Older(tag, than string) bool {
	var both [2]candidate
	for i, text := range []string{tag, than} {
		c, reason := s.candidate(text)
		if reason != "" && reason != outsideRange && reason != prerelease {
			return false
		}
		both[i] = c
	}
	return s.kind != byCreated && s.compare(both[0], both[1]) < 0
}

// compare is positive where a is newer than b.
func (s *Selector) compare(a, b candidate) int {
	order := 0
	switch s.kind {
	case bySemver:
		order = a.version.Compare(b.version)
	case byNumber:
		order = compareDecimals(a.value, b.value)
	case byText:
		order = strings.Compare(a.value, b.value)
	case byCreated:
		order = a.created.Compare(b.created)
	}
	if s.descending {
		return -order
	}
	return order
}

// preferred decides between tags that are equally new; see Selection.Equal.
func preferred(a, b candidate) bool {
	if a.version != nil {
		if n, m := numbersIn(a.value), numbersIn(b.value); n != m {
			return n > m
		}
		if v, w := strings.HasPrefix(a.value, "v"), strings.HasPrefix(b.value, "v"); v != w {
			return w
		}
	}
	if len(a.tag) != len(b.tag) {
		return len(a.tag) < len(b.tag)
	}
	return a.tag < b.tag
}

// why is the line that explains a choice.
func (s *Selector) why(sel Selection, best candidate) string {
	var superlative string
	switch {
	case s.kind == bySemver:
		superlative = "highest"
	case s.kind == byCreated:
		superlative = "created last, at " + best.created.UTC().Format(time.RFC3339) + ","
	case s.kind == byNumber && s.descending:
		superlative = "smallest"
	case s.kind == byNumber:
		superlative = "largest"
	case s.descending:
		superlative = "first"
	default:
		superlative = "last"
	}
	text := fmt.Sprintf("%s: %s of %s", sel.Tag, superlative, counted(sel.Considered))
	if s.kind == bySemver {
		text += " in " + s.rangeText
	}
	for _, b := range s.bounds {
		text += " " + b.op + b.number
	}
	if len(sel.Equal) > 0 {
		text += ", as new as " + fault.SomeOf(sel.Equal)
	}
	if len(sel.Rejected) > 0 {
		text += "; " + describeRejected(sel.Rejected)
	}
	return text
}

func counted(n int) string {
	if n == 1 {
		return "1 tag"
	}
	return fmt.Sprintf("%d tags", n)
}

// describeRejected counts tags by reason: "not considered: 3 no version, 5
// outside the range".
func describeRejected(rejected []Rejection) string {
	if len(rejected) == 0 {
		return "there are no tags"
	}
	var parts []string
	for _, r := range rejected {
		parts = append(parts, fmt.Sprintf("%d %s", len(r.Tags), r.Reason))
	}
	return "not considered: " + strings.Join(parts, ", ")
}
