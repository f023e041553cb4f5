// The command bench measures kubectl-promote side by side with what its users
// would do otherwise. Run it in the folder e2e: go run ./cmd/bench.
//
// All figures of one run are taken on the same machine in turns, A B A B, and
// the medians are compared. Its exit status is 1 where a bound is missed or a row
// failed; the other rows are measured and told all the same. This measures, and is
// no test of the project's. With -out each measurement is a line more in a file, to
// be plotted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/e2e/internal/peers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	done, err := part(ctx, os.Args)
	if !done {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is one run of all measurements.
type bench struct {
	dir       string // for the repositories, removed afterwards
	product   string
	kustomize string
	registry  string
	crane     string
	cosign    string
	rounds    int // of the short measurements
	long      int // of the long ones
	small     int // services in the smaller repository
	large     int

	repositories, each int // of the fleet, and services of each

	row     string // that is measured
	results []result
}

// row is one of the table.
type row struct {
	name, about string
	measure     func(context.Context) error
}

func (b *bench) rows() []row {
	return []row{
		{"start-up", "version beside kustomize's", b.startUp},
		{"one-edit", "set beside kustomize edit set image, whole processes", b.oneEdit},
		{"size", "the release's program and archive, and what costs most", b.size},
		{"functions", "KRM functions beside one that does nothing", b.functions},
		{"resolve", "1,000 images, 20 ms away, beside crane and a bare client", b.resolve},
		{"verify", "1,000 images beside cosign and a bare client", b.verify},
		{"gates", "1,000 services with six gates each beside the bare requests", b.gates},
		{"render", "500 overlays on 50 bases beside kustomize build of each", b.render},
		{"status", "10,000 services in four layouts beside reading the files", b.status},
		{"history", "50,000 commits beside git log of the same paths", b.history},
		{"writers", "20 writers on one remote beside a loop with git pull --rebase", b.writers},
		{"push", "1,000 services by URL from a cold cache of 200,000 files beside git's own", b.push},
		{"fleet", "100,000 services in 200 repositories: a registry with 429s, a forge with limits", b.fleet},
		// What makes many files comes last: an ext4 without a journal is slow in that
		// for some minutes after many files were removed, as by a run before this one.
		{"many", "1,000 services in the working tree and in a commit beside kustomize in a loop and git", b.many},
		{"growth", "memory and time from 1,000 services to 10,000", b.growth},
	}
}

func run(ctx context.Context) error {
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 20, "rounds of the short measurements")
	flag.IntVar(&b.long, "long-rounds", 3, "rounds of the long measurements")
	flag.IntVar(&b.small, "services", 1000, "services in the smaller repository")
	flag.IntVar(&b.large, "many-services", 10000, "services in the larger repository")
	flag.IntVar(&b.repositories, "fleet-repositories", 200, "repositories of the row fleet")
	flag.IntVar(&b.each, "fleet-services", 500, "services in each of them")
	names := flag.String("rows", "", "these rows alone, with commas between; -list has them")
	list := flag.Bool("list", false, "list the rows, and measure nothing")
	out := flag.String("out", "", "a file that gets a line of JSON more for each measurement")
	keep := flag.String("keep", "", "an empty folder for the repositories, which are left there to be looked at")
	flag.Parse()
	rows, err := b.choose(*names)
	if err != nil || *list {
		return errors.Join(err, printRows(rows))
	}
	bin, err := peers.Build(ctx, os.Stderr, peers.Product, peers.Function, "kustomize", "registry", "crane", "cosign")
	if err != nil {
		return err
	}
	b.product, b.kustomize = filepath.Join(bin, peers.Product), filepath.Join(bin, "kustomize")
	b.registry, b.crane, b.cosign = filepath.Join(bin, "registry"), filepath.Join(bin, "crane"), filepath.Join(bin, "cosign")
	if b.dir = *keep; b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "kubepromote-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.dir)
	}
	return b.all(ctx, rows, os.Stdout, *out)
}

// all measures rows. What was measured is told whatever becomes of the others: one that
// fails, or that is interrupted, is an error beside the summary.
func (b *bench) all(ctx context.Context, rows []row, w io.Writer, out string) error {
	var failed []error
	for _, r := range rows {
		b.row = r.name
		if err := r.measure(ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", r.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Fprintln(w)
	b.summary(w)
	if out != "" && len(b.results) > 0 {
		failed = append(failed, b.record(context.WithoutCancel(ctx), out))
	}
	return errors.Join(append(failed, b.missed())...)
}

// choose gives the rows that are named, or all.
func (b *bench) choose(names string) ([]row, error) {
	rows := b.rows()
	if names == "" {
		return rows, nil
	}
	var chosen []row
	for name := range strings.SplitSeq(names, ",") {
		n := slices.IndexFunc(rows, func(r row) bool { return r.name == strings.TrimSpace(name) })
		if n < 0 {
			return rows, fmt.Errorf("no row is called %q", name)
		}
		chosen = append(chosen, rows[n])
	}
	return chosen, nil
}

func printRows(rows []row) error {
	var err error
	for _, r := range rows {
		_, perr := fmt.Printf("%-10s %s\n", r.name, r.about)
		err = errors.Join(err, perr)
	}
	return err
}
