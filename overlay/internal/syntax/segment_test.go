package syntax

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
)

// inputs gives all files of the package's test cases.
func inputs(t testing.TB) [][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	var out [][]byte
	for _, path := range paths {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			out = append(out, f.Data)
		}
	}
	return out
}

// spliced gives the text of an edit whose splices are in order.
func spliced(e *Edit) []byte {
	var out []byte
	done := 0
	for _, sp := range e.splices {
		out = append(append(out, e.src.Bytes[done:sp.start]...), sp.text...)
		done = sp.end
	}
	return append(out, e.src.Bytes[done:]...)
}

// alike compares two Sources in all that they hold.
func alike(t *testing.T, part, whole *Source) {
	t.Helper()
	if part.Name != whole.Name || !bytes.Equal(part.Bytes, whole.Bytes) || part.line != whole.line || part.col != whole.col {
		t.Fatalf("the sources differ for\n%s", whole.Bytes)
	}
	if !slices.Equal(part.lines, whole.lines) {
		t.Fatalf("lines %v, not %v, for\n%s", part.lines, whole.lines, whole.Bytes)
	}
	if !slices.EqualFunc(part.Docs, whole.Docs, same) {
		a, _ := yaml.Marshal(part.Docs[0])
		b, _ := yaml.Marshal(whole.Docs[0])
		t.Fatalf("the trees differ: in part\n%s\nas a whole\n%s\nfor\n%q", a, b, whole.Bytes)
	}
	aliases(t, part.Docs, whole.Docs)
}

// aliases compares what aliases stand for.
func aliases(t *testing.T, a, b []*yaml.Node) {
	t.Helper()
	for i := range a {
		if a[i].Kind == yaml.AliasNode && !same(a[i].Alias, b[i].Alias) {
			t.Fatalf("alias %s differs", a[i].Value)
		}
		aliases(t, a[i].Content, b[i].Content)
	}
}

// checkSegments proves an edit in part, and the whole way; it tells whether the
// part was enough. An edit that is refused must be refused both ways.
func checkSegments(t *testing.T, e *Edit) bool {
	t.Helper()
	whole, err := e.Apply()
	if whole == e.src || err != nil && strings.Contains(err.Error(), "two changes touch") {
		return false
	}
	part := e.proveSegments(spliced(e), math.MaxInt)
	if part == nil {
		return false
	}
	if err != nil {
		t.Fatalf("accepted in part: %v\n%q", err, spliced(e))
	}
	alike(t, part, whole)
	return true
}

