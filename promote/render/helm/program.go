package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
)

// The bounds of a run. A program of ours bounds its memory and its time itself, which is
// shorter: it tells what was too much, and in which template. Of the time that whoever asks has,
// it leaves what is needed to tell that.
const (
	maxAnswer = 128 << 20
	maxErrors = 64 << 10
	maxTime   = 35 * time.Second
	toTell    = 3 * time.Second
)

// protocol is the version of what promote-helm is asked in.
const protocol = 2

// Program renders charts. It may be used concurrently.
type Program struct {
	path string
	// helm tells that it is helm itself.
	helm bool
}

// Path is that of the program.
func (p *Program) Path() string { return p.path }

// Find looks for promote-helm beside the program that runs and in PATH, and for helm in
// PATH. The error says how to get one.
func Find() (*Program, error) {
	name := "promote-helm"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		if found, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return &Program{path: found}, nil
		}
	}
	for _, one := range []string{"promote-helm", "helm"} {
		if found, err := exec.LookPath(one); err == nil && filepath.IsAbs(found) {
			return &Program{path: found, helm: one == "helm"}, nil
		}
	}
	return nil, &promote.Error{Msg: "charts are rendered by promote-helm or helm, and there is neither beside kubectl-promote nor in PATH",
		Hint: "go install github.com/kubepromote/kubepromote/cmd/promote-helm@latest"}
}

// At is a program at a path: promote-helm, or helm where the file is called so.
func At(path string) *Program {
	return &Program{path, strings.TrimSuffix(filepath.Base(path), ".exe") == "helm"}
}

// answer is what a program gives.
type answer struct {
	Manifests string   `json:"manifests"`
	Changing  []string `json:"changing"`
	Error     string   `json:"error"`
	// At is the template that the error is about, as Helm calls it: CHART/templates/FILE. It
	// is empty where the error says its place itself.
	At string `json:"at"`
}

// asked is a request as promote-helm reads it.
type asked struct {
	Protocol    int               `json:"protocol"`
	Files       map[string][]byte `json:"files"`
	Values      []Values          `json:"values"`
	Set         []Setting         `json:"set"`
	Release     string            `json:"release"`
	Namespace   string            `json:"namespace"`
	KubeVersion string            `json:"kubeVersion"`
	APIVersions []string          `json:"apiVersions"`
	SkipCRDs    bool              `json:"skipCRDs"`
	SkipHooks   bool              `json:"skipHooks"`
	Tests       bool              `json:"tests"`
	// Limit, if not zero, is how many milliseconds it may take.
	Limit int64 `json:"limit"`
}

func (p *Program) ask(ctx context.Context, q *Request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	dir, err := os.MkdirTemp("", "promote-helm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if p.helm {
		return p.template(ctx, q, dir)
	}
	deadline, _ := ctx.Deadline()
	limit := time.Until(deadline) - toTell
	if limit < time.Second { // that is no time to tell anything in
		limit = 0
	}
	in, err := json.Marshal(asked{protocol, q.Files, q.Values, q.Set, q.Release, q.Namespace, q.KubeVersion, q.APIVersions, q.SkipCRDs, q.SkipHooks, q.Tests, limit.Milliseconds()})
	if err != nil {
		return nil, err
	}
	out, _, err := p.run(ctx, q, dir, in)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, &promote.Error{Msg: q.Dir + ": " + filepath.Base(p.path) + " gives no answer", Hint: "install the promote-helm of the same release"}
	}
	return &a, nil
}

// run starts the program in an empty directory, with an environment that leads nowhere.
func (p *Program) run(ctx context.Context, q *Request, dir string, in []byte, args ...string) (out []byte, failed string, err error) {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir = dir
	cmd.Env = environment(dir)
	cmd.Stdin = bytes.NewReader(in)
	stdout, stderr := &bounded{max: maxAnswer}, &bounded{max: maxErrors}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, "", &promote.Error{Msg: q.Dir + ": the chart was not rendered in time", Hint: "look for a template in it that calls itself, or that counts far"}
	case stdout.over:
		return nil, "", &promote.Error{Msg: fmt.Sprintf("%s: the chart gives more than %d MiB", q.Dir, maxAnswer>>20)}
	case errors.As(err, &exit) && p.helm && exit.ExitCode() > 0:
		return nil, stderr.String(), nil
	case err != nil:
		return nil, "", &promote.Error{Msg: q.Dir + ": " + filepath.Base(p.path) + " has failed: " + fault.OneLine(err.Error()), Hint: "look for a template in it that takes a lot of memory"}
	}
	return stdout.Bytes(), "", nil
}

