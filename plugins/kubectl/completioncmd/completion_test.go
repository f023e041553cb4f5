package completioncmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// On Windows a command file stands where there is a link elsewhere.
func TestCompletionCommandFile(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	program := filepath.Join(dir, Plugin)
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	c := &installer{Session: cli.NewSession(streams), windows: true}
	file := filepath.Join(dir, Completer+".cmd")
	for _, want := range []string{"installed " + file, "is installed already"} {
		out.Reset()
		if err := c.install(); err != nil || !strings.Contains(out.String(), want) {
			t.Fatalf("%v, %q does not say %q", err, out, want)
		}
	}
	have, err := os.ReadFile(file)
	if want := commandFileHead + "\"%~dp0" + Plugin + "\" __complete %* 2>nul\r\n"; err != nil || string(have) != want {
		t.Errorf("%v\nhave %q\nwant %q", err, have, want)
	}
	c.dir = other
	if err := c.install(); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(other, Completer+".cmd")
	if have, err := os.ReadFile(away); err != nil || !bytes.Contains(have, []byte(`"`+program+`" __complete`)) {
		t.Errorf("%v: %q does not name the plugin", err, have)
	}
	if err := os.WriteFile(away, []byte("@echo mine\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, run := range []func() error{c.install, c.uninstall} {
		if err := run(); err == nil || !strings.Contains(err.Error(), "left alone") {
			t.Errorf("a foreign file: %v", err)
		}
	}
	if have, _ := os.ReadFile(away); string(have) != "@echo mine\r\n" {
		t.Errorf("the foreign file is %q now", have)
	}
	c.dir = dir
	if err := c.uninstall(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(file); !os.IsNotExist(err) {
		t.Errorf("the command file is still there: %v", err)
	}
}

// A percent sign in a path is not the beginning of a variable.
func TestCommandFileEscapes(t *testing.T) {
	if have := string(commandFile(`C:\100%\kubectl-promote.exe`)); !strings.Contains(have, `"C:\100%%\kubectl-promote.exe" __complete`) {
		t.Error(have)
	}
}
