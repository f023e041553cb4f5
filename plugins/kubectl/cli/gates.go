package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/plugins/kustomize/build"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/render"
	"golang.org/x/term"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// reachGates lets the workspace's promoter ask the gates of its pipeline. Commands are run in
// its working tree; without one none is.
func (s *Session) reachGates(w *Workspace) {
	p, root, log := w.Promoter, "", w.Log()
	if w.Repo != nil {
		root = w.Repo.Root()
	}
	d := gate.Deps{Tree: s.rules.tree, Root: root, Confirmed: s.isConfirmed}
	d.AllowExec = func(ctx context.Context) bool {
		cmd := exec.CommandContext(ctx, "git", "-C", root, "config", "--type=bool", "--get", gate.AllowExecKey)
		out, err := cmd.Output()
		return err == nil && strings.TrimSpace(string(out)) == "true"
	}
	d.History = gate.NewHistory(func(ctx context.Context, services []string, environment string, visit func(history.Change) bool) error {
		return history.Read(ctx, p.Pipeline, p.Repo, log, history.Request{Services: services, Environment: environment}, visit)
	})
	if !s.Offline {
		d.Client, d.Clusters = gate.NewClient(), cluster.New(cluster.Options{UserAgent: "kubectl-promote"})
	}
	d.Pipeline = p.Pipeline
	d.Contains = func(ctx context.Context, commit, revision string) (bool, error) {
		if w.Repo == nil {
			return false, errors.New("there is no clone that has it")
		}
		if _, err := w.Repo.Revision(ctx, revision); err != nil {
			return false, err
		}
		base, err := w.Repo.MergeBase(ctx, commit, revision)
		return base == commit, err
	}
	s.Renderer = s.newRenderer(w)
	d.Renderer = s.Renderer
	p.Gates = gate.Of(d)
}

// Renderer renders services as commits have them, with the functions of this project.
type Renderer struct {
	*render.Services
	quiet sync.Once
}

// newRenderer makes the renderer of a workspace.
func (s *Session) newRenderer(w *Workspace) *Renderer {
	p := w.Promoter
	at := func(ctx context.Context, commit string) (pipeline.Tree, error) {
		if b, ok := p.Repo.(*branch.Branch); ok && b.Tip() == commit || commit == "" { // before the first commit
			return p.Repo, nil
		}
		if w.Repo == nil {
			return nil, fmt.Errorf("there is no clone that has commit %.9s", commit)
		}
		b, err := branch.OfCommit(ctx, w.Repo, commit)
		if err == nil {
			s.closing.Lock()
			s.closers = append(s.closers, b.Close)
			s.closing.Unlock()
		}
		return b, err
	}
	functions := func(ctx context.Context, fs filesys.FileSystem, dir string) (resmap.ResMap, error) {
		result, err := build.Run(ctx, dir, build.Options{FS: fs, NoValidators: true})
		if err != nil {
			return nil, err
		}
		return result.Resources, nil
	}
	return &Renderer{Services: &render.Services{Pipeline: p.Pipeline, At: at, Options: render.Options{Functions: functions}}}
}

// silence keeps kustomize's remarks on fields that are deprecated off the terminal: it
// writes them to os.Stderr, for each time that it reads a file. The session's own streams
// were taken before.
func (r *Renderer) silence() {
	r.quiet.Do(func() {
		if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
			os.Stderr = null
		}
	})
}

// Rendered implements [gate.Renderer].
func (r *Renderer) Rendered(ctx context.Context, q promote.GateRequest) (before, after []objects.Object, err error) {
	r.silence()
	return r.Services.Rendered(ctx, q)
}

// Of gives the objects of a service in an environment, as a tree has them.
func (r *Renderer) Of(ctx context.Context, tree promote.Tree, service, environment string) ([]objects.Object, error) {
	r.silence()
	return r.Services.Of(ctx, tree, service, environment)
}

