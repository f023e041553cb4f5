package condition

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	maxCELText = 16 << 10 // characters of an expression
	maxCELCost = 5_000_000
	maxCELList = 100_000 // elements of lists.range
	// maxCELRegex bounds the compiled form of a pattern.
	maxCELRegex = 10_000
	// celInterrupt is how many steps of a loop pass between two looks at the
	// context.
	celInterrupt = 100
)

// celRule is a condition in CEL.
type celRule struct {
	text    string
	program cel.Program
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
// by value. The error is a *ruleError.
func CEL(expr string) (Condition, error) {
	return compiled(func() (Condition, error) { return newCEL(expr) })
}

func newCEL(expr string) (Condition, error) {
	switch {
	case strings.TrimSpace(expr) == "":
		return nil, &Error{msg: "expression is empty", Hint: `predicate.buildType == "..."`}
	case len(expr) > maxCELText:
		return nil, &Error{msg: fmt.Sprintf("expression is over %d KiB", maxCELText>>10)}
	}
	env, err := celEnv()
	if err != nil {
		return nil, &Error{msg: untrusted.OneLine(err.Error())}
	}
	checked, issues := env.Compile(expr)
	if err := celIssue(issues); err != nil {
		return nil, err
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		return nil, &Error{line: 1, col: 1,
			msg:  "expression is of type " + untrusted.OneLine(t.String()) + ", not bool",
			Hint: "compare with a value: predicate.approved == true"}
	}
	p, err := env.Program(checked, cel.CostLimit(maxCELCost), cel.InterruptCheckFrequency(celInterrupt))
	if err != nil {
		return nil, &Error{line: 1, col: 1, msg: untrusted.OneLine(err.Error())}
	}
	return &celRule{expr, p}, nil
}

func celEnv() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("predicate", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("predicateType", cel.StringType),
		cel.Variable("subject", cel.ListType(cel.DynType)),
		cel.Variable("statement", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("image", cel.StringType),
		cel.Variable("digest", cel.StringType),
		cel.ParserExpressionSizeLimit(maxCELText),
		cel.RegexProgramSizeLimit(maxCELRegex),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		cel.CrossTypeNumericComparisons(true),
		ext.Strings(),
		ext.Lists(ext.ListsMaxRangeSize(maxCELList)),
		ext.Sets(),
	)
}

// celIssue is the first problem of an expression.
func celIssue(issues *cel.Issues) error {
	if issues == nil || issues.Err() == nil {
		return nil
	}
	e := &Error{msg: untrusted.OneLine(issues.Err().Error())}
	if list := issues.Errors(); len(list) > 0 {
		e.msg = untrusted.OneLine(list[0].Message)
		// The library counts columns from 0.
		e.line, e.col = max(list[0].Location.Line(), 1), max(list[0].Location.Column(), 0)+1
		if strings.HasPrefix(e.msg, "undeclared reference") {
			e.Hint = "there are predicate, predicateType, subject, statement, image and digest"
		}
	}
	return e
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
		v, _, err := r.program.ContextEval(ctx, vars)
		switch limit := (interpreter.EvalCancelledError{}); {
		case errors.As(err, &limit):
			return errors.New("the condition costs more than the limit")
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return mismatch.NotMet("condition %s cannot be applied: %v", untrusted.Quoted(r.text), err)
		case v != types.True:
			return mismatch.NotMet("condition %s does not hold", untrusted.Quoted(r.text))
		}
		return nil
	})
}
