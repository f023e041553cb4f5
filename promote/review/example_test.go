package review_test

import (
	"context"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/review"
	"github.com/kubepromote/kubepromote/verify"
)

// Two have to sign, one has, and the other one's approval is over.
func ExampleGates_Counter() {
	g := &review.Gates{Signed: func(context.Context, string, verify.Subject, string) ([]verify.Approval, error) {
		return []verify.Approval{
			{State: verify.ApprovalCounts, Signer: "1", Evidence: verify.Evidence{Subject: "ada@example.com"}},
			{State: verify.ApprovalExpired, Signer: "2", Evidence: verify.Evidence{Subject: "bob@example.com"}, Expires: time.Date(2026, 11, 28, 19, 2, 0, 0, time.UTC)},
		}, nil
	}}
	q := promote.GateRequest{Service: "cart", To: "production", Images: []promote.ImagePlan{{Name: "cart", Repository: "registry.example.com/cart", New: promote.Pin{Digest: "sha256:91bf57e2"}}}}
	count := g.Counter(&pipeline.ApprovalsGate{Min: 2, From: pipeline.FromAttestation, Policy: "approvals.yaml"})
	for _, c := range count(context.Background(), q) {
		fmt.Printf("%d of %d: %s\n", c.Have, c.Least, c.Verdict.Reason)
	}
	// Output:
	// 1 of 2: approved by ada@example.com, 1 of 2; the approval of bob@example.com expired at 2026-11-28 19:02 UTC
}
