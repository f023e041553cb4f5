package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// What the fleet has, and what its servers let through.
const (
	fleetAtOnce = 4 // commands
	// fleetRuns is how often one is run that could not tell.
	fleetRuns = 20

	registryDelay = 20 * time.Millisecond
	registryRate  = 500.0 // requests a second
	forgeRate     = 900.0 / 60
	forgeBurst    = 900.0 // points, of which a write takes five
	writePoints   = 5.0
)

// bucket lets so much through at once, and so much a second.
type bucket struct {
	mu          sync.Mutex
	rate, burst float64
	has         float64
	at          time.Time
	first       time.Time // when something was refused first
}

// take tells how long to wait; 0 where there is enough.
func (b *bucket) take(n float64, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.has = b.burst
	} else {
		b.has = min(b.burst, b.has+b.rate*now.Sub(b.at).Seconds())
	}
	if b.at = now; b.has >= n {
		b.has -= n
		return 0
	}
	if b.first.IsZero() {
		b.first = now
	}
	return time.Duration((n - b.has) / b.rate * float64(time.Second))
}

// fleetStats is what the servers have counted.
type fleetStats struct {
	Registry, RegistryRefused, Forge, ForgeRefused, Git, Pulls int
	// FirstRegistry and FirstForge are after how many seconds they refused something first.
	FirstRegistry, FirstForge float64
}

// fleetServers are a registry, a forge and a server of git at one address.
type fleetServers struct {
	mu              sync.Mutex
	stats           fleetStats
	began           time.Time
	registry, forge bucket
	git             *cgi.Handler
}

// serveFleet runs them until the standard input ends. The folder has the repositories.
func serveFleet(ctx context.Context, dir string) error {
	program, err := exec.LookPath("git")
	if err != nil {
		return err
	}
	s := &fleetServers{
		registry: bucket{rate: registryRate, burst: registryRate}, forge: bucket{rate: forgeRate, burst: forgeBurst}, began: time.Now(),
		git: &cgi.Handler{Path: program, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}, Stderr: io.Discard},
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // ends with Close
	defer server.Close()
	if err := writeFile(filepath.Join(dir, answersReady+".new"), l.Addr().String()); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, answersReady+".new"), filepath.Join(dir, answersReady)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// ServeHTTP serves all three.
func (s *fleetServers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	switch path := r.URL.Path; {
	case path == "/stats":
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stats.FirstRegistry, s.stats.FirstForge = s.after(s.registry.first), s.after(s.forge.first)
		_ = json.NewEncoder(w).Encode(s.stats) // the bench has gone
	case strings.HasPrefix(path, "/v2/"):
		refused := limited(w, &s.registry, 1, now)
		s.count(func(c *fleetStats) { c.Registry++; c.RegistryRefused += refused })
		if refused == 0 {
			time.Sleep(registryDelay)
			answer(w, r)
		}
	case strings.HasPrefix(path, "/api/"):
		points := 1.0
		if r.Method != http.MethodGet {
			points = writePoints
		}
		refused := limited(w, &s.forge, points, now)
		s.count(func(c *fleetStats) { c.Forge++; c.ForgeRefused += refused })
		if refused == 0 {
			s.pulls(w, r)
		}
	default:
		s.count(func(c *fleetStats) { c.Git++ })
		if version := r.Header.Get("Git-Protocol"); version != "" {
			git := *s.git
			git.Env = append(append([]string{}, git.Env...), "GIT_PROTOCOL="+version)
			git.ServeHTTP(w, r)
			return
		}
		s.git.ServeHTTP(w, r)
	}
}

func (s *fleetServers) count(one func(*fleetStats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one(&s.stats)
}

func (s *fleetServers) after(first time.Time) float64 {
	if first.IsZero() {
		return 0
	}
	return first.Sub(s.began).Seconds()
}

// limited refuses what is too much, as GitHub and registries do, and gives 1.
func limited(w http.ResponseWriter, b *bucket, n float64, now time.Time) int {
	wait := b.take(n, now)
	if wait == 0 {
		return 0
	}
	w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())+1))
	http.Error(w, `{"message":"too many requests"}`, http.StatusTooManyRequests)
	return 1
}

