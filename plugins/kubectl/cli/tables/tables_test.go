package tables

import (
	"io"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func write(t *testing.T, rows [][]string, s Style) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, rows, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A terminal broke each line of a wide table in two. What is read by a program is whole.
func TestWriteFits(t *testing.T) {
	rows := [][]string{
		{"IMAGE", "RESULT", "REASON"},
		{"registry.example.com/shop/team/cart@sha256:2222222222222222222222222222222222222222222222222222222222222222", "rejected", "nobody has signed it"},
	}
	if whole := write(t, rows, Style{}); !strings.Contains(whole, rows[1][0]) {
		t.Errorf("without a terminal it is shortened:\n%s", whole)
	}
	want := "IMAGE                            RESULT    REASON\nregistry.e…22222222222222222222  rejected  nobody has signed it\n"
	got := write(t, rows, Style{Width: 63})
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for line := range strings.Lines(write(t, rows, Style{Width: 10})) {
		if strings.Contains(line, "rejected") && !strings.Contains(line, "nobody has signed it") {
			t.Errorf("a sentence is shortened: %s", line)
		}
	}
}

func TestWriteColors(t *testing.T) {
	rows := [][]string{{"SERVICE", "DEV", "RESULT"}, {"fail", "v2*", "fail"}, {"b", "-", "unknown"}}
	want := "\x1b[1mSERVICE\x1b[0m  \x1b[1mDEV\x1b[0m  \x1b[1mRESULT\x1b[0m\nfail     \x1b[33mv2*\x1b[0m  \x1b[31mfail\x1b[0m\nb        \x1b[2m-\x1b[0m    \x1b[35munknown\x1b[0m\n"
	if got := write(t, rows, Style{Color: true}); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := write(t, rows, Style{NoHeadings: true}); got != "fail  v2*  fail\nb     -    unknown\n" {
		t.Errorf("without headings: %q", got)
	}
}

func TestDifference(t *testing.T) {
	got := Difference("--- a\n+++ b\n@@ -1 +1 @@\n same\n-old\n+new")
	want := "\x1b[1m--- a\x1b[0m\n\x1b[1m+++ b\x1b[0m\n\x1b[36m@@ -1 +1 @@\x1b[0m\n same\n\x1b[31m-old\x1b[0m\n\x1b[32m+new\x1b[0m"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestColumns(t *testing.T) {
	list := &unstructured.UnstructuredList{Items: []unstructured.Unstructured{
		{Object: map[string]any{"metadata": map[string]any{"name": "cart"}, "tags": []any{"v1", "v2"}}},
		{Object: map[string]any{"metadata": map[string]any{"name": "web"}}},
	}}
	list.SetKind("ServiceList")
	for name, parse := range map[string]func() (*Columns, error){
		"argument": func() (*Columns, error) { return ParseColumns("NAME:.metadata.name,TAGS:{.tags[*]}") },
		"file":     func() (*Columns, error) { return ParseColumnsFile("NAME          TAGS\nmetadata.name .tags[*]\n") },
	} {
		c, err := parse()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		c.Table = func(_ io.Writer, rows [][]string) error { return Write(&b, rows, Style{}) }
		if err := c.PrintObj(list, nil); err != nil {
			t.Fatal(err)
		}
		if want := "NAME  TAGS\ncart  v1,v2\nweb   <none>\n"; b.String() != want {
			t.Errorf("%s: %q", name, b.String())
		}
	}
	for _, bad := range []string{"", "NAME", "NAME:", ":.a", "NAME:{.a[}", "A:.a,"} {
		if _, err := ParseColumns(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestSort(t *testing.T) {
	type item struct {
		Name string  `json:"name,omitempty"`
		Size float64 `json:"size,omitempty"`
	}
	all := []item{{"c", 9}, {"a", 100}, {"", 1}}
	for by, want := range map[string]string{".name": ",a,c", "{.size}": ",c,a", "name": ",a,c"} {
		if err := Sort(all, by, func(i item) any { return i }); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, i := range all {
			names = append(names, i.Name)
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("%s: %s, not %s", by, got, want)
		}
	}
	for _, bad := range []string{".nothing", "{.a[}", ""} {
		if Sort(all, bad, func(i item) any { return i }) == nil {
			t.Errorf("%q sorts", bad)
		}
	}
}

// A letter of East Asia takes two columns: what stood behind one was not below its heading.
func TestWideLetters(t *testing.T) {
	got := write(t, [][]string{{"NAME", "TAG"}, {"購物車", "v1"}, {"cart", "v2"}}, Style{})
	if want := "NAME    TAG\n購物車  v1\ncart    v2\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if short := shorten(strings.Repeat("購", 20), 13); Width(short) > 13 {
		t.Errorf("%s is %d wide", short, Width(short))
	}
}
