package tags_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/tags"
)

func parseSelector(t testing.TB, s string) *tags.Selector {
	t.Helper()
	sel, err := tags.ParseSelector(s)
	if err != nil {
		t.Fatalf("ParseSelector(%q): %v", s, err)
	}
	return sel
}

func TestSelect(t *testing.T) {
	for _, tt := range []struct{ selector, tags, want string }{
		{"semver:>=1.0 <2", "1.0.0 1.4.2 1.10.0 2.0.0 0.9.9 latest",
			"1.10.0: highest of 3 tags in >=1.0 <2; not considered: 1 no version, 2 outside the range"},
		{"semver", "v1.2.3 1.2.4", "1.2.4: highest of 2 tags in *"},
		{"semver:", "1.2.3 2.0.0-rc.1", "1.2.3: highest of 1 tag in *; not considered: 1 prerelease"},
		{"semver:*", "1.2.3 20240131 abcdef1 7", "1.2.3: highest of 1 tag in *; not considered: 3 no version"},
		{"semver:~1.4", "1.4.2 1.5.0 1.4.10", "1.4.10: highest of 2 tags in ~1.4; not considered: 1 outside the range"},
		{"semver:1.x || >=3", "1.9.0 2.1.0 3.0.0", "3.0.0: highest of 2 tags in 1.x || >=3; not considered: 1 outside the range"},
		// Prereleases take part where the range names one, or when told to.
		{"semver:>=1.0.0-0", "1.0.0 1.1.0-rc.2 1.1.0-rc.10", "1.1.0-rc.10: highest of 3 tags in >=1.0.0-0"},
		{"semver:>=1.0 prereleases", "1.0.0 1.1.0-rc.1 0.1.0-rc.1",
			"1.1.0-rc.1: highest of 2 tags in >=1.0; not considered: 1 outside the range"},
		{"semver:prereleases", "1.0.0 1.1.0-rc.1", "1.1.0-rc.1: highest of 2 tags in *"},
		{"semver:>=1.0", "1.0.0 1.1.0-rc.1 0.1.0-rc.1",
			"1.0.0: highest of 1 tag in >=1.0; not considered: 1 outside the range, 1 prerelease"},
		// The same version in several spellings.
		{"semver:1.x", "1.0 v1.0.0 1.0.0 v1.0", "1.0.0: highest of 4 tags in 1.x, as new as 1.0, v1.0, v1.0.0"},
		{"semver:1.x", "1.0 v1.0.0", "v1.0.0: highest of 2 tags in 1.x, as new as 1.0"},
		{"semver:1.x", "1.4 1.4.0-alpine 1.4.2", "1.4.2: highest of 2 tags in 1.x; not considered: 1 prerelease"},
		{"semver:>=2024", "2024.01.05 2023.12.31", "2024.01.05: highest of 1 tag in >=2024; not considered: 1 outside the range"},

		{"numeric", "9 10 x 1.5", "10: largest of 3 tags; not considered: 1 no number"},
		{"numeric:asc", "9 10", "10: largest of 2 tags"},
		{"numeric:desc", "9 10", "9: smallest of 2 tags"},
		{"numeric:>=10 <100", "9 10 50 100", "50: largest of 2 tags >=10 <100; not considered: 2 outside the range"},
		{"numeric:desc >9", "9 10 11", "10: smallest of 2 tags >9; not considered: 1 outside the range"},
		{"numeric:=10", "9 10.0 11", "10.0: largest of 1 tag =10; not considered: 2 outside the range"},
		{"numeric:<=10", "9 10 11", "10: largest of 2 tags <=10; not considered: 1 outside the range"},
		// More digits than a float64 has.
		{"numeric", "20240131120000000000001 20240131120000000000002", "20240131120000000000002: largest of 2 tags"},
		{"numeric", "1.10 1.9 1e9", "1.9: largest of 2 tags; not considered: 1 no number"},
		{"numeric", "007 7", "7: largest of 2 tags, as new as 007"},
		// A group may have a number below zero; it was no number.
		{"regexp:^n(.*)$ numeric", "n-78 n5 n100 n--1 n-", "n100: largest of 3 tags; not considered: 2 no number"},
		{"regexp:^n(.*)$ numeric:desc", "n-78 n5 n100 n-9.5", "n-78: smallest of 4 tags"},
		{"regexp:^n(.*)$ numeric", "n-10 n-9 n-9.5", "n-9: largest of 3 tags"},
		{"regexp:^n(.*)$ numeric:>=-9 <0", "n-10 n-9 n-0.5 n0", "n-0.5: largest of 2 tags >=-9 <0; not considered: 2 outside the range"},
		{"regexp:^n(.*)$ numeric", "n-0 n0.0 n-1", "n-0: largest of 3 tags, as new as n0.0"},

		{"alphabetical", "a c b", "c: last of 3 tags"},
		{"alphabetical:asc", "2024-01-31 2024-02-01", "2024-02-01: last of 2 tags"},
		{"alphabetical:desc", "a c b", "a: first of 3 tags"},

		{`regexp:^main-[0-9a-f]+-(?P<n>\d+)$ numeric:n`, "main-abc-9 main-def-10 main-x dev-abc-11",
			"main-def-10: largest of 2 tags; not considered: 2 not matching the pattern"},
		{`regexp:^main-[0-9a-f]+-(\d+)$ numeric`, "main-abc-9 main-def-10", "main-def-10: largest of 2 tags"},
		{`regexp:^(?P<a>.*)-(?P<b>.*)$  numeric:  b  desc`, "1-7 2-6 3-5", "3-5: smallest of 3 tags"},
		{`regexp:^(?P<v>.*)-alpine$ semver:v ^3`, "3.1.0-alpine 3.2.0 3.1.5-alpine 4.0.0-alpine",
			"3.1.5-alpine: highest of 2 tags in ^3; not considered: 1 not matching the pattern, 1 outside the range"},
		{`regexp:^(?P<v>.*)-alpine$ semver`, "3.1-alpine 3.1.0-alpine", "3.1.0-alpine: highest of 2 tags in *, as new as 3.1-alpine"},
		{`regexp:alpine alphabetical`, "3-alpine 2-alpine 4", "3-alpine: last of 2 tags; not considered: 1 not matching the pattern"},
		{`regexp:^b(\d*) numeric`, "b b1", "b1: largest of 1 tag; not considered: 1 nothing in the group"},
		{`regexp:-(\d+)$ numeric`, "main-b-7 dev-7 main-a-7 main-a-6", "dev-7: largest of 4 tags, as new as main-a-7, main-b-7"},
		{"alphabetical", "a a b b", "b: last of 2 tags"},
		{"alphabetical", "a -x", "a: last of 1 tag; not considered: 1 outside the grammar of tags"},
		{`regexp:(\w) numeric`, "1a 1b 1c 1d 1e 0", "1a: largest of 6 tags, as new as 1b, 1c, 1d and 1 more"},
	} {
		sel := parseSelector(t, tt.selector)
		list := strings.Fields(tt.tags)
		got, err := sel.Select(list)
		if err != nil || got.Why != tt.want {
			t.Errorf("%s of %s: %v\n got %s\nwant %s", tt.selector, tt.tags, err, got.Why, tt.want)
		}
		if sel.String() != tt.selector {
			t.Errorf("%q prints as %q", tt.selector, sel)
		}
		slices.Reverse(list)
		if again, err := sel.Select(list); err != nil || !cmp.Equal(got, again) {
			t.Errorf("%s of %s depends on the order of tags: %+v, %v", tt.selector, tt.tags, again, err)
		}
	}
}

