package verify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxRuleTime bounds the evaluation of one condition on one predicate.
	maxRuleTime = 5 * time.Second
	// maxRuleText bounds the source of a condition.
	maxRuleText = 256 << 10
)

// predicateRule is a compiled condition on a predicate. It may be used
// concurrently.
type predicateRule interface {
	// eval returns nil if the condition holds. A *mismatch says why it does
	// not hold; a condition that cannot be applied to this predicate, say
	// because a field is missing, does not hold. Any other error means that it
	// could not be decided: the time or the cost was over the limit, or ctx
	// was done.
	eval(ctx context.Context, in predicateInput) error
}

// predicateInput is what a condition may look at. It comes from a statement
// whose signature is verified, which does not make it harmless: whoever holds
// the key can sign anything.
type predicateInput struct {
	// statement is the whole in-toto statement as statement.fields has it:
	// map[string]any, []any, string, bool, int64, float64 and nil.
	statement map[string]any
	image     string // repository, without tag and digest
	digest    string // sha256:<hex>
}

// ruleError is what is wrong with the source of a condition.
type ruleError struct {
	file      string // the name of the Rego module; empty for CEL
	line, col int    // from 1; 0 if the place is not known
	msg, hint string
}

// Error has the form file:line:col: message, or less where less is known.
func (e *ruleError) Error() string {
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
func (e *ruleError) HintText() string { return e.hint }

// compilePolicy compiles the condition of a ClusterImagePolicy, its field
// policy with type and data. The error is a *ruleError.
func compilePolicy(kind, data string) (predicateRule, error) {
	switch kind {
	case "rego":
		return compileRego(map[string]string{"policy.rego": data})
	case "cue":
		return nil, &ruleError{msg: "policies in CUE cannot be evaluated here",
			hint: "write it in Rego (type: rego), or in CEL in a policy file of kubepromote"}
	}
	return nil, &ruleError{msg: "policy type " + quoted(kind) + " is not known", hint: "type: rego"}
}

// compiled keeps a panic of a compiler from the caller. The error is a
// *ruleError.
func compiled(compile func() (predicateRule, error)) (predicateRule, error) {
	r, err := guarded(compile)
	if _, ok := errors.AsType[*ruleError](err); err != nil && !ok {
		err = &ruleError{msg: "condition cannot be compiled: " + oneLine(err.Error())}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// notMet is the mismatch of a condition that does not hold.
func notMet(format string, args ...any) error {
	return &mismatch{rankOtherStatement, clean(fmt.Sprintf(format, args...), maxMessage)}
}

// withinTime runs the evaluation of a condition in a goroutine of its own, so
// that neither a panic in it nor a built-in function that does not look at its
// context reaches the caller.
func withinTime(ctx context.Context, limit time.Duration, eval func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := guarded(func() (struct{}, error) { return struct{}{}, eval(inner) })
		done <- err
	}()
	select {
	case err := <-done:
		if inner.Err() == nil {
			return err
		}
	case <-inner.Done():
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the condition was not evaluated to its end: %w", err)
	}
	return fmt.Errorf("the condition was not evaluated within %s", limit)
}
