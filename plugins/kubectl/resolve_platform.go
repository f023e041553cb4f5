package kubectl

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/digest"
	"golang.org/x/sync/errgroup"
)

// platformResolver answers with the images for one platform, or refuses what is
// not for all of those required.
type platformResolver struct {
	*digest.Resolver
	platform *digest.Platform
	require  []digest.Platform
}

// platformsAtOnce is how many indexes are read at a time.
const platformsAtOnce = 32

// ResolveAll implements [digest.BatchResolver].
func (r *platformResolver) ResolveAll(ctx context.Context, refs []string, done func(digest.Result)) []digest.Result {
	results := make([]digest.Result, len(refs))
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(platformsAtOnce)
	for i, ref := range refs {
		group.Go(func() error {
			res, err := r.resolve(ctx, ref)
			mu.Lock()
			defer mu.Unlock()
			results[i] = digest.Result{Resolution: res, Err: err}
			if done != nil {
				done(results[i])
			}
			return nil
		})
	}
	_ = group.Wait() // errors are in the results
	return results
}

func (r *platformResolver) resolve(ctx context.Context, ref string) (digest.Resolution, error) {
	if r.platform != nil {
		return r.ResolvePlatform(ctx, ref, *r.platform)
	}
	res, err := r.Resolve(ctx, ref)
	if err != nil {
		return res, err
	}
	// What was resolved is what is looked at, whatever the tag becomes meanwhile.
	missing, err := r.MissingPlatforms(ctx, res.Repository+"@"+res.Digest, r.require)
	if err == nil && len(missing) > 0 {
		err = &missingPlatforms{ref, missing}
	}
	return res, err
}

func (r *platformResolver) parse(platform string, require []string) error {
	if platform != "" {
		p, err := digest.ParsePlatform(platform)
		if err != nil {
			return err
		}
		r.platform = &p
	}
	for _, text := range require {
		p, err := digest.ParsePlatform(text)
		if err != nil {
			return err
		}
		r.require = append(r.require, p)
	}
	return nil
}

// missingPlatforms is a definite no: the image is there and lacks platforms.
type missingPlatforms struct {
	ref     string
	missing []digest.Platform
}

func (m *missingPlatforms) Error() string {
	var names []string
	for _, p := range m.missing {
		names = append(names, p.String())
	}
	return fmt.Sprintf("%s has no image for %s", m.ref, strings.Join(names, ", "))
}

// sourceResolver also answers for images in directories and files.
type sourceResolver struct{ *digest.Resolver }

// ResolveAll implements [digest.BatchResolver].
func (r *sourceResolver) ResolveAll(ctx context.Context, refs []string, done func(digest.Result)) []digest.Result {
	results := make([]digest.Result, len(refs))
	var remote []string
	var at []int
	for i, ref := range refs {
		if !digest.IsSource(ref) {
			remote, at = append(remote, ref), append(at, i)
			continue
		}
		res, err := digest.ResolveSource(ctx, ref)
		results[i] = digest.Result{Resolution: res, Err: err}
		if done != nil {
			done(results[i])
		}
	}
	for n, r := range r.Resolver.ResolveAll(ctx, remote, done) {
		results[at[n]] = r
	}
	return results
}
