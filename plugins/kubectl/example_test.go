package kubectl_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubepromote/kubepromote/plugins/kubectl"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Run a command line as kubectl promote would, with its output where you want it.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "kustomization.yaml")
	if err := os.WriteFile(file, []byte("images:\n- {name: cart, newTag: v1} # ours\n"), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	status := kubectl.Run(context.Background(), []string{"set", "cart:v2", "-f", file}, streams)
	edited, err := os.ReadFile(file)
	fmt.Println(status, err)
	fmt.Print(string(edited))
	// Output:
	// 0 <nil>
	// images:
	// - {name: cart, newTag: v2} # ours
}
