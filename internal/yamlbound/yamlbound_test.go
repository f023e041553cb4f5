package yamlbound

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestCheck(t *testing.T) {
	bomb := "x0: &x0 [x]\n"
	for i := 1; i <= 10; i++ {
		bomb += fmt.Sprintf("x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 10), ", "))
	}
	for name, tc := range map[string]struct{ text, want string }{
		"small":          {"a: [1, 2]\n", ""},
		"an alias":       {"a: &a [1]\nb: *a\n", ""},
		"no YAML":        {"&*: [", ""},
		"many values":    {strings.Repeat("- a\n", 3<<20), "has more than 2 million values"},
		"aliases":        {bomb, "its aliases stand for more than 2 million values"},
		"an alias in it": {"a: &a [*a]\n", "its aliases stand for more than 2 million values"},
	} {
		if err := Check([]byte(tc.text)); (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if msg := TooLarge(make([]byte, MaxInput+1)); msg != "is larger than 64 MiB" {
		t.Error(msg)
	}
}

// A patch on a single line, with its signs escaped or as base64 is read as YAML as well as
// one in a block: an alias in what it stands for took the stack of the program.
func TestCheckNested(t *testing.T) {
	const want = "its aliases stand for more than 2 million values"
	for name, tc := range map[string]struct {
		text string
		line int
	}{
		"none":               {"a: &a [1]\nb: *a\n", 0},
		"a fine one":         {"a: '{b: &b [1], c: *b}'\n", 0},
		"a script":           {"a: |\n  ls * && x &\n", 0},
		"in a block":         {"x: 1\na: |\n  b: &b [*b]\n", 2},
		"on a line":          {"x: 1\ny: 2\na: '{b: &b [*b]}'\n", 3},
		"escaped":            {`a: "{b: \u0026b [\u002ab]}"`, 1},
		"as base64":          {"a: !!binary e2I6ICZiIFsqYl19\n", 1},
		"in what is written": {"a: |\n  kind: PatchTransformer\n  patch: '{b: &b [*b]}'\n", 1},
		"in a second one":    {"a: 1\n---\na: '{b: &b [*b]}'\n", 3},
	} {
		line, err := CheckNested([]byte(tc.text))
		if line != tc.line || (err != nil) != (tc.line > 0) || err != nil && err.Error() != want {
			t.Errorf("%s: %d, %v", name, line, err)
		}
	}
}

func TestSurvey(t *testing.T) {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte("a: 1\nb: {c: 1, c: 2}\n"), &n); err != nil {
		t.Fatal(err)
	}
	var s Survey
	if size := s.Size(&n); size != 10 || s.Twice != "c" {
		t.Errorf("%d, %q", size, s.Twice)
	}
}

func ExampleCheck() {
	fmt.Println(Check([]byte("a: &a [1]\nb: *a\n")))
	// Output: <nil>
}
