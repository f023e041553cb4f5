// Package expression compiles and evaluates conditions in CEL that stand in files of a
// repository. They are bounded in their size and in what they may cost; they see
// nothing but the variables that they are given, and no clock.
package expression

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	maxText = 16 << 10 // characters of an expression
	maxCost = 5_000_000
	maxList = 100_000 // elements of lists.range
	// maxRegex bounds the compiled form of a pattern.
	maxRegex = 10_000
	// interrupt is how many steps of a loop pass between two looks at the context.
	interrupt = 100
)

// Type is that of a variable.
type Type int

// The types. A Map's keys are texts; its values, those of a List, and an Any may be
// anything that JSON has. Texts is a map of texts.
const (
	Any Type = iota
	Text
	Int
	Map
	Texts
	List
)

func (t Type) cel() *cel.Type {
	switch t {
	case Text:
		return cel.StringType
	case Int:
		return cel.IntType
	case Map:
		return cel.MapType(cel.StringType, cel.DynType)
	case Texts:
		return cel.MapType(cel.StringType, cel.StringType)
	case List:
		return cel.ListType(cel.DynType)
	}
	return cel.DynType
}

// Variable is a name that expressions may use.
type Variable struct {
	Name string
	Type Type
}

// Language is what expressions of a kind may use, beside the extensions strings, lists
// and sets. Numbers are compared by their value, whatever their types.
type Language struct {
	Variables []Variable
	// Example is an expression that is right, for hints.
	Example string
	// Optional lets expressions say object.?field, as those of Kubernetes do.
	Optional bool
}

// Error is what is wrong with an expression.
type Error struct {
	Line, Col int // from 1; 0 where the place is not known
	Msg, Hint string
}

// Error has the form line:col: message, or the message alone.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Msg)
}

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// ErrCost is the error of an expression that costs more than the limit.
var ErrCost = errors.New("the condition costs more than the limit")

// Inapplicable is the error of an expression that does not fit its values, such as
// one that asks for a key that a map does not have.
type Inapplicable struct{ Err error }

// Error is the evaluation's message.
func (e *Inapplicable) Error() string { return e.Err.Error() }

// Unwrap gives the evaluation's error.
func (e *Inapplicable) Unwrap() error { return e.Err }

// Program is a compiled expression. It may be used concurrently.
type Program struct {
	text    string
	program cel.Program
	uses    map[string]bool
}

// Compile compiles an expression of the type bool. The error is an *Error.
func (l Language) Compile(text string) (*Program, error) { return l.compile(text, true) }

// CompileValue compiles an expression of any type, for [Program.Value].
func (l Language) CompileValue(text string) (*Program, error) { return l.compile(text, false) }

func (l Language) compile(text string, condition bool) (p *Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, &Error{Msg: "the expression cannot be compiled: " + oneLine(fmt.Sprint(r))}
		}
	}()
	switch {
	case strings.TrimSpace(text) == "":
		return nil, &Error{Msg: "expression is empty", Hint: l.Example}
	case len(text) > maxText:
		return nil, &Error{Msg: fmt.Sprintf("expression is over %d KiB", maxText>>10)}
	}
	env, err := l.environment()
	if err != nil {
		return nil, &Error{Msg: oneLine(err.Error())}
	}
	checked, issues := env.Compile(text)
	if err := l.issue(issues); err != nil {
		return nil, err
	}
	if t := checked.OutputType(); condition && !t.IsExactType(cel.BoolType) && !(l.Optional && t.IsExactType(cel.DynType)) {
		return nil, &Error{Line: 1, Col: 1, Msg: "expression is of type " + oneLine(t.String()) + ", not bool", Hint: "compare with a value: " + l.Example}
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(interrupt))
	if err != nil {
		return nil, &Error{Line: 1, Col: 1, Msg: oneLine(err.Error())}
	}
	p = &Program{text, program, make(map[string]bool)}
	for _, ref := range checked.NativeRep().ReferenceMap() {
		p.uses[ref.Name] = true
	}
	return p, nil
}

func (l Language) environment() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.ParserExpressionSizeLimit(maxText),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		cel.CrossTypeNumericComparisons(true),
		ext.Strings(),
		ext.Lists(ext.ListsMaxRangeSize(maxList)),
		ext.Sets(),
	}
	if l.Optional {
		options = append(options, cel.OptionalTypes())
	}
	for _, v := range l.Variables {
		options = append(options, cel.Variable(v.Name, v.Type.cel()))
	}
	return cel.NewEnv(options...)
}

// issue is the first problem of an expression.
func (l Language) issue(issues *cel.Issues) error {
	if issues == nil || issues.Err() == nil {
		return nil
	}
	e := &Error{Msg: oneLine(issues.Err().Error())}
	if list := issues.Errors(); len(list) > 0 {
		e.Msg = oneLine(list[0].Message)
		// The library counts columns from 0.
		e.Line, e.Col = max(list[0].Location.Line(), 1), max(list[0].Location.Column(), 0)+1
		if strings.HasPrefix(e.Msg, "undeclared reference") {
			e.Hint = "known here: " + l.names()
		}
	}
	return e
}

func (l Language) names() string {
	var names []string
	for _, v := range l.Variables {
		names = append(names, v.Name)
	}
	return strings.Join(names, ", ")
}

// Text is the expression as it was written.
func (p *Program) Text() string { return p.text }

// Uses tells whether the expression looks at a variable.
func (p *Program) Uses(variable string) bool { return p.uses[variable] }

// Holds evaluates the expression; each variable has a value. The error is an
// *Inapplicable where the expression does not fit the values, ErrCost, or the context's.
func (p *Program) Holds(ctx context.Context, values map[string]any) (bool, error) {
	v, err := p.Value(ctx, values)
	return v == types.True, err
}

// Value evaluates the expression, for the value of a variable of other expressions.
func (p *Program) Value(ctx context.Context, values map[string]any) (any, error) {
	v, _, err := p.program.ContextEval(ctx, values)
	switch limit := (interpreter.EvalCancelledError{}); {
	case errors.As(err, &limit):
		return nil, ErrCost
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &Inapplicable{err}
	}
	return v, nil
}

// oneLine bounds a library's message, which may quote the expression.
func oneLine(s string) string {
	const most = 200
	s = strings.Join(strings.Fields(fault.Printable(s)), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
