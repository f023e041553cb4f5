// Package condition evaluates what a policy asks of the contents of a statement
// whose signature holds: expressions in CEL, modules in Rego, and whether an
// approval or a verification summary says what it has to.
package condition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	// maxRuleTime bounds the evaluation of one condition on one predicate.
	maxRuleTime = 5 * time.Second
	// maxRuleText bounds the source of a condition.
	maxRuleText = 256 << 10
)

// Condition is a compiled condition on a predicate. It may be used
// concurrently.
type Condition interface {
	// eval returns nil if the condition holds. A *mismatch says why it does
	// not hold; a condition that cannot be applied to this predicate, say
	// because a field is missing, does not hold. Any other error means that it
	// could not be decided: the time or the cost was over the limit, or ctx
	// was done.
	Eval(ctx context.Context, in Input) error
}

// Input is what a condition may look at. It comes from a statement
// whose signature is verified, which does not make it harmless: whoever holds
// the key can sign anything.
type Input struct {
	// statement is the whole in-toto statement as statement.fields has it:
	// map[string]any, []any, string, bool, int64, float64 and nil.
	Statement map[string]any
	Image     string // repository, without tag and digest
	Digest    string // sha256:<hex>
}

// Error is what is wrong with the source of a condition.
type Error struct {
	file      string // the name of the Rego module; empty for CEL
	line, col int    // from 1; 0 if the place is not known
	msg, Hint string
}

// Error has the form file:line:col: message, or less where less is known.
func (e *Error) Error() string {
	s := e.msg
	if e.line > 0 {
		s = fmt.Sprintf("%d:%d: %s", e.line, max(e.col, 1), s)
		if e.file != "" {
			s = e.file + ":" + s
		}
	} else if e.file != "" {
		s = e.file + ": " + s
	}
	return s
}

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// ForCluster compiles the condition of a ClusterImagePolicy, its field
// policy with type and data. The error is a *ruleError.
func ForCluster(kind, data string) (Condition, error) {
	switch kind {
	case "rego":
		return Rego(map[string]string{"policy.rego": data})
	case "cue":
		return nil, &Error{msg: "policies in CUE cannot be evaluated here",
			Hint: "write it in Rego (type: rego), or in CEL in a policy file of kubepromote"}
	}
	return nil, &Error{msg: "policy type " + untrusted.Quoted(kind) + " is not known", Hint: "type: rego"}
}

// compiled keeps a panic of a compiler from the caller. The error is a
// *ruleError.
func compiled(compile func() (Condition, error)) (Condition, error) {
	r, err := untrusted.Guarded(compile)
	if _, ok := errors.AsType[*Error](err); err != nil && !ok {
		err = &Error{msg: "condition cannot be compiled: " + untrusted.OneLine(err.Error())}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// withinTime runs the evaluation of a condition in a goroutine of its own, so
// that neither a panic in it nor a built-in function that does not look at its
// context reaches the caller.
func withinTime(ctx context.Context, limit time.Duration, eval func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := untrusted.Promptly(inner, func() (struct{}, error) { return struct{}{}, eval(inner) })
	if inner.Err() == nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the condition was not evaluated to its end: %w", err)
	}
	return fmt.Errorf("the condition was not evaluated within %s", limit)
}
