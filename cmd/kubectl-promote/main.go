// Kubectl-promote moves container images between the environments of a GitOps
// repository. kubectl runs it as "kubectl promote".
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // freezes are in time zones, which not every system knows

	_ "github.com/kubepromote/kubepromote/cmd/internal/heap"
	"github.com/kubepromote/kubepromote/plugins/kubectl"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func main() { os.Exit(run()) }

func run() int {
	// Only net/http writes there, about servers that break the protocol: a registry
	// must not put lines of its own between ours.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return kubectl.RunToSignal(ctx, os.Args, genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
}
