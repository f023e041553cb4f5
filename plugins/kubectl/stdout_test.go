package kubectl

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// full is an output that nothing more can be written to.
type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
}

// A command whose output could not be written has failed. Several ended with 0 and
// said nothing, and a script went on with half a file.
func TestOutputFails(t *testing.T) {
	dir := t.TempDir()
	pod := filepath.Join(dir, "pod.yaml")
	for name, text := range map[string]string{
		"pod.yaml":           "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: 'web:1'}]}\n",
		"kustomization.yaml": "resources: [pod.yaml]\n",
		"set.yaml":           "apiVersion: kubepromote.dev/v1alpha1\nkind: SetImages\nspec: {images: [{name: web, newTag: v2}]}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"version"}, {"version", "-o", "json"}, {"options"}, {"completion", "bash"}, {"images", "-f", pod}, {"images", "-f", pod, "-o", "json"},
		{"set", "web:2", "-f", pod, "--dry-run"}, {"build", dir}, {"fn", filepath.Join(dir, "set.yaml"), pod}, {"fn", "--definition", "all"},
		{"--help"}, {"set", "--help"}, {"doctor", "-C", dir}, // cobra ends help before anything that follows a command
	} {
		var errs bytes.Buffer
		status := Run(t.Context(), args, genericiooptions.IOStreams{In: strings.NewReader(""), Out: full{}, ErrOut: &errs})
		if status != 1 || !strings.Contains(errs.String(), "no space left on device") || strings.Count(errs.String(), "no space left") != 1 {
			t.Errorf("%v: status %d, said %s", args, status, errs.String())
		}
	}
}
