// Release makes what a release consists of, so that everybody who runs it on the
// same sources gets the same bytes:
//
//	go run ./cmd/release [flags] release    archives, checksums, SBOMs, manifest, image, signatures
//	go run ./cmd/release [flags] krew       the archives and krew-manifest.yaml
//	go run ./cmd/release [flags] image      an OCI layout of the function's container image
//	go run ./cmd/release [flags] check      one archive, compared with the root krew-manifest.yaml
//	go run ./cmd/release [flags] size       what the archive's program weighs, by package
//
// It is run at the root of the repository. The version and the Go release that
// all is built with are the two lines of the file VERSION.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// releaser makes one release.
type releaser struct {
	version   string     // with a leading v
	toolchain string     // as go version prints it
	platforms []platform // to be built
	dist      string     // folder for what is made
	fn        string     // package of the container image's program
	certs     string     // file of CA certificates for the image, or ""
	key       string     // file of the signing key, or ""
	root      bool       // also write the root manifest
	log       io.Writer  // what is being done
	out       io.Writer  // what was asked for
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	r, command, err := parse(args, out, progress)
	if err != nil {
		return err
	}
	switch command {
	case "release":
		return r.release(ctx)
	case "krew":
		_, err = r.krew(ctx)
		return err
	case "image":
		return r.image(ctx)
	case "check":
		return r.check(ctx)
	case "size":
		return r.size(ctx)
	}
	return fmt.Errorf("unknown command %q\nhint: release, krew, image, check or size", command)
}

func parse(args []string, out, progress io.Writer) (*releaser, string, error) {
	r := &releaser{log: progress, out: out}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(progress)
	version := flags.String("version", "", "version to build, for tests (default: that of the file VERSION)")
	names := flags.String("platforms", "", "pairs OS/ARCH to build, separated by commas or blanks (default: all)")
	flags.StringVar(&r.dist, "dist", "dist", "folder for what is made")
	flags.StringVar(&r.fn, "main", "./cmd/promote-fn", "package of the image's program")
	flags.StringVar(&r.certs, "certs", "", "file of CA certificates to put into the image (default: none)")
	flags.StringVar(&r.key, "key", os.Getenv("COSIGN_KEY"), "file of cosign's private key, whose password is in COSIGN_PASSWORD; also from COSIGN_KEY")
	flags.BoolVar(&r.root, "root", false, "write the manifest to the root of the repository, too")
	if err := flags.Parse(args); err != nil {
		return nil, "", err
	}
	if flags.NArg() != 1 {
		return nil, "", fmt.Errorf("one command is needed\nhint: release, krew, image, check or size")
	}
	var err error
	if r.version, r.toolchain, err = readVersion(); err != nil {
		return nil, "", err
	}
	if *version != "" {
		r.version = *version
	}
	r.platforms, err = parsePlatforms(*names)
	return r, flags.Arg(0), err
}

// readVersion reads the file VERSION.
func readVersion() (version, toolchain string, err error) {
	data, err := os.ReadFile("VERSION")
	if err != nil {
		return "", "", fmt.Errorf("%w\nhint: run this at the root of the repository", err)
	}
	lines := strings.Fields(string(data))
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "v") || !strings.HasPrefix(lines[1], "go") {
		return "", "", fmt.Errorf("VERSION: not two lines, a version such as v1.2.3 and a Go release such as go1.26.8")
	}
	return lines[0], lines[1], nil
}

func (r *releaser) say(format string, args ...any) { fmt.Fprintf(r.log, format+"\n", args...) }
