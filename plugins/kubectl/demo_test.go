package kubectl

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// What the demo says can be typed for as long as its registry is there: each line works, as
// it stands there, and the registry goes with ctrl-C.
func TestDemoServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var said heard
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"demo", "--serve", "--services", "2", "--dir", dir}, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &said, ErrOut: &said})
	}()
	said.await(t, "promote board -i\n")
	_, rest, _ := strings.Cut(said.String(), "until ctrl-C")
	tried := 0
	for _, line := range regexp.MustCompile(`(?m)^  kubectl promote (.*)$`).FindAllStringSubmatch(rest, -1) {
		if line[1] == "board -i" {
			continue // which needs a terminal
		}
		tried++
		text := strings.ReplaceAll(line[1], " apps/", " "+dir+"/apps/")
		text, reason, given := strings.Cut(text, " --reason ")
		args := append(strings.Fields(text), "-C", dir)
		if given {
			args = append(args, "--reason", strings.Trim(reason, "'"))
		}
		var out bytes.Buffer
		if status := Run(t.Context(), args, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}); status != cli.ExitDone || strings.Contains(out.String(), "unchanged") {
			t.Errorf("%q: exit status %d\n%s", args, status, &out)
		}
	}
	if tried != 6 {
		t.Errorf("%d lines are said, not 6:\n%s", tried, rest)
	}
	stop()
	if status := <-ended; status != cli.ExitInterrupted {
		t.Errorf("exit status %d", status)
	}
}