// environment has no home, no plugins, no cluster, and a proxy that nobody is at.
func environment(dir string) []string {
	env := []string{"HOME=" + dir, "USERPROFILE=" + dir, "TMPDIR=" + dir, "TEMP=" + dir, "TMP=" + dir, "KUBECONFIG=" + os.DevNull, "HELM_NO_PLUGINS=1", "TZ=UTC",
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "PATH="}
	for _, name := range []string{"CONFIG", "CACHE", "DATA"} {
		env = append(env, "HELM_"+name+"_HOME="+filepath.Join(dir, "helm"))
	}
	if root, ok := os.LookupEnv("SystemRoot"); ok {
		env = append(env, "SystemRoot="+root)
	}
	return env
}

// now is a template that asks for the time.
var now = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{[^}]*\b(now|date|ago)\b[^}]*\}\}`) })

// template has helm template render, twice: it does not tell what changes by itself.
func (p *Program) template(ctx context.Context, q *Request, dir string) (*answer, error) {
	args, err := q.write(dir)
	if err != nil {
		return nil, err
	}
	first, failed, err := p.run(ctx, q, dir, nil, args...)
	if err != nil || failed != "" {
		return &answer{Error: strings.ReplaceAll(failed, dir+string(filepath.Separator), "")}, err
	}
	second, failed, err := p.run(ctx, q, dir, nil, args...)
	if err != nil || failed != "" {
		return &answer{Error: failed}, err
	}
	a := &answer{Manifests: string(first)}
	if !bytes.Equal(first, second) {
		a.Changing = []string{"chart/templates"}
	}
	for name, data := range q.Files {
		if strings.HasPrefix(name, "templates/") && now().Match(data) {
			a.Changing = []string{"chart/" + name}
		}
	}
	return a, nil
}

// write puts a request into a directory, and gives the arguments for helm.
func (q *Request) write(dir string) ([]string, error) {
	put := func(name string, data []byte) error {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return &promote.Error{Msg: q.Dir + ": " + fault.OneLine(name) + " is outside of the chart"}
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return err
		}
		return os.WriteFile(at, data, 0o600)
	}
	for name, data := range q.Files {
		if err := put("chart/"+name, data); err != nil {
			return nil, err
		}
	}
	args := []string{"template", q.Release, "chart", "--namespace", q.Namespace}
	for flag, set := range map[string]bool{"--include-crds": !q.SkipCRDs, "--no-hooks": q.SkipHooks, "--skip-tests": !q.Tests} {
		if set {
			args = append(args, flag)
		}
	}
	for n, v := range q.Values {
		if v.Path != "" {
			if n+1 < len(q.Values) && q.Values[n+1].Path == "" {
				return nil, &promote.Error{Msg: fmt.Sprintf("%s: helm has the value at %s count more than the values that follow it", q.Dir, fault.OneLine(v.Path)),
					Hint: "go install github.com/kubepromote/kubepromote/cmd/promote-helm@latest"}
			}
			args = append(args, setting(Setting{v.Path, string(v.Data), v.String})...)
			continue
		}
		name := fmt.Sprintf("values-%d.yaml", n)
		if err := put(name, v.Data); err != nil {
			return nil, err
		}
		args = append(args, "--values", name)
	}
	for _, s := range q.Set {
		args = append(args, setting(s)...)
	}
	if q.KubeVersion != "" {
		args = append(args, "--kube-version", q.KubeVersion)
	}
	for _, v := range q.APIVersions {
		args = append(args, "--api-versions", v)
	}
	return args, nil
}

func setting(s Setting) []string {
	flag := "--set"
	if s.String {
		flag = "--set-string"
	}
	return []string{flag, s.Name + "=" + s.Value}
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	max  int
	over bool
}

// Write implements [io.Writer].
func (b *bounded) Write(data []byte) (int, error) {
	if b.Len()+len(data) > b.max {
		b.over = true
		return 0, errors.New("there is too much of it")
	}
	return b.Buffer.Write(data)
}
