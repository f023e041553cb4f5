// The command peers builds the programs of the end-to-end tests and prints the
// folder that they are in. The tests do so themselves, but go test holds back
// what they say meanwhile.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/kubepromote/kubepromote/e2e/internal/peers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	bin, err := peers.Build(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(bin)
}
