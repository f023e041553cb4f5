// Promote-fn is a KRM function for kustomize and kpt: it pins, sets, verifies and
// lists the images of Kubernetes objects.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/kubepromote/kubepromote/cmd/internal/heap"
	"github.com/kubepromote/kubepromote/plugins/kustomize"
)

func main() { os.Exit(run()) }

func run() int {
	// Only net/http writes there, about servers that break the protocol: a registry
	// must not put lines of its own between ours.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return kustomize.RunToSignal(ctx, os.Args[1:], kustomize.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
