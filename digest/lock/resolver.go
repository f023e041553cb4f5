package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// ErrNotLocked is the kind of an [*digest.Error] about a reference that only a lock was
// asked about and that the lock has no entry for, or an entry with another
// digest than the reference has. Nothing follows from it about the image.
var ErrNotLocked = errors.New("not in the lock file")

// BatchResolver answers many references in one call: a [digest.Resolver], which asks
// registries, or a [LockedResolver].
type BatchResolver interface {
	ResolveAll(ctx context.Context, refs []string, done func(digest.Result)) []digest.Result
}

// LockedResolver answers from a [Lock], and asks registries only where it is
// told to:
//
//   - With Next nil, never: a reference without an entry is an error of kind
//     [ErrNotLocked].
//   - With Next, what has no entry is asked of it.
//   - With Update as well, everything is asked of it.
//
// What Next answers is put into the lock; writing the lock to its file is left
// to the caller. A reference with a digest is locked by itself and needs no
// entry; but where the lock has its tag as another digest, and the digest has no
// entry of its own, the two contradict each other, which is an [ErrNotLocked].
//
// A LockedResolver is not safe for concurrent use.
type LockedResolver struct {
	Lock   *Lock
	Next   BatchResolver
	Update bool
}

// ResolveAll has the contract of [digest.Resolver.ResolveAll]. References of which Next
// fails, for whatever reason, fail; their entries in the lock stay as they are.
func (r *LockedResolver) ResolveAll(ctx context.Context, refs []string, done func(digest.Result)) []digest.Result {
	results := make([]digest.Result, len(refs))
	finish := func(i int, res digest.Result) {
		results[i] = res
		if done != nil {
			done(res)
		}
	}
	var ask []string
	var asked []int
	for i, ref := range refs {
		res, found, err := r.locked(ref)
		if r.Next != nil && !errors.Is(err, digest.ErrMalformed) && (r.Update || !found) {
			ask, asked = append(ask, ref), append(asked, i)
			continue
		}
		finish(i, digest.Result{Resolution: res, Err: err})
	}
	if len(ask) == 0 {
		return results
	}
	answers := r.Next.ResolveAll(ctx, ask, func(res digest.Result) {
		if done != nil {
			done(r.keep(res))
		}
	})
	for i, res := range answers {
		results[asked[i]] = r.keep(res)
	}
	return results
}

// locked answers from the lock alone. found says that there is an entry.
func (r *LockedResolver) locked(ref string) (res digest.Resolution, found bool, err error) {
	res = digest.Resolution{Ref: ref}
	parsed, err := digest.ParseReference(ref)
	if err != nil {
		return res, false, err
	}
	res.Repository, res.Tag = parsed.Repository, parsed.Tag
	entry, found := r.Lock.lookup(parsed)
	tagged := r.Lock.entries[lockKey(parsed)]
	switch {
	case found:
		res.Digest, res.MediaType = entry.Digest, entry.MediaType
	case parsed.Digest == "":
		return res, false, r.notLocked(ref, "has no entry in "+r.Lock.Name(), true)
	case tagged != nil:
		return res, false, r.notLocked(ref, fmt.Sprintf("%s has tag %q as %s", r.Lock.Name(), parsed.Tag, tagged.Digest), false)
	default:
		res.Digest = parsed.Digest
	}
	if parsed.Tag != "" && parsed.Digest != "" && tagged != nil {
		res.TagDigest = tagged.Digest
	}
	return res, found, nil
}

func (r *LockedResolver) notLocked(ref, why string, missing bool) error {
	cause := advised{fault.Text(why), DoUpdateLock, map[string]string{"lock": r.Lock.Name()}}
	if missing {
		cause.do, cause.with = DoLock, map[string]string{"lock": r.Lock.Name(), "ref": ref}
	}
	return &digest.Error{Ref: ref, Kind: ErrNotLocked, Err: cause}
}

// keep puts an answer into the lock. What the lock knew about the same manifest
// and the answer does not say stays.
func (r *LockedResolver) keep(res digest.Result) digest.Result {
	if res.Err != nil {
		return res
	}
	entry := Locked{Ref: res.Ref, Digest: res.Digest, MediaType: res.MediaType}
	if parsed, err := digest.ParseReference(res.Ref); err == nil && parsed.Digest != "" && res.TagDigest != res.Digest {
		// The tag stands for something else by now, or for nothing.
		parsed.Tag = ""
		entry.Ref = parsed.String()
	}
	if known, ok := r.Lock.Lookup(entry.Ref); ok && known.Digest == res.Digest {
		entry.Platforms = known.Platforms
		entry.MediaType = cmp.Or(entry.MediaType, known.MediaType)
	}
	if err := r.Lock.Set(entry); err != nil {
		return digest.Result{Resolution: digest.Resolution{Ref: res.Ref, Repository: res.Repository, Tag: res.Tag}, Err: err}
	}
	return res
}
