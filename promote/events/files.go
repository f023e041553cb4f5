package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/files"
)

// regular tells whether a name stands for a file, or for none yet: a pipe would be waited
// for.
func regular(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return reason(err)
	case !info.Mode().IsRegular():
		return fault.Text("it is no regular file")
	}
	return nil
}

// reason is an error of the system without the path, which is nobody's business.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// appendTo appends a line for each event, in one write.
func appendTo(_ context.Context, name string, all []Event) error {
	if err := regular(name); err != nil {
		return err
	}
	var b bytes.Buffer
	for _, e := range all {
		b.Write(e.CloudEvent())
		b.WriteByte('\n')
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return reason(err)
	}
	_, err = f.Write(b.Bytes())
	return reason(errors.Join(err, f.Close()))
}

const (
	metric      = "kubepromote_last_event_time_seconds"
	maxMetrics  = 4 << 20
	metricsHead = "# TYPE " + metric + " gauge\n# UNIT " + metric + " seconds\n# HELP " + metric + " When a service in an environment had the last event of a kind.\n"
	metricsTail = "# EOF\n"
)

var label = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// writeMetrics sets the times of events among those that the file has. A collector sees the
// file before or after that, never half of it; commands side by side take turns.
func writeMetrics(ctx context.Context, name string, all []Event) error {
	if err := regular(name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return reason(err)
	}
	defer dir.Close() // that gives the lock back
	if files.Lock(ctx, dir) != nil {
		return fault.Text("another command has its directory locked")
	}
	values, err := readMetrics(name)
	if err != nil {
		return err
	}
	for _, e := range all {
		values[fmt.Sprintf(`%s{kind="%s",service="%s",environment="%s"}`, metric, e.Kind, label.Replace(e.Service), label.Replace(e.Environment))] = strconv.FormatInt(e.Time.Unix(), 10)
	}
	var b bytes.Buffer
	b.WriteString(metricsHead)
	for _, series := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%s %s\n", series, values[series])
	}
	b.WriteString(metricsTail)
	f, err := os.CreateTemp(filepath.Dir(name), ".kubepromote-*") // collectors read *.prom alone
	if err != nil {
		return reason(err)
	}
	_, err = f.Write(b.Bytes())
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return reason(err)
}

// readMetrics gives the values that a file has, by their series.
func readMetrics(name string) (map[string]string, error) {
	values := make(map[string]string)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return values, nil
	}
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMetrics+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(data) > maxMetrics {
		return nil, fault.Text("the file is larger than 4 MiB")
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		at := strings.LastIndexByte(line, ' ')
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case at < 0 || !strings.HasPrefix(line, metric+"{"):
			return nil, fault.Text("the file has metrics of others")
		default:
			values[line[:at]] = line[at+1:]
		}
	}
	return values, nil
}
