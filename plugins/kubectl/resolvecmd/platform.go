package resolvecmd

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"golang.org/x/sync/errgroup"
)

// platformResolver answers with the images for one platform, or refuses what is
// not for all of those required. Which digest a tag stands for, next says.
type platformResolver struct {
	*digest.Resolver
	next     lock.BatchResolver
	platform *digest.Platform
	require  []digest.Platform
}

// platforms are those that are offered where a shell completes one.
func platforms() []string {
	return []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "windows/amd64"}
}

// platformsAtOnce is how many indexes are read at a time.
const platformsAtOnce = 32

// ResolveAll implements [digest.BatchResolver].
func (r *platformResolver) ResolveAll(ctx context.Context, refs []string, done func(digest.Result)) []digest.Result {
	results := make([]digest.Result, len(refs))
	if r.platform == nil {
		results = r.next.ResolveAll(ctx, refs, nil)
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(platformsAtOnce)
	for i, ref := range refs {
		group.Go(func() error {
			if r.platform != nil {
				results[i].Resolution, results[i].Err = r.ResolvePlatform(ctx, ref, *r.platform)
			} else if results[i].Err == nil {
				results[i].Err = r.check(ctx, results[i].Resolution)
			}
			mu.Lock()
			defer mu.Unlock()
			if done != nil {
				done(results[i])
			}
			return nil
		})
	}
	_ = group.Wait() // errors are in the results
	return results
}

// check looks at what was resolved, whatever the tag becomes meanwhile.
func (r *platformResolver) check(ctx context.Context, res digest.Resolution) error {
	missing, err := r.MissingPlatforms(ctx, res.Repository+"@"+res.Digest, r.require)
	if err == nil && len(missing) > 0 {
		err = &missingError{res.Ref, missing}
	}
	return err
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

// missingError is a definite no: the image is there and lacks platforms.
type missingError struct {
	ref     string
	missing []digest.Platform
}

// ExitStatus is that of a refusal.
func (m *missingError) ExitStatus() int { return cli.ExitRefused }

// Error names the image and the platforms that it lacks.
func (m *missingError) Error() string {
	var names []string
	for _, p := range m.missing {
		names = append(names, p.String())
	}
	return fmt.Sprintf("%s has no image for %s", m.ref, strings.Join(names, ", "))
}
