package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A row that failed has lost the summary and the file of those that were measured, and notes
// were counted as bounds.
func TestAll(t *testing.T) {
	b, out := &bench{}, filepath.Join(t.TempDir(), "out")
	broken := errors.New("no server")
	rows := []row{
		{name: "one", measure: func(context.Context) error {
			b.most("time", 1, "×", 2, nil)
			b.note("size", 3, "MiB", nil)
			return nil
		}},
		{name: "two", measure: func(context.Context) error { b.least("share", 1, "×", 2, nil); return broken }},
		{name: "three", measure: func(context.Context) error { b.most("time", 1, "×", 2, nil); return nil }},
	}
	var told bytes.Buffer
	err := b.all(t.Context(), rows, &told, out)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "two: no server\n1 of 3 bounds are missed: two: share") {
		t.Error(err)
	}
	data, rerr := os.ReadFile(out)
	if rerr != nil || bytes.Count(data, []byte("\n")) != 4 {
		t.Errorf("%s, %v", data, rerr)
	}
	for _, want := range []string{"one    time", "one    size", "two    share", "three  time"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%s is not in\n%s", want, &told)
		}
	}

	// So it is where it is interrupted, and nothing more is begun.
	ctx, cancel := context.WithCancel(t.Context())
	b.results = nil
	rows[1].measure = func(ctx context.Context) error { cancel(); return ctx.Err() }
	err = b.all(ctx, rows, &told, out)
	data, rerr = os.ReadFile(out)
	if !errors.Is(err, context.Canceled) || rerr != nil || bytes.Count(data, []byte("\n")) != 6 {
		t.Errorf("%v, %s, %v", err, data, rerr)
	}
}