// reparsed parses a Source again, to see that it is what its text says.
func reparsed(t *testing.T, s *Source) *Source {
	t.Helper()
	again, err := Parse(s.Name, s.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// nodes lists a tree.
func nodes(n *yaml.Node) []*yaml.Node {
	out := []*yaml.Node{n}
	for _, c := range n.Content {
		out = append(out, nodes(c)...)
	}
	return out
}

// TestSegments edits each scalar and each mapping of all test cases' files.
func TestSegments(t *testing.T) {
	enough, all := 0, 0
	texts := append(inputs(t), bytes.TrimSpace([]byte(commented)), []byte("# head\n\n"+commented), bytes.ReplaceAll([]byte(commented), []byte("\n"), []byte("\r\n")))
	for _, text := range texts {
		s, err := Parse("f.yaml", text)
		if err != nil || len(s.Docs) == 0 {
			continue
		}
		for _, n := range nodes(s.Docs[0]) {
			for _, e := range editsOf(s, n) {
				all++
				if checkSegments(t, e) {
					enough++
				}
			}
		}
		alike(t, s, reparsed(t, s))
	}
	t.Logf("%d of %d edits are proved in part", enough, all)
	if enough < all/4 {
		t.Errorf("only %d of %d edits are proved in part", enough, all)
	}
}

// editsOf makes edits of one node.
func editsOf(s *Source, n *yaml.Node) []*Edit {
	var out []*Edit
	try := func(f func(e *Edit) error) {
		if e := s.Edit(); f(e) == nil {
			out = append(out, e)
		}
	}
	if n.Kind == yaml.ScalarNode {
		for _, v := range []string{"v9", "", "a # b"} {
			try(func(e *Edit) error { return e.SetScalar(n, v) })
		}
	}
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		field := Field{Key: "kpNew", Value: "x"}
		try(func(e *Edit) error { return e.InsertField(n, 0, field) })
		try(func(e *Edit) error { return e.RemoveFields(n, []int{len(n.Content) - 2}) })
		try(func(e *Edit) error {
			if err := e.InsertField(n, 0, field); err != nil {
				return err
			}
			return e.RemoveFields(n, []int{len(n.Content) - 2})
		})
	}
	return out
}

// commented has comments in all places between keys of the root.
const commented = `# first

# of a
a: # behind a
  # above x
  x: v1 # behind x
  # below x

# below a

# above b
b:
  y: v1
  # deep
# shallow
c: v1 # behind c
# between

d:
- v1 # item
# between items
- z: v1

  # after z
 # odd

e: |
  text
  # no comment
# comment
f: "v1"


# a block


# another
"g": {h: v1, # in flow
  i: [v1]} # behind flow
'j': >-
  folded

k: v1
# the end

# the very end
`

// TestSegmentsWhere has texts that are not proved in part, and those that are.
func TestSegmentsWhere(t *testing.T) {
	for _, c := range []struct {
		name, text string
		part       bool
	}{
		{"plain", "a: 1\nb:\n  v: x\nc: 3\n", true},
		{"first", "v: x\nc: 3\n", true},
		{"last", "c: 3\nv: x", true},
		{"alone", "v: x\n", true},
		{"a mapping that is an item", "c:\n- v: x\n  w: y\nd: 3\n", true},
		{"comments", "# 1\na: 1 # 2\n# 3\nb:\n  v: x # 4\n# 5\nc: 3\n# 6\n", true},
		{"an anchor elsewhere", "a: &a 1\nb: 2\nc:\n  v: x\nd: 3\ne: *a\n", true},
		{"an alias in it", "a: &a 1\nb: 2\nc:\n  v: x\n  w: *a\nd: 3\n", false},
		{"an anchor in it", "a: 1\nc:\n  v: x\n  w: &a 2\nd: 3\ne: *a\n", false},
		{"a document marker above it", "---\nv: x\n", false},
		{"a document marker below it", "v: x\n---\n", false},
		{"a document marker far above it", "---\na: 1\nb: 2\nv: x\n", true},
		{"several documents", "a: 1\nb: 2\nv: x\n---\nc: 2\n", false},
		{"flow style", "{v: x}\n", false},
		{"a sequence", "- v: x\n", false},
		{"an explicit key", "? a\n: 1\n? b\n: v: x\n", false},
		{"byte order mark", "\ufeffv: x\n", false},
		{"byte order mark far above", "\ufeffa: 1\nb: 2\nv: x\n", true},
		{"CR", "a: 1\rb:\r  v: x\rc: 3\r", false},
		{"NEL", "a: 1\nb:\n  v: x\u0085c: 3\n", false},
		{"indented keys", " a: 1\n b:\n  v: x\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse("f.yaml", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range nodes(s.Docs[0]) {
				if v := find(n, "v"); n.Kind == yaml.MappingNode && v != nil {
					e := s.Edit()
					if err := e.SetScalar(v, "new"); err != nil {
						t.Fatal(err)
					}
					if got := checkSegments(t, e); got != c.part {
						t.Errorf("proved in part: %v", got)
					}
				}
			}
		})
	}
}

// TestSegmentsWanted: what shall differ in a segment without a splice does not.
func TestSegmentsWanted(t *testing.T) {
	s, err := Parse("f.yaml", []byte("a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n"))
	if err != nil {
		t.Fatal(err)
	}
	e := s.Edit()
	if err := e.SetScalar(find(s.Docs[0], "a"), "x"); err != nil {
		t.Fatal(err)
	}
	e.expect(find(s.Docs[0], "e")).Value = "x"
	if e.proveSegments(spliced(e), math.MaxInt) != nil {
		t.Error("proved in part")
	}
}

