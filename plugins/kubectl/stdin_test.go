package kubectl

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// TestStdinEndsWithContext stops commands that wait for a standard input which has
// no end, as a terminal's. They used to wait on, whatever the signal.
func TestStdinEndsWithContext(t *testing.T) {
	for _, args := range [][]string{
		{"resolve", "-"}, {"images", "-f", "-"}, {"set", "a:v1", "-f", "-"}, {"verify", "-", "--verify-policy", "none"},
	} {
		in, end := io.Pipe()
		defer end.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var out, errOut bytes.Buffer
		status := make(chan int, 1)
		go func() { status <- Run(ctx, args, genericiooptions.IOStreams{In: in, Out: &out, ErrOut: &errOut}) }()
		if _, err := end.Write([]byte("# not all\n")); err != nil { // it reads
			t.Fatal(err)
		}
		cancel()
		select {
		case got := <-status:
			if got != cli.ExitInterrupted || errOut.String() != "interrupted: reading the standard input\n" || out.Len() > 0 {
				t.Errorf("%q: %d\n%s%s", args, got, out.String(), errOut.String())
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q waits on", args)
		}
	}
}
