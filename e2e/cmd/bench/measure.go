package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
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

// result is one line of the summary.
type result struct{ what, got, want, verdict string }

// report prints what was measured, at once.
func (b *bench) report(what, who string, c costs) {
	fmt.Printf("%-18s %-32s wall %8.1f ms  user %8.1f ms  sys %8.1f ms  max RSS %s  (%d rounds)\n",
		what, who, 1e3*c.wall(), 1e3*c.user(), 1e3*c.sys(), mib(c.memory()), len(c))
}

// share tells what one part of a round took.
func (b *bench) share(what, who string, c cost) { b.report(what, who, costs{c}) }

func (b *bench) target(what, got, want string, met bool) {
	verdict := "ok"
	if !met {
		verdict = "MISSED"
	}
	b.results = append(b.results, result{what, got, want, verdict})
}

func (b *bench) note(what, got string) {
	b.results = append(b.results, result{what, got, "-", "-"})
}

func (b *bench) summary(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MEASURED\tRESULT\tTARGET\tVERDICT")
	for _, r := range b.results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.what, r.got, r.want, r.verdict)
	}
	_ = t.Flush() // what cannot be printed cannot be reported either
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
