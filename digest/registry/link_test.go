package registry

import (
	"net/url"
	"strings"
	"testing"
)

func TestNextPageInSecondHeader(t *testing.T) {
	page := &url.URL{Scheme: "https", Host: "r.example.com", Path: "/v2/a/referrers/x"}
	got, err := nextPage(page, []string{`</a>; rel=prev`, `<?n=2>; rel=next`})
	if err != nil || got == nil || got.RawQuery != "n=2" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNextPage(t *testing.T) {
	for header, want := range map[string]string{
		`</v2/a/referrers/x?n=2>; rel="next"`:                  "n=2",
		`<?n=2>; rel=next`:                                     "n=2",
		`</a>; rel="prev", <?n=3>; title="x"; REL="last Next"`: "n=3",
		`<?n=6,7;8>; title="x"; rel=next`:                      "n=6,7;8",
		`<?n=7>; rel = "prev next"`:                            "n=7",
		`</a>; title=next; rel=prev`:                           "",
		`a, b; rel=next`:                                       "malformed",
		`<%zz?n=1>; rel="next"`:                                "malformed",
		`<?n=4>`:                                               "n=4", // some registries leave the rel out
		`</a>; rel="prev"`:                                     "",
		``:                                                     "",
		`/a; rel="next"`:                                       "malformed",
		`<?n=5`:                                                "malformed",
		`<>; rel="next"`:                                       "the same page",
		`</b?n=2>; rel="next"`:                                 "not of the same list",
		`<https://elsewhere.example.com/v2/>; rel="next"`:          "not of the same list",
		`<` + strings.Repeat("<", 100) + `>; rel="next"; rel=prev`: "not of the same list",
	} {
		page := &url.URL{Scheme: "https", Host: "r.example.com", Path: "/v2/a/referrers/x"}
		got, err := nextPage(page, []string{header})
		switch {
		case err != nil:
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("nextPage(%q): %v, want %q", header, err, want)
			}
		case want == "":
			if got != nil {
				t.Errorf("nextPage(%q) = %v, want none", header, got)
			}
		case got == nil || got.RawQuery != want || got.Host != page.Host || got.Path != page.Path:
			t.Errorf("nextPage(%q) = %v, want %q", header, got, want)
		}
	}
}
