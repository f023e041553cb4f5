package kustomize

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

var update = flag.Bool("update", false, "write what the scripts' commands print now into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"promote-fn": func() {
			os.Exit(Run(context.Background(), os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

// TestScript runs the scripts of testdata/script. "status N COMMAND..." demands an
// exit status. The repository's examples are in $WORK/examples.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			return os.CopyFS(filepath.Join(env.WorkDir, "examples"), os.DirFS("../../examples"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": cmdStatus},
	})
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = -1
		if exit, ok := err.(*exec.ExitError); ok {
			got = exit.ExitCode()
		}
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// endless is an input without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

// A signal did not end the program while it read its input, or a parser was at it: it only
// ended a context, at which nobody looked.
func TestRunToSignal(t *testing.T) {
	in, never := io.Pipe()
	defer never.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	cancel()
	if status := RunToSignal(ctx, nil, Streams{In: in, Out: &out, Err: &errs}); status != exitInterrupted || out.Len() > 0 || errs.String() != "interrupted\n" {
		t.Errorf("status %d, %d bytes written, said %q", status, out.Len(), errs.String())
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	if status := RunToSignal(ctx, []string{"--definition", "all"}, Streams{In: in, Out: &out, Err: io.Discard}); status != exitDone || out.Len() == 0 {
		t.Errorf("status %d, %d bytes written", status, out.Len())
	}
}

// Too much is refused, and nothing is written.
func TestRunHugeInput(t *testing.T) {
	var out, errs bytes.Buffer
	status := Run(t.Context(), nil, Streams{In: endless{}, Out: &out, Err: &errs})
	if status != exitFailed || out.Len() > 0 || !strings.Contains(errs.String(), "is larger than 64 MiB") {
		t.Errorf("status %d, %d bytes written, said %s", status, out.Len(), errs.String())
	}
}

// A few bytes make a value that takes hundreds: 60 MB of them took 4 GB.
func TestRunManyValues(t *testing.T) {
	for name, text := range map[string]string{"list": "- a\n", "flow": "[a,", "keys": "a: 1\n", "a key twice": `"a":1,`} {
		var out, errs bytes.Buffer
		in := strings.NewReader(strings.Repeat(text, yamlbound.MaxValues))
		status := Run(t.Context(), nil, Streams{In: in, Out: &out, Err: &errs})
		if status != exitFailed || out.Len() > 0 || !strings.HasPrefix(errs.String(), "input: has more than 2 million values\n") {
			t.Errorf("%s: status %d, %d bytes written, said %s", name, status, out.Len(), errs.String())
		}
	}
}

// Whatever the input, the program ends with a status, and what it writes is
// nothing or YAML; where it fails, items are as they were.
func FuzzRun(f *testing.F) {
	const list = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: CONFIG\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  spec:\n    containers:\n    - image: b:1 # c\n"
	for _, config := range []string{
		"{}", "null", "[]", "{apiVersion: v1, kind: ConfigMap, data: {kind: VerifyImages}}",
		"{apiVersion: v1, kind: ConfigMap, data: {kind: SetImages, images: b=c:2}}",
		"{apiVersion: kubepromote.dev/v1alpha1, kind: VerifyImages}",
		"{apiVersion: kubepromote.dev/v1alpha1, kind: SetImages, spec: {images: [{name: b, newTag: '2'}], fields: ['spec.x[*]']}}",
		"{apiVersion: kubepromote.dev/v1alpha1, kind: ImageInventory, spec: {name: x}}",
		"{apiVersion: kubepromote.dev/v1alpha1, kind: PinImages, spec: {lock: nothing}}",
		"{apiVersion: kubepromote.dev/v1alpha1, kind: PromotionGuard, spec: {overlay: 1}}",
	} {
		f.Add(strings.Replace(list, "CONFIG", config, 1))
	}
	f.Add("")
	f.Add("a: [")
	f.Add("kind: ResourceList\nitems: [a, null]\n")
	f.Fuzz(func(t *testing.T, input string) {
		var out, errs bytes.Buffer
		status := Run(t.Context(), nil, Streams{In: strings.NewReader(input), Out: &out, Err: &errs})
		if status != 0 && errs.Len() == 0 {
			t.Errorf("status %d, and nothing said", status)
		}
		dec := yaml.NewDecoder(&out)
		for {
			var n yaml.Node
			if err := dec.Decode(&n); err != nil {
				if err.Error() != "EOF" {
					t.Errorf("status %d, output is no YAML: %v", status, err)
				}
				return
			}
		}
	})
}

// What can be made outside of the package does not panic: a processor without a
// host says so.
func TestProcessorWithoutHost(t *testing.T) {
	list := &framework.ResourceList{FunctionConfig: yaml.MustParse("apiVersion: kubepromote.dev/v1alpha1\nkind: PinImages\nspec: {registry: true}\n")}
	err := (&Processor{}).Process(list)
	if err == nil || !strings.HasSuffix(err.Error(), "the processor has no host: make it with Host.Processor") || len(list.Results) != 1 {
		t.Errorf("%v, %v", err, list.Results)
	}
}
