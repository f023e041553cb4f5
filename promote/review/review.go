// Package review makes the gates that ask what others say of a change: approvals, which
// are reviews of a pull request or signed approvals of digests, and commitStatus, the
// checks of a forge.
//
// [Gates.Ask] gives what a gate of a pipeline file asks, for gate.Deps. [Gates.Count]
// lists the approvals themselves. Only what is about the change as it is now counts:
// reviews of the head that the pull request has now, and which brings just these images;
// signed approvals of these digests. Whoever could not be asked is unknown, never missing.
package review

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify"
)

// Forge is where the pull requests of an environment are.
type Forge struct {
	forge.Client
	Kind forge.Kind
	// Host is the forge's in a browser, with its port.
	Host string
	// Base is the branch that they are for.
	Base string
}

// Gates makes gates. What is nil cannot be asked, and what needs it is unknown.
type Gates struct {
	// Forge gives the forge of an environment.
	Forge func(ctx context.Context, environment string) (*Forge, error)
	// Tree has the file CODEOWNERS that counts: that of the base.
	Tree     promote.Tree
	Pipeline *pipeline.Pipeline
	// Proposed gives the files of what a pull request into an environment ends with.
	Proposed func(ctx context.Context, environment string, pr *forge.PullRequest) (promote.Tree, error)
	// Signed lists the signed approvals of an image by a policy.
	Signed func(ctx context.Context, policy string, s verify.Subject, environment string) ([]verify.Approval, error)
	// Builders are those who have signed the images that are asked about.
	Builders func(ctx context.Context, q promote.GateRequest) ([]promote.Evidence, error)
	// Authors are the addresses of those who have made the change.
	Authors func(ctx context.Context, q promote.GateRequest) ([]string, error)
	// Number is that of the open pull request which a queue of the forge is about to merge,
	// where a change is judged whose head is one of the queue's own; or 0.
	Number int
	// Line are the commits of the change that is judged and that touch its files, newest first:
	// a push may bring many that were merged. nil is the last alone.
	Line func(ctx context.Context, q promote.GateRequest) ([]string, error)
	// At gives the files of the branch that is judged as a commit has them, or, for COMMIT^1, the
	// one that it was made on; MergeBase the newest commit that two have in common.
	At        func(ctx context.Context, revision string) (promote.Tree, error)
	MergeBase func(ctx context.Context, base, head string) (string, error)
	// History knows which commit has brought an image to an environment.
	History *gate.History
}

// Ask gives what a gate of a pipeline file asks, and nil where it is none of this package.
func (g *Gates) Ask(cfg pipeline.Gate) gate.Asks {
	switch {
	case cfg.Approvals != nil:
		one := &approvals{g: g, cfg: cfg.Approvals, asks: asks{g: g}}
		return one.check
	case cfg.CommitStatus != nil:
		one := &status{g: g, cfg: cfg.CommitStatus, asks: asks{g: g}}
		return one.check
	}
	return nil
}

// asks is what one gate has asked of a forge: the same for many services, once.
type asks struct {
	g *Gates

	mu   sync.Mutex
	done map[string]func() (any, error)
}

// once asks, or gives what was answered before to the same question.
func once[T any](a *asks, key string, ask func() (T, error)) (T, error) {
	a.mu.Lock()
	if a.done == nil {
		a.done = make(map[string]func() (any, error))
	}
	f := a.done[key]
	if f == nil {
		f = sync.OnceValues(func() (any, error) { return ask() })
		a.done[key] = f
	}
	a.mu.Unlock()
	v, err := f()
	got, _ := v.(T)
	return got, err
}

func (a *asks) forge(ctx context.Context, environment string) (*Forge, error) {
	if a.g.Forge == nil {
		return nil, errNobody
	}
	return once(a, "forge "+environment, func() (*Forge, error) { return a.g.Forge(ctx, environment) })
}

var errNobody = errors.New("no server may be asked")

func say(a promote.Answer, format string, args ...any) promote.Verdict {
	return promote.Verdict{Answer: a, Reason: fmt.Sprintf(format, args...)}
}

// untold is the verdict where something could not be found out.
func untold(what string, err error) promote.Verdict {
	if errors.Is(err, errNobody) {
		v := say(promote.Unknown, "%v", err)
		v.Advice = promote.Advice{Do: promote.DoAskRegistry}
		return v
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	v := say(promote.Unknown, "%s%s", what, fault.OneLine(text))
	var hinted interface{ HintText() string }
	if errors.As(err, &hinted) {
		v.Hint = hinted.HintText()
	}
	return v
}

// names lists names as a sentence has them, of many the first few.
func names(all []string) string {
	const most = 6
	if more := len(all) - most; more > 0 {
		all = append(all[:most:most], fmt.Sprintf("%d more", more))
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// number is the name of a pull request for people.
func number(pr *forge.PullRequest) string { return fmt.Sprintf("pull request %d", pr.Number) }
