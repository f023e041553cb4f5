package git

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// The bytes are those of https://git-scm.com/docs/gitformat-pack.
func TestPackHeader(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{
		0: "30", 1: "31", 15: "3f", 16: "b001", 2047: "bf7f", 2048: "b08001", 1 << 20: "b0808004",
	} {
		if got := hex.EncodeToString(packHeader(packObject{typeBlob, make([]byte, size)})); got != want {
			t.Errorf("%d bytes: %s, want %s", size, got, want)
		}
	}
	if got := packHeader(packObject{typeCommit, nil}); !bytes.Equal(got, []byte{0x10}) {
		t.Errorf("commit: %x", got)
	}
}

// Git reads what we pack, stored or compressed, and names it as we do.
func TestPack(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		dir := t.TempDir()
		if out, err := exec.Command("git", "init", "-q", "--object-format="+format, dir).CombinedOutput(); err != nil {
			t.Skipf("this git has one format of objects only: %v: %s", err, out)
		}
		r := open(t, dir)
		for _, more := range []int{1 << 20, fewData} {
			set, want := r.newObjects(), map[string][]byte{}
			for _, size := range []int{0, 1, 15, 16, 2047, 2048, more} {
				data := bytes.Repeat([]byte("0123456789\n\x00\xff"), size/13+1)[:size]
				for range 2 { // once is enough
					want[hex.EncodeToString(set.add(typeBlob, data))] = data
				}
			}
			if len(set.objects) != len(want) {
				t.Errorf("%d objects of %d", len(set.objects), len(want))
			}
			if err := r.writePack(t.Context(), set); err != nil {
				t.Fatal(err)
			}
			for id, data := range want {
				out, err := exec.Command("git", "-C", dir, "cat-file", "blob", id).Output()
				if err != nil || !bytes.Equal(out, data) {
					t.Errorf("%s: %d bytes of %d, %v", id, len(out), len(data), err)
				}
			}
		}
		gitIn(t, dir, "fsck", "--strict")
	}
}

// entriesOf reads a tree with one length of object names.
func entriesOf(sha256 bool, tree []byte) []string {
	var got []string
	for e := range (&Repo{sha256: sha256}).entries(tree) {
		got = append(got, fmt.Sprintf("%s %s %x", e.mode, e.name, e.id))
	}
	return got
}

func TestEntries(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("i", 20)
	whole := "100644 a b\x00" + id + "40000 ä\x00" + id
	ids := fmt.Sprintf("%x", id)
	for tree, want := range map[string][]string{
		"":                           nil,
		whole:                        {"100644 a b " + ids, "40000 ä " + ids},
		whole[:len(whole)-1]:         {"100644 a b " + ids},
		whole + "100644":             {"100644 a b " + ids, "40000 ä " + ids},
		"100644 x\x00":               nil,
		"no blank\x00" + id[:19]:     nil,
		"\x00" + id + "1 x\x00" + id: {"  " + ids, "1 x " + ids},
	} {
		if got := entriesOf(false, []byte(tree)); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q: %q, want %q", tree, got, want)
		}
	}
}

// Whatever the bytes are, reading them ends, and gives nothing that is not there.
func FuzzEntries(f *testing.F) {
	f.Add([]byte("100644 a b\x00" + strings.Repeat("i", 20) + "40000 d\x00" + strings.Repeat("j", 20)))
	f.Add([]byte("100755 a\x00" + strings.Repeat("i", 32)))
	f.Add([]byte(" \x00"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, tree []byte) {
		for sha256, size := range map[bool]int{false: 20, true: 32} {
			rest := tree
			for e := range (&Repo{sha256: sha256}).entries(tree) {
				head := e.mode + " " + e.name + "\x00"
				if !bytes.HasPrefix(rest, []byte(head)) {
					head = e.mode + "\x00" // without a blank all of it is the mode
				}
				if len(e.id) != size || !bytes.HasPrefix(rest, append([]byte(head), e.id...)) {
					t.Fatalf("%q has no %+v", rest, e)
				}
				rest = rest[len(head)+size:]
			}
			// The first of them is given, and no more asked for.
			for range (&Repo{sha256: sha256}).entries(tree) {
				break
			}
		}
	})
}
