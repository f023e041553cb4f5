package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// commandLimit bounds every command.
const commandLimit = 10 * time.Minute

// command is a program that is measured. prepare runs before it, unmeasured.
type command struct {
	dir     string
	name    string
	args    []string
	env     []string
	path    string // a folder to be found in front of all others on PATH
	prepare func() error
}

// cost is what one run took. memory is the largest resident size of the program
// or one that it started, in bytes. Linux counts the program's starter in, so
// this program keeps small.
type cost struct {
	wall, user, sys time.Duration
	memory          int64
}

func (c cost) plus(d cost) cost {
	return cost{c.wall + d.wall, c.user + d.user, c.sys + d.sys, max(c.memory, d.memory)}
}

func (c command) run(ctx context.Context) (cost, error) {
	if c.prepare != nil {
		if err := c.prepare(); err != nil {
			return cost{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.name, c.args...)
	cmd.Dir = c.dir
	cmd.Env = append(append(withPath(c.path), gitEnvironment...), c.env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	debug.FreeOSMemory() // which would be counted into the program's
	started := time.Now()
	err := cmd.Run()
	wall := time.Since(started)
	if err != nil {
		return cost{}, fmt.Errorf("%s %s: %w\n%s", c.name, strings.Join(c.args, " "), err, stderr.String())
	}
	s := cmd.ProcessState
	return cost{wall, s.UserTime(), s.SystemTime(), maxMemory(s)}, nil
}

// costs are the rounds of one contender.
type costs []cost

func (c costs) median(of func(cost) time.Duration) float64 {
	var all []float64
	for _, x := range c {
		all = append(all, of(x).Seconds())
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

func (c costs) wall() float64 { return c.median(func(c cost) time.Duration { return c.wall }) }
func (c costs) user() float64 { return c.median(func(c cost) time.Duration { return c.user }) }
func (c costs) sys() float64  { return c.median(func(c cost) time.Duration { return c.sys }) }

func (c costs) memory() int64 {
	var most int64
	for _, x := range c {
		most = max(most, x.memory)
	}
	return most
}

// inTurns measures two contenders A B A B …
func inTurns(ctx context.Context, rounds int, a, b func(context.Context) (cost, error)) (as, bs costs, err error) {
	all, err := allInTurns(ctx, rounds, a, b)
	if err != nil {
		return nil, nil, err
	}
	return all[0], all[1], nil
}

// allInTurns measures any number of contenders in turns, after one round that
// does not count: it warms the caches of all.
func allInTurns(ctx context.Context, rounds int, runs ...func(context.Context) (cost, error)) ([]costs, error) {
	all := make([]costs, len(runs))
	first := 0
	if rounds <= 3 {
		first = 1 // too long to be done for nothing; the median leaves it out
	}
	for i := first; i <= rounds; i++ {
		for n, run := range runs {
			c, err := run(ctx)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				all[n] = append(all[n], c)
			}
		}
	}
	return all, nil
}

// result is one line of the summary, and of the history.
type result struct {
	Row     string  `json:"row"`
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Bound   string  `json:"bound,omitempty"`
	Met     bool    `json:"met"`
	Millis  float64 `json:"ms"`  // the median of ours
	MiB     float64 `json:"mib"` // the peak of ours
}

// report prints what was measured, at once.
func (b *bench) report(what, who string, c costs) {
	fmt.Printf("%-18s %-32s wall %8.1f ms  user %8.1f ms  sys %8.1f ms  max RSS %s  (%d rounds)\n",
		what, who, 1e3*c.wall(), 1e3*c.user(), 1e3*c.sys(), mib(c.memory()), len(c))
}

// share tells what one part of a round took.
func (b *bench) share(what, who string, c cost) { b.report(what, who, costs{c}) }

// most notes a value that is to be no more than a limit; ours is what it was measured on.
func (b *bench) most(measure string, value float64, unit string, limit float64, ours costs) {
	b.add(result{Measure: measure, Value: value, Unit: unit, Bound: fmt.Sprintf("≤ %g", limit), Met: value <= limit}, ours)
}

// least notes one that is to be no less.
func (b *bench) least(measure string, value float64, unit string, limit float64, ours costs) {
	b.add(result{Measure: measure, Value: value, Unit: unit, Bound: fmt.Sprintf("≥ %g", limit), Met: value >= limit}, ours)
}

// note notes a value without a bound.
func (b *bench) note(measure string, value float64, unit string, ours costs) {
	b.add(result{Measure: measure, Value: value, Unit: unit, Met: true}, ours)
}

func (b *bench) add(r result, ours costs) {
	r.Row = b.row
	if len(ours) > 0 {
		r.Millis, r.MiB = 1e3*ours.wall(), float64(ours.memory())/(1<<20)
	}
	b.results = append(b.results, r)
}

func (b *bench) summary(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tMEASURED\tRESULT\tBOUND\tVERDICT\tMS\tPEAK")
	for _, r := range b.results {
		bound, verdict := r.Bound, "ok"
		switch {
		case r.Bound == "":
			bound, verdict = "-", "-"
		case !r.Met:
			verdict = "MISSED"
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f %s\t%s\t%s\t%.1f\t%.0f MiB\n", r.Row, r.Measure, r.Value, r.Unit, bound, verdict, r.Millis, r.MiB)
	}
	_ = t.Flush() // what cannot be printed cannot be reported either
}

// missed tells of the bounds that are not met.
func (b *bench) missed() error {
	var names []string
	bounds := 0
	for _, r := range b.results {
		if r.Bound != "" {
			bounds++
		}
		if !r.Met {
			names = append(names, r.Row+": "+r.Measure)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d bounds are missed: %s", len(names), bounds, strings.Join(names, "; "))
}

// record adds the results to a file, a line of JSON each.
func (b *bench) record(ctx context.Context, file string) error {
	commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return fmt.Errorf("git describe: %w", err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	enc.SetEscapeHTML(false)
	at := time.Now().UTC().Format(time.RFC3339)
	for _, r := range b.results {
		err = errors.Join(err, enc.Encode(struct {
			Date   string `json:"date"`
			Commit string `json:"commit"`
			result
		}{at, strings.TrimSpace(string(commit)), r}))
	}
	return errors.Join(err, f.Close())
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