// FuzzSegment replaces bytes in one segment. What is expected of the segment is
// what it is by itself. Whatever is proved in part must be so as a whole, with
// the same tree. A scalar is edited as well.
func FuzzSegment(f *testing.F) {
	for i, src := range append(inputs(f), []byte(commented)) {
		f.Add(src, i*7, 1, "v9")
		f.Add(append([]byte("# x\n"), src...), i*31, 0, "# y")
		f.Add(bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n")), i*13, 2, "\"")
	}
	for i, text := range []string{"", " ", "#", "'", "[", "|", "\n", ": ", "- ", "&a ", "x: y", "---", "\t"} {
		f.Add([]byte(commented), 20*i, i%4, text)
	}
	f.Fuzz(func(t *testing.T, src []byte, at, n int, text string) {
		s, err := Parse("f.yaml", src)
		if err != nil || len(s.Docs) == 0 || at < 0 || n < 0 || at > len(src) || n > len(src)-at {
			return
		}
		all := nodes(s.Docs[0])
		for _, e := range editsOf(s, all[at%len(all)]) {
			checkSegments(t, e)
		}
		e := s.Edit()
		if v := all[at%len(all)]; v.Kind == yaml.ScalarNode && e.SetScalar(v, text) == nil {
			checkSegments(t, e)
		}
		if e := rawEdit(s, at, at+n, text); e != nil {
			checkSegments(t, e)
		}
		alike(t, s, reparsed(t, s))
	})
}

// rawEdit replaces bytes in a segment and expects what the segment is then.
func rawEdit(s *Source, from, to int, text string) *Edit {
	root := s.Docs[0]
	if !hasSegments(root) {
		return nil
	}
	e := s.Edit()
	e.splice(from, to, text)
	p := &proof{edit: e, root: root, keys: len(root.Content) / 2, touched: make(map[int]bool)}
	if !p.touch() {
		return nil
	}
	for i := range p.touched {
		alone, err := Parse("f.yaml", append(append(slices.Clone(s.Bytes[p.start(i):from]), text...), s.Bytes[to:p.start(i+1)]...))
		if err != nil || len(alone.Docs) == 0 || len(alone.Docs[0].Content) != 2 {
			return nil
		}
		e.want[root.Content[2*i+1]] = alone.Docs[0].Content[1]
	}
	return e
}

// valuesOf makes a values file of some size.
func valuesOf(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "component%d:\n  replicas: 2 # two\n  image:\n    repository: registry.example.com/shop/app-%d\n    tag: \"v1.2.%d\"\n"+
			"    digest: \"\"\n  env:\n  - name: MODE\n    value: fast\n  resources: {requests: {cpu: 100m, memory: 128Mi}}\n", i, i, i)
		if i%5 == 0 {
			fmt.Fprintf(&b, "\n# Component %d – in words.\n\n", i+1)
		}
	}
	return b.Bytes()
}

// TestSegmentsLarge edits a file that Apply itself proves in part.
func TestSegmentsLarge(t *testing.T) {
	s, err := Parse("values.yaml", valuesOf(segmentsFrom+1000))
	if err != nil {
		t.Fatal(err)
	}
	root := s.Docs[0]
	e := s.Edit()
	for _, key := range []string{"component0", "component5", "component6", "component7", "component300", root.Content[len(root.Content)-2].Value} {
		if err := e.SetScalar(find(find(find(root, key), "image"), "tag"), "new"); err != nil {
			t.Fatal(err)
		}
	}
	part, err := e.Apply()
	if err != nil {
		t.Fatal(err)
	}
	if part.Docs[0].Content[201] != root.Content[201] {
		t.Error("nothing is shared")
	}
	alike(t, part, reparsed(t, part))
	alike(t, s, reparsed(t, s))
}

func BenchmarkProveLarge(b *testing.B) {
	s, err := Parse("values.yaml", valuesOf(10<<20))
	if err != nil {
		b.Fatal(err)
	}
	e := s.Edit()
	if err := e.SetScalar(find(find(find(s.Docs[0], "component5"), "image"), "tag"), "v9"); err != nil {
		b.Fatal(err)
	}
	text := spliced(e)
	for name, f := range map[string]func([]byte) (*Source, error){"segments": e.prove, "whole": e.proveWhole} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
