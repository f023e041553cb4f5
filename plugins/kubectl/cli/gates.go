package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/onforge"
	"github.com/kubepromote/kubepromote/plugins/kubectl/internal/remarks"
	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"github.com/kubepromote/kubepromote/plugins/kustomize/build"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/render"
	"github.com/kubepromote/kubepromote/promote/render/helm"
	"github.com/kubepromote/kubepromote/promote/review"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// reachGates lets the workspace's promoter ask the gates of its pipeline. Commands are run in
// its working tree; without one none is.
func (s *Session) reachGates(w *Workspace) {
	p, log := w.Promoter, w.Log()
	d := gate.Deps{Tree: s.rules.tree, Pipeline: p.Pipeline, Confirmed: s.isConfirmed}
	d.History = gate.NewHistory(func(ctx context.Context, services []string, environment string, visit func(history.Change) bool) error {
		return history.Read(ctx, p.Pipeline, p.Repo, log, history.Request{Services: services, Environment: environment}, visit)
	})
	d.History.Dates, _ = log.(history.Dater)
	if repo := w.Repo; repo != nil {
		d.Root, d.AllowExec = repo.Root(), func(ctx context.Context) bool {
			cmd := exec.CommandContext(ctx, "git", "-C", repo.Root(), "config", "--type=bool", "--get", gate.AllowExecKey)
			out, err := cmd.Output()
			return err == nil && strings.TrimSpace(string(out)) == "true"
		}
		d.Contains = func(ctx context.Context, commit, revision string) (bool, error) {
			if _, err := repo.Revision(ctx, revision); err != nil {
				return false, err
			}
			base, err := repo.MergeBase(ctx, commit, revision)
			return base == commit, err
		}
	}
	if !s.Offline {
		d.Client = gate.NewClient()
	}
	if !s.Offline || s.Live {
		d.Clusters = cluster.New(cluster.Options{Kubeconfig: s.kubeconfig, Context: s.kubeContext, UserAgent: UserAgent()})
	}
	s.Renderer, s.Reviews = s.newRenderer(w), s.reviews(w, d.History)
	d.Renderer, d.Elsewhere = s.Renderer, s.Reviews.Ask
	s.gates, p.Gates = d, gate.Of(d)
}

// AddCluster gives a command whose gates ask clusters the flags that say which.
func (s *Session) AddCluster(cmd *cobra.Command) {
	OnceVar(cmd.Flags(), &s.kubeconfig, "kubeconfig", "kubeconfig file (default: those of KUBECONFIG, as kubectl has it)")
	OnceVar(cmd.Flags(), &s.kubeContext, "context", "context of the kubeconfig where the pipeline names none (default: the current one)")
	Must(cmd.MarkFlagFilename("kubeconfig"))
	Must(cmd.RegisterFlagCompletionFunc("context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names, _ := cluster.New(cluster.Options{Kubeconfig: s.kubeconfig}).Contexts() // what cannot be read offers nothing
		return names, cobra.ShellCompDirectiveNoFileComp
	}))
}

// HealthGate gives a gate that sees how services are in an environment, for what stands in
// it; nil where the pipeline does not say where that is seen.
func (s *Session) HealthGate(p *promote.Promoter, environment string) (promote.Gate, error) {
	e, err := p.Pipeline.Environment(environment)
	if err != nil || e.Health == nil {
		return nil, err
	}
	return gate.New(pipeline.Gate{Health: &pipeline.Health{}}, s.gates)
}