func TestSelectNone(t *testing.T) {
	for _, tt := range []struct{ selector, tags, want string }{
		{"semver:>=1.0 <2", "2.0.0 latest 1.0.0-rc.1", `no tag for "semver:>=1.0 <2": not considered: 1 no version, 2 outside the range`},
		{"semver:>=1.0 <2", "1.5.0-rc.1", `no tag for "semver:>=1.0 <2": not considered: 1 prerelease`},
		{"numeric", "", `no tag for "numeric": there are no tags`},
	} {
		got, err := parseSelector(t, tt.selector).Select(strings.Fields(tt.tags))
		if !errors.Is(err, tags.ErrNoTag) || err.Error() != tt.want || got.Tag != "" {
			t.Errorf("%s of %s: %+v, %v\nwant %s", tt.selector, tt.tags, got, err, tt.want)
		}
	}
	_, err := parseSelector(t, "numeric").Select(make([]string, 100_001))
	if err == nil || errors.Is(err, tags.ErrNoTag) || err.Error() != "more than 100000 tags to select from" {
		t.Errorf("too many tags: %v", err)
	}
}

func TestParseSelectorFaults(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", `byte 1: no order`},
		{"newest", `byte 1: unknown order "newest"`},
		{"Semver:1", `byte 1: unknown order "Semver"`},
		{"semver:>=1.0 <<2", `byte 14: not a range of versions from "<<2" on`},
		{"semver:>= 1.0, < 2 nope", `byte 20: not a range of versions from "nope" on`},
		{"semver:1.x || foo", `byte 15: not a range of versions from "foo" on`},
		{"semver:latest", `byte 8: not a range of versions from "latest" on`},
		{"semver:" + strings.Repeat("1.0.0 ", 100), `byte 520: range longer than 512 bytes`},
		{"semver:" + strings.Repeat("1||", 32) + "1", `byte 8: range of more than 32 parts`},
		{"numeric:up", `byte 9: "up" is neither asc nor desc`},
		{"numeric:asc desc", `byte 13: "desc" behind the direction, only bounds such as >=10 come here`},
		{"numeric:>=x", `byte 11: no number behind ">="`},
		{"numeric:asc  !=3", `byte 14: unknown operator "!="`},
		{"numeric:>", `byte 10: no number behind ">"`},
		{"alphabetical:asc desc", `byte 18: "desc" behind the direction`},
		{"created:now", `byte 9: "now" behind created, which has no words`},
		{"regexp:", `byte 8: empty pattern`},
		{"regexp:^main", `byte 13: no order`},
		{"regexp:^main-", `byte 14: no order`},
		{"regexp:a(b numeric", `byte 8: pattern: missing closing ) in "a(b"`},
		{"regexp:ab[z-a] numeric", `byte 11: pattern: invalid character class range in "z-a"`},
		{"regexp:(?P<n>a)(?P<m>b) numeric", `byte 32: the pattern has 2 groups, and the order names none`},
		{"regexp:(a)(b) numeric:asc", `byte 23: the pattern has 2 groups, and the order names none`},
		{"regexp:(?P<n>a) numeric:m", `byte 25: "m" is neither asc nor desc, nor a group of the pattern`},
		{"regexp:" + strings.Repeat("a", 1025) + " numeric", `byte 1032: pattern longer than 1024 bytes`},
		{strings.Repeat(" ", 2049), `byte 2049: longer than 2048 bytes`},
		{"semver:1\n", `byte 9: character "\n"`},
	} {
		_, err := tags.ParseSelector(tt.in)
		var e *tags.SelectorError
		if !errors.As(err, &e) || e.Selector != tt.in {
			t.Errorf("ParseSelector(%q): %#v, want a *SelectorError", tt.in, err)
			continue
		}
		if got := fmt.Sprintf("byte %d: %s", e.At, e.Msg); !strings.HasPrefix(got, tt.want) {
			t.Errorf("ParseSelector(%q):\n got %s\nwant %s", tt.in, got, tt.want)
		}
		if strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("message of several lines: %q", err)
		}
	}
	_, err := tags.ParseSelector("regexp:(?P<n>a)(?P<m>b) numeric")
	var e *tags.SelectorError
	if errors.As(err, &e); e.HintText() != "write one of these behind the order's colon: n, m" {
		t.Errorf("hint %q", e.HintText())
	}
}

