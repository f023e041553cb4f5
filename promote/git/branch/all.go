package branch

import "context"

// allOfIt leaves out what no file to be read is as large as.
const allOfIt = "blob:limit=64m"

// FetchAll gets all that the newest commit has, in one request, where no more is here
// than what was read; from then on Fetch gets what is new in the same way. It is for who
// is going to read much of it: one by one, each file would take a request.
func (b *Branch) FetchAll(ctx context.Context) error {
	if b.objects.Fetch == nil || b.whole == b.tip {
		return nil
	}
	_, err := b.reach(ctx, "fetch "+b.Where(), "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
		"--no-recurse-submodules", "--no-auto-maintenance", "--refetch", "--filter="+allOfIt, "--depth=1", "--end-of-options", b.remote, b.tip)
	if err != nil {
		return err
	}
	b.whole = b.tip
	b.objects.Changed()
	return nil
}
