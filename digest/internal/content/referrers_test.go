package content

import (
	"runtime"
	"strings"
	"testing"
)

func TestParseReferrers(t *testing.T) {
	const one = `{"mediaType":"x","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}`
	for page, want := range map[string]struct {
		listed int
		says   string
	}{
		`{"manifests":[]}`:                        {0, ""},
		`{"manifests":null}`:                      {0, ""},
		`{"manifests":[` + one + `,` + one + `]}`: {2, ""},
		`{}`: {0, "not an index"},
		`{"errors":[{"code":"TOOMANYREQUESTS"}]}`:       {0, "not an index"},
		`{"manifests":{}}`:                              {0, "not an index"},
		`{"manifests":1}`:                               {0, "not an index"},
		`[]`:                                            {0, "not an index"},
		`{"manifests":[` + one:                          {0, "not an index"},
		`{"manifests":[` + one + `,7]}`:                 {1, "not an index"},
		`{"manifests":[` + one + `,{"digest":"no"}]}`:   {1, "not an index"},
		`{"manifests":[` + strings.Repeat(one+",", 100): {0, "not an index"},
	} {
		got, err := ParseReferrers([]byte(page), 0)
		if len(got) != want.listed || (err == nil) != (want.says == "") || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("%.60s: %d listed, %v", page, len(got), err)
		}
	}
	if got, err := ParseReferrers([]byte(`{"manifests":[`+one+`,`+one+`]}`), maxReferrers-1); len(got) != 1 || err == nil {
		t.Errorf("beyond the limit: %d listed, %v", len(got), err)
	}
}

// A few megabytes of text must not become some hundred in memory.
func TestParseReferrersMemory(t *testing.T) {
	page := []byte(`{"manifests":[` + strings.Repeat("{},", MaxManifest/3-10) + `{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := ParseReferrers(page, 0)
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 64 || err == nil || len(got) > maxReferrers {
		t.Errorf("%d MiB, %d listed, %v", n, len(got), err)
	}
}