func TestSelectCreated(t *testing.T) {
	day := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	times := map[string]time.Time{
		"main-a": day, "main-b": day.Add(time.Hour), "main-c": day.Add(time.Hour),
		"main-zero": {}, "main-1980": time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC),
	}
	created := func(_ context.Context, tag string) (time.Time, error) {
		if tag == "main-gone" {
			return time.Time{}, &digest.Error{Kind: digest.ErrNotFound}
		}
		return times[tag], nil
	}
	sel := parseSelector(t, "regexp:^main-(.*) created")
	if !sel.NeedsCreated() || parseSelector(t, "numeric").NeedsCreated() {
		t.Error("NeedsCreated is wrong")
	}
	list := []string{"main-c", "main-b", "main-a", "main-gone", "main-zero", "main-1980", "dev"}
	got, err := sel.SelectCreated(t.Context(), list, created)
	want := "main-b: created last, at 2024-01-31T13:00:00Z, of 3 tags, as new as main-c; " +
		"not considered: 1 not matching the pattern, 1 gone since they were listed, 2 no creation time"
	if err != nil || got.Why != want {
		t.Errorf("%v\n got %s\nwant %s", err, got.Why, want)
	}
	if _, err := sel.Select(list); err == nil || errors.Is(err, tags.ErrNoTag) {
		t.Errorf("without times: %v", err)
	}
	got, err = parseSelector(t, "alphabetical").SelectCreated(t.Context(), []string{"a", "b"}, nil)
	if err != nil || got.Tag != "b" {
		t.Errorf("another order asks: %+v, %v", got, err)
	}
}

