package fastimport

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// tempPacks are the packs in an object store that are being written.
func tempPacks(store string) map[string]bool {
	found := map[string]bool{}
	names, _ := filepath.Glob(filepath.Join(gitcmd.GlobQuoter.Replace(store), "pack", "tmp_pack_*"))
	for _, name := range names {
		found[name] = true
	}
	return found
}

// newPack gives the one pack that is being written now and was not before; it is empty
// where there are several, as another git may have begun one, too.
func newPack(store string, before map[string]bool) string {
	found := ""
	for name := range tempPacks(store) {
		switch {
		case before[name]:
		case found != "":
			return ""
		default:
			found = name
		}
	}
	return found
}

// packNote is where the name of a pack stands until it is written: if this program is
// killed, and git with it, the next commit of many files removes both.
const packNote = "kubepromote-pack"

func notePack(gitDir, pack string) {
	if pack != "" {
		_ = os.WriteFile(filepath.Join(gitDir, packNote), []byte(filepath.Base(pack)), 0o644)
	}
}

// removeNoted removes what a killed run has left of a pack.
func removeNoted(gitDir, store string) {
	note := filepath.Join(gitDir, packNote)
	name, err := os.ReadFile(note)
	if err != nil {
		return
	}
	if base := filepath.Base(string(name)); strings.HasPrefix(base, "tmp_pack_") {
		_ = os.Remove(filepath.Join(store, "pack", base))
	}
	_ = os.Remove(note)
}