// In implements [gate.Renderer].
func (r *Renderer) In(ctx context.Context, q promote.GateRequest, environment string) ([]objects.Object, error) {
	r.silence()
	return r.Services.In(ctx, q, environment)
}

// isConfirmed tells whether a person has said yes to the images of a service, as they were shown.
func (s *Session) isConfirmed(q promote.GateRequest) bool {
	s.confirming.Lock()
	defer s.confirming.Unlock()
	images, ok := s.confirmed[q.Service+"\n"+q.To]
	return ok && images == refs(q.Images)
}

// refs are the images that would change, as they would be.
func refs(images []promote.ImagePlan) string {
	var out []string
	for _, i := range images {
		if i.New != i.Old {
			out = append(out, i.File+" "+i.Name+" "+i.New.Ref(i.Repository))
		}
	}
	return strings.Join(out, "\n")
}

// NeedsConfirmation tells whether plans wait for nothing but a person's yes.
func NeedsConfirmation(plans *promote.Plans) bool {
	refused := plans.Refused()
	if refused == nil || refused.Answer != promote.Wait {
		return false
	}
	for _, v := range refused.Verdicts {
		if v.Advice.Do != promote.DoConfirm {
			return false
		}
	}
	return true
}

// Terminal tells whether somebody can be asked.
func (s *Session) Terminal() bool {
	in, ok := s.In.(*os.File)
	return ok && term.IsTerminal(int(in.Fd()))
}

// Confirm asks whether plans, which have been shown, are to be carried out. A yes is good
// for exactly the images of these plans.
func (s *Session) Confirm(ctx context.Context, plans *promote.Plans) (bool, error) {
	var questions []string
	for _, v := range plans.Refused().Verdicts {
		questions = append(questions, v.Reason)
	}
	for _, q := range questions {
		fmt.Fprintln(s.ErrOut, Clean(q))
	}
	fmt.Fprint(s.ErrOut, "yes or no: ")
	var line string
	err := error(nil)
	if stopped := wait(ctx, func() { line, err = bufio.NewReader(io.LimitReader(s.In, 1<<10)).ReadString('\n') }); stopped != nil {
		return false, stopped
	}
	if err != nil && line == "" {
		return false, nil //nolint:nilerr // the terminal's end is no yes
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "yes" && answer != "y" {
		return false, nil
	}
	s.confirming.Lock()
	defer s.confirming.Unlock()
	if s.confirmed == nil {
		s.confirmed = make(map[string]string)
	}
	for _, plan := range plans.All {
		for _, sp := range plan.Services {
			s.confirmed[sp.Service+"\n"+plan.To] = refs(sp.Images)
		}
	}
	return true, nil
}

// PrintRefusal says why nothing was done, a line for each verdict.
func (s *Session) PrintRefusal(plans *promote.Plans) {
	words := map[promote.Answer]string{promote.Fail: "refused", promote.Wait: "waiting", promote.Unknown: "unknown"}
	var facts []Fact
	for _, plan := range plans.All {
		where := ""
		if len(plans.All) > 1 {
			where = " to " + plan.To
		}
		for _, sp := range plan.Services {
			for _, v := range sp.Verdicts {
				if word := words[v.Answer]; word != "" {
					facts = append(facts, Fact{Text: fmt.Sprintf("%s%s: %s: %s: %s", sp.Service, where, word, v.Gate, v.Text()),
						Hint: s.WithAdvice(v.Hint, string(v.Advice.Do), v.Advice.With)})
				}
			}
		}
	}
	s.PrintFacts(facts)
}

// Refusal says why nothing was done, where that is so, and gives the exit status: the
// worst of all environments.
func (s *Session) Refusal(plans *promote.Plans) error {
	refused := plans.Refused()
	if refused == nil {
		return nil
	}
	s.PrintRefusal(plans)
	if plans.Failed() != nil && refused.Answer != promote.Fail {
		return Silent(ExitFailed)
	}
	return Silent(AnswerStatus(refused.Answer))
}