func TestSelectCreatedUnknown(t *testing.T) {
	sel := parseSelector(t, "created")
	unknown := func(context.Context, string) (time.Time, error) {
		return time.Time{}, &digest.Error{Registry: "r.io", Kind: digest.ErrUnknown, Err: errors.New("no answer in time")}
	}
	_, err := sel.SelectCreated(t.Context(), []string{"a"}, unknown)
	if !errors.Is(err, digest.ErrUnknown) || err.Error() != `creation time of tag "a": r.io: no answer in time` {
		t.Errorf("unknown: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sel.SelectCreated(ctx, []string{"a"}, unknown); !errors.Is(err, context.Canceled) || !errors.Is(err, digest.ErrUnknown) {
		t.Errorf("cancelled: %v", err)
	}
	var many []string
	for i := range 257 {
		many = append(many, fmt.Sprint(i))
	}
	never := func(context.Context, string) (time.Time, error) {
		t.Error("asked, although there are too many")
		return time.Time{}, nil
	}
	_, err = sel.SelectCreated(t.Context(), many, never)
	if err == nil || !strings.Contains(err.Error(), "257 tags to ask for their creation time, more than 256: put regexp:PATTERN before it") {
		t.Errorf("too many: %v", err)
	}
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{
		"semver:>=1.0 <2", "semver", "semver:1.x || 2 prereleases", "numeric:desc >=1 <2.5", "alphabetical:asc", "created",
		`regexp:^main-[0-9a-f]+-(?P<n>\d+)$ numeric:n`, "regexp:(a)(b) semver", "regexp:[ numeric", "",
	} {
		f.Add(s, "1.0.0 1.0 v2.0.0-rc.1 main-abc-12 7 007 latest")
	}
	f.Fuzz(func(t *testing.T, s, text string) {
		sel, err := tags.ParseSelector(s)
		if err != nil {
			var e *tags.SelectorError
			if !errors.As(err, &e) || e.At < 1 || e.At > len(s)+1 || e.Msg == "" {
				t.Fatalf("ParseSelector(%q): %#v", s, err)
			}
			return
		}
		list := strings.Fields(text)
		got, err := sel.Select(list)
		if err != nil {
			if !errors.Is(err, tags.ErrNoTag) && !sel.NeedsCreated() {
				t.Fatalf("%q of %q: %v", s, text, err)
			}
			return
		}
		if !slices.Contains(list, got.Tag) || strings.ContainsAny(got.Why, "\n\r") {
			t.Fatalf("%q of %q: %+v", s, text, got)
		}
		slices.Reverse(list)
		if again, err := sel.Select(list); err != nil || !cmp.Equal(got, again) {
			t.Fatalf("%q of %q is %+v, or %+v (%v)", s, text, got, again, err)
		}
		// The tag that was chosen is the newest, so it is when it is alone.
		if alone, err := sel.Select([]string{got.Tag}); err != nil || alone.Tag != got.Tag {
			t.Fatalf("%q of %q alone: %+v, %v", s, got.Tag, alone, err)
		}
	})
}

func ExampleSelector_Select() {
	sel, err := tags.ParseSelector("semver:>=1.0 <2")
	if err != nil {
		fmt.Println(err)
		return
	}
	newest, err := sel.Select([]string{"1.4.1", "1.4.2", "2.0.0", "1.5.0-rc.1", "latest"})
	fmt.Println(newest.Why, err)

	_, err = tags.ParseSelector("semver:>=1.0 <<2")
	fmt.Println(err)
	// Output:
	// 1.4.2: highest of 2 tags in >=1.0 <2; not considered: 1 no version, 1 outside the range, 1 prerelease <nil>
	// selector "semver:>=1.0 <<2": byte 14: not a range of versions from "<<2" on
}

// Tags that a build makes from its branch, commit and number.
func ExampleParseSelector() {
	sel, err := tags.ParseSelector(`regexp:^main-[0-9a-f]+-(?P<n>\d+)$ numeric:n`)
	if err != nil {
		fmt.Println(err)
		return
	}
	newest, err := sel.Select([]string{"main-4f2a9c1-99", "main-b81d0e7-100", "dev-77c0a31-101", "latest"})
	fmt.Println(newest.Why, err)
	// Output:
	// main-b81d0e7-100: largest of 2 tags; not considered: 2 not matching the pattern <nil>
}

func TestOlder(t *testing.T) {
	for _, tc := range []struct {
		selector, tag, than string
		want                bool
	}{
		{"semver:>=1.0 <2", "v1.9.0", "v1.10.0", true},
		{"semver:>=1.0 <2", "v1.10.0", "v1.9.0", false},
		{"semver:>=1.0 <2", "v1.10.0", "v2.0.0", true}, // which the range does not admit
		{"semver:", "1.0.0", "1.0.1-rc.1", true},       // nor this
		{"semver:", "v1.0.0", "1.0.0", false},
		{"semver:", "1.0.0", "main-a1b2c3", false},
		{"semver:", "1.0.0", "", false},
		{"numeric:asc", "9", "10", true},
		{"numeric:desc", "9", "10", false},
		{"alphabetical:asc", "a", "b", true},
		{"regexp:^main-(\\d+)$ numeric:", "main-1", "main-2", true},
		{"regexp:^main-(\\d+)$ numeric:", "main-1", "dev-2", false},
		{"created", "a", "b", false},
	} {
		if got := parseSelector(t, tc.selector).Older(tc.tag, tc.than); got != tc.want {
			t.Errorf("%s: %s older than %q: %v", tc.selector, tc.tag, tc.than, got)
		}
	}
}
