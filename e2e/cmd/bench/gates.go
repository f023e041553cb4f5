package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The bounds.
const (
	gatesTimes   = 3.0 // as long as the bare requests, at most
	renderTimes  = 8.0 // as fast as kustomize build of each, at least
	renderMany   = 500
	renderBases  = 50
	gatesMany    = 1000
	answersReady = "address"
)

// serveAnswers answers what gates ask, and what tags stand for, until the standard input
// ends. Its address is in a file of the folder.
func serveAnswers(ctx context.Context, dir string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: time.Minute}
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

func answer(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case path[0] == "v2" && len(path) == 5: // v2/shop/NAME/manifests/TAG
		var i int
		if _, err := fmt.Sscanf(path[2], "service-%d", &i); err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Docker-Content-Digest", digest(i, newTag))
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "500")
		}
	case path[0] == "api":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"0.01"]}]}}`, time.Now().Unix())
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"ok":true}`)
	}
}

const gatesPipeline = `    gates:
    - {name: a, http: {url: "http://HOST/a/{service}", expect: body.ok == true}}
    - {name: b, http: {url: "http://HOST/b/{service}", expect: body.ok == true}}
    - {name: c, http: {url: "http://HOST/c/{service}", expect: body.ok == true}}
    - {name: d, metric: {prometheus: {url: "http://HOST", query: 'd{service="{service}"}'}, below: 0.5}}
    - {name: e, metric: {prometheus: {url: "http://HOST", query: 'e{service="{service}"}'}, below: 0.5}}
    - {name: f, metric: {prometheus: {url: "http://HOST", query: 'f{service="{service}"}'}, below: 0.5}}
`

// gates compares six gates for each of many services, and the digest of its tag, with a
// client that sends the same requests and does nothing with the answers.
func (b *bench) gates(ctx context.Context) (err error) {
	host, stop, err := b.startPart(ctx, answersArg, filepath.Join(b.dir, "answers"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	here := func(text string) string {
		return strings.NewReplacer("registry.example.com", host, "HOST", host).Replace(text)
	}
	var urls []string
	r, err := imported(ctx, filepath.Join(b.dir, "gates"), false, func(h *history) {
		h.commit("begin")
		h.file("promotion.yaml", here(twoEnvironments+gatesPipeline))
		for i := range gatesMany {
			h.file(pathOf(i, "staging"), here(overlayOf(i, "staging", newTag)))
			h.file(pathOf(i, "production"), here(overlayOf(i, "production", oldTag)))
			one := []string{"http://" + host + "/v2/shop/" + service(i) + "/manifests/" + newTag}
			for _, path := range []string{"a/", "b/", "c/", "api/v1/query?query=d", "api/v1/query?query=e", "api/v1/query?query=f"} {
				one = append(one, "http://"+host+"/"+path+service(i))
			}
			urls = append(urls, strings.Join(one, " "))
		}
	})
	list := filepath.Join(b.dir, "gates.urls")
	self, serr := os.Executable()
	if err := errors.Join(err, serr, writeFile(list, strings.Join(urls, "\n"))); err != nil {
		return err
	}
	ours, floor := command{dir: r.dir, name: b.product, args: []string{"gates", "--all", "--to", "production"}}, command{name: self, args: []string{getsArg, list}}
	a, k, err := inTurns(ctx, b.long, ours.run, floor.run)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d services × 6 gates", gatesMany)
	b.report(what, "kubectl-promote gates", a)
	b.report("", "the bare requests", k)
	b.most(what, a.wall()/k.wall(), "× the bare requests", gatesTimes, a)
	return nil
}

// render compares the objects of many services that share bases with kustomize build of each
// overlay.
func (b *bench) render(ctx context.Context) error {
	r, err := imported(ctx, filepath.Join(b.dir, "render"), false, func(h *history) {
		h.commit("begin")
		h.file("promotion.yaml", twoEnvironments)
		for n := range renderBases {
			for file, text := range baseFiles {
				h.file(fmt.Sprintf("bases/%d/%s", n, file), strings.ReplaceAll(text, "NAME", fmt.Sprintf("base-%d", n)))
			}
		}
		for i := range renderMany {
			for _, e := range environments {
				base := fmt.Sprintf("../../../../bases/%d\nnamePrefix: %s-", i%renderBases, service(i))
				text := strings.NewReplacer("../../base", base, "patches:\n- path: replicas.yaml\n", "", "name: shop/"+service(i)+"\n", "name: "+fmt.Sprintf("shop/base-%d\n", i%renderBases)).Replace(overlayOf(i, e.name, e.tag))
				h.file(pathOf(i, e.name), text)
			}
		}
	})
	if err != nil {
		return err
	}
	round := 0
	ours := func(ctx context.Context) (cost, error) {
		round++
		return command{dir: r.dir, name: b.product, args: []string{"render", "--env", "production", "-o", filepath.Join(b.dir, fmt.Sprintf("rendered-%d", round))}}.run(ctx)
	}
	theirs := func(ctx context.Context) (cost, error) {
		var sum cost
		for i := range renderMany {
			one, err := command{dir: filepath.Dir(filepath.Join(r.dir, pathOf(i, "production"))), name: b.kustomize, args: []string{"build", "."}}.run(ctx)
			if err != nil {
				return cost{}, err
			}
			sum = sum.plus(one)
		}
		return sum, nil
	}
	a, k, err := inTurns(ctx, b.long, ours, theirs)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d overlays on %d bases", renderMany, renderBases)
	b.report(what, "kubectl-promote render", a)
	b.report("", "kustomize build of each", k)
	b.least(what, k.wall()/a.wall(), "× as fast as kustomize build", renderTimes, a)
	return nil
}
