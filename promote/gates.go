package promote

import "context"

// The names of the gates, as verdicts and records have them.
const (
	gateVerify   = "verify"
	gatePromoted = "promoted"
)

// gates asks all gates of the target environment.
func (w *planner) gates(ctx context.Context) error {
	for _, g := range w.to.Gates {
		if err := w.verifyBy(ctx, gatePromoted, VerifyRequest{Policy: g.Promoted.Policy, Promoted: g.Promoted.Environment}); err != nil {
			return err
		}
	}
	return nil
}
