// The command bench measures kubectl-promote side by side with what its users
// would do otherwise. Run it in the folder e2e: go run ./cmd/bench.
//
// All figures of one run are taken on the same machine in turns, A B A B, and
// the medians are compared. A missed target is printed and is no failure: this
// measures, it does not test.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

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
	results   []result
}

func run(ctx context.Context) error {
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 20, "rounds of the short measurements")
	flag.IntVar(&b.long, "long-rounds", 3, "rounds of the long measurements")
	flag.IntVar(&b.small, "services", 1000, "services in the smaller repository")
	flag.IntVar(&b.large, "many-services", 10000, "services in the larger repository")
	only := flag.String("only", "", "one measurement: start-up, one-image, many-images, growth (after many-images), functions, resolve or verify")
	keep := flag.String("keep", "", "an empty folder for the repositories, which are left there to be looked at")
	flag.Parse()
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
	for _, m := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"start-up", b.startUp}, {"one-image", b.oneImage}, {"functions", b.functions}, {"resolve", b.resolve}, {"verify", b.verify},
		// What makes many files comes last: an ext4 without a journal is slow in that
		// for some minutes after many files were removed, as by a run before this one.
		{"many-images", b.manyImages}, {"growth", b.growth},
	} {
		if *only != "" && m.name != *only {
			continue
		}
		if err := m.measure(ctx); err != nil {
			return err
		}
	}
	fmt.Println()
	b.summary(os.Stdout)
	return nil
}
