package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/kubepromote/kubepromote/e2e/internal/proxy"
	"github.com/kubepromote/kubepromote/e2e/internal/registry"
)

// The parts of this program that run as processes of their own: what serves the
// measured programs would else be counted into their memory, and the floor has
// to pay for its start like everybody else.
const (
	farArg   = "far-registry"
	headsArg = "heads"
	getsArg  = "gets"
	readsArg = "reads"

	answersArg = "answers"
	fleetArg   = "fleet-servers"
)

// part runs one of them, if the arguments ask for it.
func part(ctx context.Context, args []string) (bool, error) {
	if len(args) < 2 {
		return false, nil
	}
	switch args[1] {
	case farArg:
		return true, serveFar(ctx, args[2], args[3])
	case headsArg:
		return true, heads(ctx, args[2])
	case getsArg:
		return true, gets(ctx, args[2])
	case readsArg:
		return true, reads(args[2])
	case answersArg:
		return true, serveAnswers(ctx, args[2])
	case fleetArg:
		return true, serveFleet(ctx, args[2])
	}
	return false, nil
}

const (
	farUser, farPassword = "robot", "correct-horse-battery"
	farDelay             = 20 * time.Millisecond
	farRepositories      = 100
	farTags              = 100
	// floorConcurrency is that of kubectl-promote.
	floorConcurrency = 32
)

// farFile is what serveFar tells about itself: the references, a line each.
const farFile = "references"

// serveFar runs a registry that wants tokens behind a proxy that takes its time,
// until the standard input ends.
func serveFar(ctx context.Context, program, dir string) error {
	tokens, err := registry.StartTokenServer(farUser, farPassword)
	if err != nil {
		return err
	}
	defer tokens.Close()
	auth, err := tokens.Auth(dir)
	if err != nil {
		return err
	}
	r, err := registry.Start(ctx, registry.Options{Program: program, Dir: dir, Auth: auth})
	if err != nil {
		return err
	}
	defer r.Stop()
	refs, err := registry.Fill(ctx, r.Host, &authn.Basic{Username: farUser, Password: farPassword}, farRepositories, farTags)
	if err != nil {
		return err
	}
	p := proxy.Start(r.Host, farDelay)
	defer p.Stop()
	text := strings.ReplaceAll(strings.Join(refs, "\n"), r.Host, p.Host)
	config, err := json.Marshal(map[string]any{"auths": map[string]any{p.Host: map[string]string{"username": farUser, "password": farPassword}}})
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "config.json"), string(config)); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, farFile+".new"), text); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, farFile+".new"), filepath.Join(dir, farFile)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// far is a running serveFar.
type far struct {
	dir  string
	refs []string
	stop func() error
}

func (b *bench) startFar(ctx context.Context) (*far, error) {
	fmt.Fprintf(os.Stderr, "filling a registry with %d images\n", farRepositories*farTags)
	f := &far{dir: filepath.Join(b.dir, "far")}
	text, stop, err := b.startServer(ctx, filepath.Join(f.dir, farFile), farArg, b.registry, f.dir)
	f.refs, f.stop = strings.Split(text, "\n"), stop
	return f, err
}

// startPart starts a part of this program that serves, and gives the address that it has
// written to its folder.
func (b *bench) startPart(ctx context.Context, part, dir string) (address string, stop func() error, err error) {
	return b.startServer(ctx, filepath.Join(dir, answersReady), part, dir)
}

// startServer starts a part, and waits for what it says in a file.
func (b *bench) startServer(ctx context.Context, says string, args ...string) (text string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(filepath.Dir(says), 0o755); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		data, err := os.ReadFile(says)
		if err == nil {
			return string(data), stop, nil
		}
		if time.Now().After(deadline) {
			return "", nil, errors.Join(fmt.Errorf("%s has not started in time", args[0]), stop())
		}
	}
}

// heads is the floor of resolving: the least that has to be sent, by net/http
// and nothing else. The file has a reference a line.
func heads(ctx context.Context, file string) error {
	refs, err := readLines(file)
	if err != nil {
		return err
	}
	host, _, _ := strings.Cut(refs[0], "/")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floorConcurrency}}
	token, err := fetchToken(ctx, client, host, refs)
	if err != nil {
		return err
	}
	return inParallel(refs, func(ref string) error {
		path, tag, _ := strings.Cut(strings.TrimPrefix(ref, host+"/"), ":")
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+host+"/v2/"+path+"/manifests/"+tag, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.Header.Get("Docker-Content-Digest") == "" {
			return fmt.Errorf("%s: %s", ref, resp.Status)
		}
		return nil
	})
}

// fetchToken makes the challenge and gets one token for all repositories.
func fetchToken(ctx context.Context, client *http.Client, host string, refs []string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v2/", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	parts := strings.Split(resp.Header.Get("WWW-Authenticate"), `"`) // realm="…",service="…"
	if len(parts) < 4 {
		return "", fmt.Errorf("no challenge: %s", resp.Status)
	}
	query := url.Values{"service": {parts[3]}}
	for _, ref := range refs {
		path, _, _ := strings.Cut(strings.TrimPrefix(ref, host+"/"), ":")
		if scope := "repository:" + path + ":pull"; !strings.Contains(strings.Join(query["scope"], " ")+" ", scope) {
			query.Add("scope", scope)
		}
	}
	if req, err = http.NewRequestWithContext(ctx, http.MethodGet, parts[1]+"?"+query.Encode(), nil); err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(farUser+":"+farPassword)))
	if resp, err = client.Do(req); err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ Token string }
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
	return answer.Token, err
}

// gets is the floor of verifying: each URL of the file read once.
func gets(ctx context.Context, file string) error {
	urls, err := readLines(file)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floorConcurrency}}
	return inParallel(urls, func(line string) error {
		for _, u := range strings.Fields(line) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
			if err != nil {
				return err
			}
			req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s: %s %w", u, resp.Status, err)
			}
		}
		return nil
	})
}

func readLines(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	return strings.Split(string(data), "\n"), err
}

// inParallel does something for all items, floorConcurrency at a time.
func inParallel(items []string, do func(string) error) error {
	work := make(chan string)
	var mu sync.Mutex
	var errs []error
	var group sync.WaitGroup
	for range floorConcurrency {
		group.Go(func() {
			for item := range work {
				if err := do(item); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	group.Wait()
	return errors.Join(errs...)
}
