package fastimport

import (
	"os"
	"path/filepath"
	"testing"
)

// Only a pack that nobody else can have begun is taken for that of our git.
func TestNewPack(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	begin := func(name string) {
		if err := os.WriteFile(filepath.Join(store, "pack", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(store, "pack"), 0o755); err != nil {
		t.Fatal(err)
	}
	begin("tmp_pack_other")
	before := tempPacks(store)
	begin("tmp_pack_a")
	if got := newPack(store, before); filepath.Base(got) != "tmp_pack_a" {
		t.Errorf("%q", got)
	}
	begin("tmp_pack_b")
	if got := newPack(store, before); got != "" {
		t.Errorf("%q", got)
	}
}
