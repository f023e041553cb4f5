// Command promote-helm renders a Helm chart for kubectl promote, which starts it: a request
// in JSON on standard input, the answer in JSON on standard output. It is a program of its own as
// Helm's engine would add 19 MB and about 10 ms to every start of the one that people
// type, and a module of its own so that nobody who imports a library of this project has Helm
// among its dependencies.
//
// It reads no file, asks no server and no cluster, runs nothing, and ends by itself where it
// takes too long or too much memory.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// The bounds of a rendering.
const (
	maxRequest = 256 << 20
	maxAnswer  = 64 << 20
	maxMemory  = 1 << 30
	maxTime    = 30 * time.Second
)

// request is what is rendered. Package promote/render/helm of kubectl promote writes it.
type request struct {
	Protocol int               `json:"protocol"`
	Files    map[string][]byte `json:"files"`
	// Values are merged in their order, the last one counts. Those with a path are one there.
	Values []struct {
		Name   string `json:"name"`
		Data   []byte `json:"data"`
		Path   string `json:"path"`
		String bool   `json:"string"`
	} `json:"values"`
	Set []struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		String bool   `json:"string"`
	} `json:"set"`
	Release     string   `json:"release"`
	Namespace   string   `json:"namespace"`
	KubeVersion string   `json:"kubeVersion"`
	APIVersions []string `json:"apiVersions"`
	SkipCRDs    bool     `json:"skipCRDs"`
	SkipHooks   bool     `json:"skipHooks"`
	Tests       bool     `json:"tests"`
	// Limit, if not zero, is how many milliseconds it may take, where that is less.
	Limit int64 `json:"limit"`
}

// protocol is the version of request and answer.
const protocol = 2

// answer is what comes of it.
type answer struct {
	// Manifests are what helm template --include-crds --skip-tests writes.
	Manifests string `json:"manifests,omitempty"`
	// Changing are the templates that give something else each time.
	Changing []string `json:"changing,omitempty"`
	Error    string   `json:"error,omitempty"`
	// At is the template that was being executed, where that was what took too much.
	At string `json:"at,omitempty"`
}

func main() {
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	go bound()
	say(run(os.Stdin))
}

func run(in io.Reader) answer {
	var q request
	if err := json.NewDecoder(io.LimitReader(in, maxRequest)).Decode(&q); err != nil {
		return answer{Error: "the request cannot be read: " + err.Error()}
	}
	if q.Protocol != protocol {
		return answer{Error: fmt.Sprintf("promote-helm speaks version %d of its protocol, and was asked in %d: install the promote-helm of the same release", protocol, q.Protocol)}
	}
	if q.Limit > 0 {
		limit.Store(min(int64(maxTime), q.Limit*int64(time.Millisecond)))
	}
	first, err := q.render(time.Now)
	if err != nil {
		return answer{Error: err.Error()}
	}
	// Another day and another second: what depends on the time differs as well.
	second, err := q.render(func() time.Time { return time.Now().Add(400*24*time.Hour + 3661*time.Second) })
	if err != nil {
		return answer{Error: err.Error()}
	}
	a := answer{Manifests: first.text, Changing: first.differ(second)}
	if len(a.Manifests) > maxAnswer {
		return answer{Error: fmt.Sprintf("the chart gives more than %d MiB", maxAnswer>>20)}
	}
	return a
}

// say writes the answer and ends the program.
func say(a answer) {
	_ = json.NewEncoder(os.Stdout).Encode(a) // who has asked is gone
	os.Exit(0)
}

// limit is how long all may take, and executed the template that is being executed.
var (
	limit    atomic.Int64
	executed atomic.Value
)

// bound ends the program where a template does not end, or takes too much memory.
func bound() {
	start := time.Now()
	limit.CompareAndSwap(0, int64(maxTime))
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for range time.Tick(20 * time.Millisecond) {
		at, _ := executed.Load().(string)
		metrics.Read(sample)
		if sample[0].Value.Uint64() > maxMemory {
			say(answer{Error: fmt.Sprintf("rendering takes more than %d MiB of memory", maxMemory>>20), At: at})
		}
		if most := time.Duration(limit.Load()); time.Since(start) > most {
			say(answer{Error: fmt.Sprintf("rendering takes more than %s", most.Round(time.Second)), At: at})
		}
	}
}