// filesOf are the files that have the images which are judged.
func filesOf(q promote.GateRequest) []string {
	var files []string
	for _, i := range q.Images {
		files = append(files, i.File)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// reviews asks others what they say of a change.
func (s *Session) reviews(w *Workspace, h *gate.History) *review.Gates {
	p, repo, b := w.Promoter, w.Repo, w.Branch
	r := &review.Gates{Tree: s.rules.tree, Pipeline: p.Pipeline, History: h, Number: s.PullRequest}
	r.Authors = func(ctx context.Context, q promote.GateRequest) ([]string, error) {
		switch {
		case len(q.Heads) > 0 && repo != nil:
			return repo.Authors(ctx, q.Base, q.Heads[0])
		case repo == nil:
			who, err := b.Who(ctx)
			return []string{who}, err
		}
		who, err := repo.Who(ctx)
		return []string{who}, err
	}
	if s.Offline {
		return r
	}
	if repo != nil {
		r.At, r.MergeBase = onforge.FilesAt(repo, s.closeLater), repo.MergeBase
		r.Line = func(ctx context.Context, q promote.GateRequest) ([]string, error) {
			return repo.Line(ctx, q.Base, q.Heads[0], filesOf(q))
		}
	}
	r.Forge = func(ctx context.Context, environment string) (*review.Forge, error) {
		e, err := w.Pipeline.Environment(environment)
		if err != nil {
			return nil, err
		}
		home, at, err := s.RemoteOf(ctx, w, e)
		if err != nil {
			return nil, err
		}
		return onforge.Open(ctx, home, at, e.Deliver, UserAgent())
	}
	r.Proposed = func(ctx context.Context, environment string, pr *forge.PullRequest) (promote.Tree, error) {
		e, err := w.Pipeline.Environment(environment)
		if err != nil {
			return nil, err
		}
		_, at, err := s.RemoteOf(ctx, w, e)
		if err != nil {
			return nil, err
		}
		if pr.State == forge.StateMerged {
			return at.Merged(ctx, strings.ToLower(pr.HeadCommit))
		}
		return at.Proposed(ctx, pr.Head, pr.HeadCommit)
	}
	r.Signed = func(ctx context.Context, name string, subject verify.Subject, environment string) ([]verify.Approval, error) {
		policy, err := s.LoadPolicy(name)
		if err != nil {
			return nil, err
		}
		v, err := s.NewVerifier("")
		if err != nil {
			return nil, err
		}
		return v.Approvals(ctx, policy, subject, environment)
	}
	r.Builders = func(ctx context.Context, q promote.GateRequest) ([]promote.Evidence, error) {
		return s.builders(ctx, p, q)
	}
	return r
}

// builders are those who have signed the images, as the environment's policy asks for it.
func (s *Session) builders(ctx context.Context, p *promote.Promoter, q promote.GateRequest) ([]promote.Evidence, error) {
	e, err := p.Pipeline.Environment(q.To)
	if err != nil {
		return nil, err
	}
	policy := s.VerifyPolicy
	if policy == "" && e.Verify != nil {
		policy = e.Verify.Policy
	}
	if policy == "" || p.Verifier == nil {
		return nil, nil
	}
	req := promote.VerifyRequest{Policy: policy, Environment: q.To}
	for _, i := range q.Images {
		req.Images, req.Services = append(req.Images, i.Repository+"@"+i.New.Digest), append(req.Services, q.Service)
	}
	results, err := p.Verifier.Verify(ctx, req, func() {})
	var all []promote.Evidence
	for _, r := range results {
		if len(r.Evidence) == 0 {
			return nil, fmt.Errorf("%s is not verified: %s", r.Image, r.Reason)
		}
		all = append(all, r.Evidence...)
	}
	return all, err
}

// Renderer renders services as commits have them, with the functions of this project.
type Renderer struct {
	*render.Services
}

// charts has a chart rendered by the program that is found: who renders none starts none.
func charts(ctx context.Context, q helm.Request) (string, error) {
	program, err := helm.Find()
	if err != nil {
		return "", err
	}
	return program.Render(ctx, q)
}

// newRenderer makes the renderer of a workspace.
func (s *Session) newRenderer(w *Workspace) *Renderer {
	p := w.Promoter
	at := func(ctx context.Context, commit string) (pipeline.Tree, error) {
		if w.Branch != nil && w.Branch.Tip() == commit || commit == "" { // before the first commit
			return p.Repo, nil
		}
		if w.Repo == nil {
			return nil, fmt.Errorf("there is no clone that has commit %.9s", commit)
		}
		b, err := branch.OfCommit(ctx, w.Repo, commit)
		if err == nil {
			s.closeLater(b.Close)
		}
		return b, err
	}
	elsewhere := func(ctx context.Context, e *pipeline.Environment) (pipeline.Tree, error) {
		tree, err := e.TreeOf(w.Home)
		repo, ok := tree.(*git.Repo)
		if tree == pipeline.Tree(w.Home) {
			repo, ok = w.Repo, w.Branch == nil
		}
		if err != nil || !ok {
			return tree, err // a commit
		}
		state, err := repo.State(ctx, nil)
		if err != nil || state.Head == "" {
			return tree, err
		}
		b, err := branch.OfCommit(ctx, repo, state.Head)
		if err == nil {
			s.closeLater(b.Close)
		}
		return b, err
	}
	functions := func(ctx context.Context, fs filesys.FileSystem, dir string) (resmap.ResMap, error) {
		result, err := build.Run(ctx, dir, build.Options{FS: fs, NoValidators: true, Closed: true})
		if errors.Is(err, kustomize.ErrClosed) {
			at := strings.TrimPrefix(filepath.ToSlash(dir), "/")
			return nil, &promote.Error{Msg: fmt.Sprintf("%s: %v", at, err), Hint: "kubectl promote build " + shell.Quote(at)}
		}
		if err != nil {
			return nil, err
		}
		return result.Resources, nil
	}
	return &Renderer{Services: &render.Services{Pipeline: p.Pipeline, At: at, Elsewhere: elsewhere, Options: render.Options{Functions: functions, Charts: charts}}}
}

// Rendered implements [gate.Renderer].
func (r *Renderer) Rendered(ctx context.Context, q promote.GateRequest) (before, after []objects.Object, err error) {
	remarks.Silence()
	return r.Services.Rendered(ctx, q)
}

// Of gives the objects of a service in an environment, as a tree has them.
func (r *Renderer) Of(ctx context.Context, tree promote.Tree, service, environment string) ([]objects.Object, error) {
	remarks.Silence()
	return r.Services.Of(ctx, tree, service, environment)
}

// In implements [gate.Renderer].
func (r *Renderer) In(ctx context.Context, q promote.GateRequest, environment string) ([]objects.Object, error) {
	remarks.Silence()
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
	if plans.Refused() == nil {
		return nil
	}
	s.PrintRefusal(plans)
	return RefusalStatus(plans)
}

// RefusalStatus is Refusal without a word.
func RefusalStatus(plans *promote.Plans) error {
	switch refused := plans.Refused(); {
	case refused == nil:
		return nil
	case plans.Failed() != nil && refused.Answer != promote.Fail:
		return Silent(ExitFailed)
	default:
		return Silent(AnswerStatus(refused.Answer))
	}
}
