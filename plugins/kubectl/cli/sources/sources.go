// Package sources resolves images wherever they are: in registries, and in directories and
// files. It is what commands share that take references and not services, and knows nothing of
// pipelines.
package sources

import (
	"context"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/layout"
)

// Resolver also answers for images in directories and files.
type Resolver struct{ *digest.Resolver }

// ResolveAll implements [digest.BatchResolver].
func (r *Resolver) ResolveAll(ctx context.Context, refs []string, done func(digest.Result)) []digest.Result {
	results := make([]digest.Result, len(refs))
	var remote []string
	var at []int
	for i, ref := range refs {
		if !layout.IsRef(ref) {
			remote, at = append(remote, ref), append(at, i)
			continue
		}
		res, err := digest.ResolveLayout(ctx, ref)
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
