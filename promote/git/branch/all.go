package branch

import "context"

// FetchAll gets all that the newest commit has, in one request, where no more is here
// than what was read.
func (b *Branch) FetchAll(ctx context.Context) error {
	if b.objects.fetch == nil || b.whole == b.tip {
		return nil
	}
	_, err := b.reach(ctx, "fetch "+b.Where(), "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
		"--no-recurse-submodules", "--no-auto-maintenance", "--refetch", "--filter=blob:limit=64m", "--depth=1", "--end-of-options", b.remote, b.tip)
	if err != nil {
		return err
	}
	b.whole = b.tip
	b.objects.changed()
	return nil
}
