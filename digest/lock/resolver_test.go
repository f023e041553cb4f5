package lock_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/lock"
)

// Callers can use either.
var (
	_ lock.BatchResolver = (*digest.Resolver)(nil)
	_ lock.BatchResolver = (*lock.LockedResolver)(nil)
)

// answers is a resolver that knows tags by heart and notes what it is asked.
type answers struct {
	tags  map[string]string // "repo:tag" → digest
	asked []string
}

func (a *answers) ResolveAll(_ context.Context, refs []string, done func(digest.Result)) []digest.Result {
	var out []digest.Result
	for _, s := range refs {
		a.asked = append(a.asked, s)
		ref, err := digest.ParseReference(s)
		tagged := a.tags[ref.Repository+":"+ref.Tag]
		res := digest.Result{Resolution: digest.Resolution{Ref: s, Repository: ref.Repository, Tag: ref.Tag}, Err: err}
		switch {
		case ref.Digest != "":
			res.Digest, res.TagDigest = ref.Digest, tagged
		case tagged == "":
			res.Err = &digest.Error{Ref: s, Kind: digest.ErrUnknown}
		default:
			res.Digest, res.MediaType = tagged, registrytest.IndexType
		}
		out = append(out, res)
		done(res)
	}
	return out
}

func TestLockedResolver(t *testing.T) {
	third := digestOf('c')
	refs := []string{"a:1", "docker.io/library/b:1", "c:1", "r.io/d@" + registrytest.SomeDigest, "bad", "a:1@" + third}
	for name, tt := range map[string]struct {
		next, update bool
		asked, want  []string
		lock         string
	}{
		"locked": {
			want: []string{"a:1 D", "docker.io/library/b:1 E", "c:1 not in the lock file", "r.io/d@" + registrytest.SomeDigest + " D",
				"bad malformed reference", "a:1@" + third + " not in the lock file"},
			lock: lockFile("a:1 {D} {I} linux/amd64={E}", "b:1 {E} -"),
		},
		"missing are asked": {
			next:  true,
			asked: []string{"c:1", "r.io/d@" + registrytest.SomeDigest, "a:1@" + third},
			want: []string{"a:1 D", "docker.io/library/b:1 E", "c:1 C", "r.io/d@" + registrytest.SomeDigest + " D",
				"bad malformed reference", "a:1@" + third + " C"},
			lock: lockFile("a@"+third+" "+third+" -", "a:1 {D} {I} linux/amd64={E}", "b:1 {E} -", "c:1 "+third+" {I}", "r.io/d@{D} {D} -"),
		},
		"update": {
			next: true, update: true,
			asked: []string{"a:1", "docker.io/library/b:1", "c:1", "r.io/d@" + registrytest.SomeDigest, "a:1@" + third},
			want: []string{"a:1 D", "docker.io/library/b:1 could not be decided", "c:1 C", "r.io/d@" + registrytest.SomeDigest + " D",
				"bad malformed reference", "a:1@" + third + " C"},
			lock: lockFile("a@"+third+" "+third+" -", "a:1 {D} {I} linux/amd64={E}", "b:1 {E} -", "c:1 "+third+" {I}", "r.io/d@{D} {D} -"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			locked := parseLock(t, lockFile("a:1 {D} {I} linux/amd64={E}", "b:1 {E} -"))
			next := &answers{tags: map[string]string{"a:1": registrytest.SomeDigest, "c:1": third}}
			r := &lock.LockedResolver{Lock: locked, Update: tt.update}
			if tt.next {
				r.Next = next
			}
			calls := 0
			results := r.ResolveAll(t.Context(), refs, func(digest.Result) { calls++ })
			if calls != len(refs) {
				t.Errorf("done was called %d times, want %d", calls, len(refs))
			}
			var got []string
			for _, res := range results {
				got = append(got, res.Ref+" "+outcome(res, third))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.asked, next.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.lock, string(locked.Bytes())); diff != "" {
				t.Errorf("lock (-want +got):\n%s", diff)
			}
		})
	}
}

func outcome(res digest.Result, third string) string {
	for _, kind := range []error{lock.ErrNotLocked, digest.ErrMalformed, digest.ErrUnknown, digest.ErrNotFound} {
		if errors.Is(res.Err, kind) {
			return kind.Error()
		}
	}
	return map[string]string{registrytest.SomeDigest: "D", otherDigest: "E", third: "C"}[res.Digest]
}

// A lock that an update moves forgets the platforms of the manifest before.
func TestLockedResolverMoves(t *testing.T) {
	locked := parseLock(t, lockFile("a:1 {D} - linux/amd64={E}"))
	next := &answers{tags: map[string]string{"a:1": otherDigest}}
	(&lock.LockedResolver{Lock: locked, Next: next, Update: true}).ResolveAll(t.Context(), []string{"a:1"}, ignore)
	if got, want := string(locked.Bytes()), lockFile("a:1 {E} {I}"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func ignore(digest.Result) {}

func TestLockedResolverErrors(t *testing.T) {
	locked := parseLock(t, lockFile("a:1 {D} -"))
	for ref, want := range map[string]string{
		"r.io/b:1":           `reference "r.io/b:1": has no entry in images.lock`,
		"a:1@" + otherDigest: `reference "a:1@` + otherDigest + `": images.lock has tag "1" as ` + registrytest.SomeDigest,
	} {
		res := (&lock.LockedResolver{Lock: locked}).ResolveAll(t.Context(), []string{ref}, nil)[0]
		var e *digest.Error
		if !errors.As(res.Err, &e) || e.Error() != want || res.Digest != "" {
			t.Errorf("got %+v, want %s", res, want)
			continue
		}
		wantDo, wantRef := lock.DoUpdateLock, ""
		if strings.Contains(want, "no entry") {
			wantDo, wantRef = lock.DoLock, ref
		}
		if do, with := e.AdviceData(); do != wantDo || with["lock"] != "images.lock" || with["ref"] != wantRef {
			t.Errorf("%s: advice %q %q", ref, do, with)
		}
	}
	if hint := (&digest.Error{Kind: digest.ErrUnknown}).HintText(); hint != "" {
		t.Errorf("hint %q out of nothing", hint)
	}
}

func ExampleLockedResolver() {
	locked, err := lock.ParseLock("images.lock", []byte("images.lock v1\n"+
		"registry.example.com/shop/cart:v1 "+registrytest.SomeDigest+" -\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	offline := &lock.LockedResolver{Lock: locked}
	for _, res := range offline.ResolveAll(context.Background(), []string{
		"registry.example.com/shop/cart:v1",
		"registry.example.com/shop/web:v1",
	}, nil) {
		fmt.Println(res.Tag, res.Digest, res.Err)
	}
	// Output:
	// v1 sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef <nil>
	// v1  reference "registry.example.com/shop/web:v1": has no entry in images.lock
}
