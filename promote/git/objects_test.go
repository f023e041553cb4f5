package git

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestCommittedAndBlobs(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 1<<16)
	files := map[string]string{"x": "1", "dir/y": "", "big": big}
	for _, name := range awkward {
		files["odd/"+name] = name
	}
	r := newRepo(t, files)
	paths := []string{"absent", "dir", "ab\nsent", "x/y"}
	for name := range files {
		paths = append(paths, name)
	}
	put(t, r.Root(), map[string]string{"x": "changed"})
	for range 2 {
		head, err := r.Committed(t.Context(), paths)
		if err != nil || len(head) != len(files) {
			t.Fatalf("%d files, %v", len(head), err)
		}
		for name, want := range files {
			if string(head[name]) != want {
				t.Errorf("%q: %d bytes", name, len(head[name]))
			}
		}
		for len(paths) <= fewPaths { // and once more, in the way for many
			paths = append(paths, "absent")
		}
	}
	id := gitIn(t, r.Root(), "rev-parse", "HEAD:big")
	var ids []string
	for range 200 { // far more than pipes hold
		ids = append(ids, id)
	}
	n := 0
	err := r.Blobs(t.Context(), ids, func(got string, data []byte) error {
		if n++; got != id || !bytes.Equal(data, []byte(big)) {
			t.Error("wrong data")
		}
		return nil
	})
	if err != nil || n != len(ids) {
		t.Errorf("%d, %v", n, err)
	}
	stop := errors.New("stop")
	if err := r.Blobs(t.Context(), ids, func(string, []byte) error { return stop }); err != stop {
		t.Error(err)
	}
	none := func(string, []byte) error { return nil }
	wantError(t, r.Blobs(t.Context(), []string{strings.Repeat("0", 39) + "1"}, none), "is missing from the repository")
	wantError(t, r.Blobs(t.Context(), []string{gitIn(t, r.Root(), "rev-parse", "HEAD")}, none), "is a commit, not a blob")
	wantError(t, r.Blobs(t.Context(), []string{"HEAD:x"}, none), "not an object name: HEAD:x")
}

func TestCommittedUnborn(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	for _, paths := range [][]string{{"x"}, make([]string, 2*fewPaths)} {
		for i := range paths {
			paths[i] = "x"
		}
		if head, err := r.Committed(t.Context(), paths); err != nil || len(head) != 0 {
			t.Errorf("%v, %v", head, err)
		}
	}
}
