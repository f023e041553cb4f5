package promote

import "testing"

// What the tests of delivery need, which stands in a package above this one.

type FakeRepo = fakeRepo

func NewShop(t testing.TB) (*Promoter, *FakeRepo) { return newShop(t, twoServices) }

func NewTargets(t *testing.T) (*Promoter, *FakeRepo) { return newTargets(t, twoTargets) }

func SHA(digit string) string { return sha(digit) }

func Down(names ...string) Resolver { return &registry{down: names} }

func (r *fakeRepo) Edit(archive string)           { r.edit(archive) }
func (r *fakeRepo) Record(message, author string) { r.record(message, author) }
func (r *fakeRepo) Head() map[string][]byte       { return r.head() }
func (r *fakeRepo) Count() int                    { return len(r.commits) }
