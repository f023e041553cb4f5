package promotecmd

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/proposal"
)

type asked struct{ count *atomic.Int32 }

func (asked) Name() string { return "health" }

func (a asked) Check(context.Context, promote.GateRequest) promote.Verdict {
	a.count.Add(1)
	return promote.Verdict{Answer: promote.Pass}
}

type mergedForge struct{ forge.Forge }

func (mergedForge) Get(context.Context, int) (*forge.PullRequest, error) {
	return &forge.PullRequest{Number: 7, State: forge.StateMerged, MergeCommit: "abc"}, nil
}

// What a merge has brought is fetched before anybody's health is asked for: the fetch moved the
// branch under those gates that read it, of services that were delivered at once.
func TestMergesAreFetchedFirst(t *testing.T) {
	t.Parallel()
	var count atomic.Int32
	var patients []*patient
	for range sideBySide + 1 { // one more than are asked at once: the first of them are done then
		patients = append(patients, &patient{gate: asked{&count}})
	}
	before := int32(-1)
	last := &patient{gate: asked{&count}, request: &awaited{forge: mergedForge{}, request: &proposal.Result{Number: 7}}}
	last.request.merged = func(string) error {
		before = count.Load()
		return nil
	}
	patients = append(patients, last)
	says := (&options{}).askAll(t.Context(), patients, time.Now())
	if before != 0 || int(count.Load()) != len(patients) || !last.merged() {
		t.Errorf("%d gates of %d were asked before the merge was fetched", before, count.Load())
	}
	for _, said := range says {
		if said.Answer != promote.Pass {
			t.Errorf("%+v", said)
		}
	}
}
