package overlay

import (
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	internalpaths "github.com/kubepromote/kubepromote/overlay/internal/paths"
)

// TestPinPaths: the path of every pin is one that set --value takes, and leads
// to one value.
func TestPinPaths(t *testing.T) {
	pins := 0
	for _, folder := range []string{"manifest", "values"} {
		paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Parse(ar.Files[0].Name, ar.Files[0].Data)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			for _, p := range f.Pins() {
				pins++
				checkPinPath(t, f, p)
			}
		}
	}
	if pins == 0 {
		t.Error("no pins")
	}
}

func checkPinPath(t *testing.T, f *File, p Pin) {
	t.Helper()
	expr, err := internalpaths.Parse(p.Path)
	if err != nil {
		t.Errorf("%s: %v", f.Name(), err)
		return
	}
	n := 0
	for i, root := range f.src.Docs {
		if expr.In(i, root) {
			n += len(expr.Find(root))
		}
	}
	if n != 1 {
		t.Errorf("%s: %s leads to %d values", f.Name(), p.Path, n)
	}
}
