package across

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// Pipelines have other environments in another order: a cell stands below its own heading,
// and what could not be read is not a row of dashes, which would be none.
func TestRows(t *testing.T) {
	got := Rows([]string{"SERVICE"}, []Table{
		{"shop", [][]string{{"SERVICE", "STAGING", "LIVE"}, {"cart", "v2", "v1"}}},
		{"gone", nil},
		{"books", [][]string{{"SERVICE", "TEST", "STAGING"}, {"api", "v3", "v4"}}},
		{"empty", [][]string{{"SERVICE", "STAGING"}}},
	})
	want := "[[REPOSITORY SERVICE STAGING LIVE TEST] [shop cart v2 v1 -] [gone unknown unknown unknown unknown] [books api v4 - v3]]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// An environment may be called like a column that is always there: its cell stood in that
// column, in place of the service.
func TestRowsCalledLikeColumns(t *testing.T) {
	got := Rows([]string{"SERVICE"}, []Table{
		{"shop", [][]string{{"SERVICE", "SERVICE", "REPOSITORY"}, {"cart", "v2", "v1"}}},
		{"books", [][]string{{"SERVICE", "REPOSITORY", "SERVICE"}, {"api", "v3", "v4"}}},
	})
	want := "[[REPOSITORY SERVICE SERVICE REPOSITORY] [shop cart v2 v1] [books api v4 v3]]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestObject(t *testing.T) {
	for content, want := range map[any]string{
		struct {
			A int `json:"a"`
		}{1}: `{"repository":"x","a":1}`,
		struct{}{}: `{"repository":"x"}`,
	} {
		out, err := json.Marshal(Object("x", cli.Object{Content: content}).Content)
		if err != nil || string(out) != want {
			t.Errorf("%s, %v, want %s", out, err, want)
		}
	}
}

// What can be typed is to be copied as a whole line.
func TestVoice(t *testing.T) {
	v, out := voice{name: "shop"}, strings.Builder{}
	fmt.Fprint(&v, "a.yaml:1:1: broken\nhint: mend it\n\n")
	if at := v.lineAt(0); at != "a.yaml:1:1: broken" {
		t.Error(at)
	}
	if err := v.flush(&out); err != nil || out.String() != "shop: a.yaml:1:1: broken\nhint: mend it\n\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