// pulls is as much of the forge as a promotion needs: no pull request is open, and each that
// is asked for is opened.
func (s *fleetServers) pulls(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	repository := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v3/repos/"), "/")
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pulls"):
		fmt.Fprint(w, "[]")
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls") && len(repository) > 2:
		var in struct{ Title, Body, Head, Base string }
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.count(func(c *fleetStats) { c.Pulls++ })
		w.WriteHeader(http.StatusCreated)
		full := repository[0] + "/" + repository[1]
		_ = json.NewEncoder(w).Encode(map[string]any{"number": 1, "state": "open", "title": in.Title, "body": in.Body, "html_url": "http://" + r.Host + "/" + full + "/pull/1",
			"user": map[string]any{"login": "robot"}, "base": map[string]any{"ref": in.Base, "repo": map[string]any{"full_name": full}},
			"head": map[string]any{"ref": in.Head, "sha": strings.Repeat("0", 40), "repo": map[string]any{"full_name": full}}})
	default:
		fmt.Fprint(w, "{}")
	}
}

const fleetPipeline = `    deliver: {mode: pullRequest, forge: github, labels: [promotion]}
`

// fleet promotes every service of many repositories by pull requests, and tells how long that
// takes, what is asked, and which of the servers refuses something first.
func (b *bench) fleet(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, "fleet-servers")
	host, stop, err := b.startPart(ctx, fleetArg, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for n := range b.repositories {
		r, err := imported(ctx, filepath.Join(dir, "acme", fmt.Sprintf("infra-%d.git", n)), true, func(h *history) {
			h.commit("begin")
			h.file("promotion.yaml", twoEnvironments+fleetPipeline)
			for i := range b.each {
				for _, e := range environments {
					text := overlayOf(i, e.name, e.tag)
					text = text[:strings.Index(text, "  digest:")] + text[strings.Index(text, "\nconfigMapGenerator"):]
					h.file(pathOf(i, e.name), strings.ReplaceAll(text, "registry.example.com", host))
				}
			}
		})
		if err == nil {
			_, err = r.git(ctx, "config", "http.receivepack", "true")
		}
		if err != nil {
			return err
		}
	}
	began := time.Now()
	all, runs, err := b.promoteFleet(ctx, host)
	if err != nil {
		return err
	}
	took := time.Since(began)
	stats, err := readStats(ctx, host)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d services in %d repositories", b.repositories*b.each, b.repositories)
	b.report(what, "kubectl-promote -C URL --all --pr", all)
	for _, one := range []struct {
		what  string
		value float64
		unit  string
	}{
		{"in all", took.Seconds(), "s"}, {"runs, those that could not tell again", float64(runs), ""},
		{"registry", float64(stats.Registry), "requests"}, {"registry, 429", float64(stats.RegistryRefused), "requests"}, {"registry, the first 429", stats.FirstRegistry, "s"},
		{"forge", float64(stats.Forge), "requests"}, {"forge, 429", float64(stats.ForgeRefused), "requests"}, {"forge, the first 429", stats.FirstForge, "s"},
		{"git", float64(stats.Git), "requests"},
	} {
		b.note(one.what, one.value, one.unit, all)
	}
	b.least("pull requests", float64(stats.Pulls), "", float64(b.repositories), all)
	return nil
}

// promoteFleet runs the command for each repository, several side by side; one that could not
// tell is run again, as an engine would run it.
func (b *bench) promoteFleet(ctx context.Context, host string) (all costs, runs int, err error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	places := make(chan struct{}, fleetAtOnce)
	for n := range b.repositories {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			one := command{dir: b.dir, name: b.product, args: []string{"-C", fmt.Sprintf("http://%s/acme/infra-%d.git", host, n), "--all", "--to", "production"},
				env: []string{"XDG_CACHE_HOME=" + filepath.Join(b.dir, "fleet-cache"), "KUBEPROMOTE_TOKEN=token"}}
			for try := range fleetRuns {
				c, oneErr := one.run(ctx)
				mu.Lock()
				runs++
				if oneErr == nil {
					all = append(all, c)
				}
				mu.Unlock()
				if exit := new(exec.ExitError); oneErr == nil || !errors.As(oneErr, &exit) || exit.ExitCode() != 5 || try == fleetRuns-1 {
					mu.Lock()
					err = errors.Join(err, oneErr)
					mu.Unlock()
					return
				}
			}
		})
	}
	group.Wait()
	return all, runs, err
}

func readStats(ctx context.Context, host string) (*fleetStats, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/stats", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := &fleetStats{}
	return out, json.NewDecoder(resp.Body).Decode(out)
}
