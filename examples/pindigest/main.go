// Pindigest asks registries which digests the tags in a file stand for, and
// prints the edit that pins them: pindigest FILE. It needs the packages overlay
// and digest, and with them no Kubernetes client and no sigstore.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/overlay"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: pindigest FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, name string, out io.Writer) error {
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := overlay.Parse(name, src)
	if err != nil {
		return err
	}
	resolver := digest.NewResolver(digest.Options{})
	defer resolver.CloseIdleConnections()
	var changes []overlay.Change
	for _, image := range file.Images() {
		if image.Tag == "" || image.Digest != "" {
			continue
		}
		answer, err := resolver.Resolve(ctx, image.Repository()+":"+image.Tag)
		if err != nil {
			return err
		}
		changes = append(changes, overlay.Change{Name: image.Name, Digest: overlay.To(answer.Digest)})
	}
	edit, err := file.Set(changes...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, edit.Diff())
	return err
}
