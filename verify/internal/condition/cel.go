package condition

import (
	"context"
	"errors"

	"github.com/kubepromote/kubepromote/internal/expression"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// celRule is a condition in CEL.
type celRule struct{ program *expression.Program }

// language is what a condition may use.
func language() expression.Language {
	return expression.Language{Example: "predicate.approved == true", Variables: []expression.Variable{
		{Name: "predicate", Type: expression.Map},
		{Name: "predicateType", Type: expression.Text},
		{Name: "subject", Type: expression.List},
		{Name: "statement", Type: expression.Map},
		{Name: "image", Type: expression.Text},
		{Name: "digest", Type: expression.Text},
	}}
}

// CEL compiles an expression of the type bool. It may use
//
//	predicate      the predicate, a map; empty if the statement has none
//	predicateType  its type, a string
//	subject        the subjects, a list of maps
//	statement      the whole in-toto statement, a map
//	image          the repository, a string
//	digest         the digest of the image, sha256:<hex>
//
// and the extensions strings, lists and sets. There is no clock: the age of a
// statement is a matter of the policy's own fields. Numbers of the predicate
// are int where they are integers, and double otherwise; CEL compares the two
// by value. The error is an *Error.
func CEL(expr string) (Condition, error) {
	return compiled(func() (Condition, error) {
		p, err := language().Compile(expr)
		if e, ok := errors.AsType[*expression.Error](err); ok {
			return nil, &Error{line: e.Line, col: e.Col, msg: e.Msg, Hint: e.Hint}
		}
		return &celRule{p}, err
	})
}

// Eval implements [Condition].
func (r *celRule) Eval(ctx context.Context, in Input) error {
	vars := map[string]any{
		"predicate":     map[string]any{},
		"predicateType": "",
		"subject":       []any{},
		"statement":     in.Statement,
		"image":         in.Image,
		"digest":        in.Digest,
	}
	for _, name := range []string{"predicate", "predicateType", "subject"} {
		if v := in.Statement[name]; v != nil {
			vars[name] = v
		}
	}
	return withinTime(ctx, maxRuleTime, func(ctx context.Context) error {
		holds, err := r.program.Holds(ctx, vars)
		if e, ok := errors.AsType[*expression.Inapplicable](err); ok {
			return mismatch.NotMet("condition %s cannot be applied: %v", untrusted.Quoted(r.program.Text()), e)
		}
		if err == nil && !holds {
			return mismatch.NotMet("condition %s does not hold", untrusted.Quoted(r.program.Text()))
		}
		return err
	})
}
