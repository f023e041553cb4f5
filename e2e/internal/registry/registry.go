// Package registry runs the distribution registry as a process of its own on a
// loopback port.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Options say how the registry runs.
type Options struct {
	// Program is the path of the registry's binary.
	Program string
	// Dir is an empty folder for its configuration, content and log.
	Dir string
	// Auth is the auth section of its configuration; nil lets everybody in.
	Auth map[string]any
}

// Registry is a running registry.
type Registry struct {
	// Host is its address, as image references begin with it.
	Host string

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  string
}

// startTries is how often another port is tried: between choosing a free port
// and the process listening on it, somebody else may take it.
const startTries = 5

// Start runs a registry and waits until it answers. The caller stops it.
func Start(ctx context.Context, o Options) (*Registry, error) {
	var last error
	for range startTries {
		host, err := freePort()
		if err != nil {
			return nil, err
		}
		r, err := start(ctx, o, host)
		if err == nil {
			return r, nil
		}
		last = err
	}
	return nil, last
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func start(ctx context.Context, o Options, host string) (*Registry, error) {
	config, err := writeConfig(o, host)
	if err != nil {
		return nil, err
	}
	r := &Registry{Host: host, done: make(chan struct{}), log: filepath.Join(o.Dir, "log")}
	log, err := os.Create(r.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own
	r.cmd = exec.Command(o.Program, "serve", config)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	// Nothing of the caller's environment may reach it: REGISTRY_… variables
	// change its configuration, OTEL_… ones send traces.
	r.cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = r.cmd.Wait() // how it ended is in its log
		close(r.done)
	}()
	if err := r.ready(ctx); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

func writeConfig(o Options, host string) (string, error) {
	config := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "info"},
		"storage": map[string]any{
			"filesystem":  map[string]any{"rootdirectory": filepath.Join(o.Dir, "content")},
			"maintenance": map[string]any{"uploadpurging": map[string]any{"enabled": false}},
		},
		"http": map[string]any{"addr": host},
	}
	if o.Auth != nil {
		config["auth"] = o.Auth
	}
	data, err := json.Marshal(config) // which is YAML, too
	if err != nil {
		return "", err
	}
	file := filepath.Join(o.Dir, "config.yml")
	return file, os.WriteFile(file, data, 0o600)
}

func (r *Registry) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Host+"/v2/", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			return resp.Body.Close()
		}
		select {
		case <-r.done:
			text, _ := os.ReadFile(r.log)
			return fmt.Errorf("the registry ended at once:\n%s", text)
		case <-ctx.Done():
			return errors.New("the registry does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the process, and no other, and waits for its end. A second call does
// nothing.
func (r *Registry) Stop() {
	select {
	case <-r.done:
		return
	default:
	}
	_ = r.cmd.Process.Kill() // an error says that it has ended already
	<-r.done
}
