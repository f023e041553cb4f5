// Package rego parses and asks policies in Rego that stand in files of a repository: both
// versions of the language, without the functions that reach out, take the time, roll dice
// or look at the machine.
package rego

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxDepth is how deep what a module says may be nested.
const maxDepth = 200

// Error is what is wrong with a module. Line and Col are 0 where the place is not known.
type Error struct {
	File      string
	Line, Col int
	Msg, Hint string
}

// Error is the message alone.
func (e *Error) Error() string { return e.Msg }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// ParseModule reads either version of the language, the newer one first. What
// policy-controller and cosign take is the older one. If neither can read it,
// the error of the one that came further says more. It is an *Error.
func ParseModule(file, text string) (*ast.Module, error) {
	var first *Error
	for _, version := range []ast.RegoVersion{ast.RegoV1, ast.RegoV0} {
		m, err := parseVersion(file, text, version)
		if err == nil {
			return m, nil
		}
		e := Problem(file, err)
		if first == nil || e.Line > first.Line {
			first = e
		}
	}
	return nil, first
}

func parseVersion(file, text string, version ast.RegoVersion) (*ast.Module, error) {
	// The parser behind ParseModuleWithOpts goes 100,000 levels deep, which
	// is more than the stack of a goroutine is good for.
	_, _, errs := ast.NewParser().WithMaxRecursionDepth(maxDepth).WithFilename(file).
		WithCapabilities(Capabilities()).WithRegoVersion(version).WithReader(strings.NewReader(text)).Parse()
	if len(errs) > 0 {
		return nil, errs
	}
	return ast.ParseModuleWithOpts(file, text, ast.ParserOptions{
		Capabilities: Capabilities(), RegoVersion: version})
}

// Problem is the first of the problems that the compiler has found.
func Problem(file string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{File: file, Msg: fault.OneLine(err.Error())}
	var found *ast.Error
	if list, ok := errors.AsType[ast.Errors](err); ok && len(list) > 0 {
		found = list[0]
	} else if found, ok = errors.AsType[*ast.Error](err); !ok {
		return e
	}
	e.Msg = fault.OneLine(found.Message)
	if found.Location != nil {
		e.File, e.Line, e.Col = found.Location.File, found.Location.Row, found.Location.Col
	}
	if strings.HasPrefix(e.Msg, "undefined function") {
		e.Hint = "functions that reach out, take the time or look at the machine are not available"
	}
	return e
}

// Capabilities leaves the functions whose result depends on nothing but
// their arguments, and is not much larger than these: bits.lsh and
// numbers.range turn a number of the input into as many bits or elements.
// What a future version of OPA adds is not among them.
func Capabilities() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	c := &ast.Capabilities{
		FutureKeywords: all.FutureKeywords,
		Features:       all.Features,
		AllowNet:       []string{},
	}
	groups := []string{"array", "base64", "base64url", "glob", "graph", "hex", "internal", "json",
		"net", "object", "regex", "semver", "strings", "time", "units", "uri", "urlquery"}
	never := []string{"net.cidr_expand", "strings.render_template", "internal.test_case"}
	for _, b := range all.Builtins {
		group, _, grouped := strings.Cut(b.Name, ".")
		if b.IsNondeterministic() || slices.Contains(never, b.Name) ||
			grouped && !slices.Contains(groups, group) || b.Name == "trace" {
			continue
		}
		c.Builtins = append(c.Builtins, b)
	}
	return c
}

// Refuses is true for the names of the rules that Conftest takes for refusals.
func Refuses(name string) bool {
	kind, _, _ := strings.Cut(name, "_")
	return kind == "deny" || kind == "violation"
}

// Ask evaluates a query that names its result x, and gives that, or nil where it has none.
// A built-in function that fails is an error. The error at the end of ctx is the context's.
func Ask(ctx context.Context, q *topdown.Query) (*ast.Term, error) {
	stop := topdown.NewCancel()
	defer context.AfterFunc(ctx, stop.Cancel)()
	var value *ast.Term
	err := q.WithStrictBuiltinErrors(true).WithCancel(stop).Iter(ctx, func(r topdown.QueryResult) error {
		value = r["x"]
		return nil
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, Bare(err)
	}
	return value, nil
}

// Bare takes the position and code out of an error of the evaluation.
func Bare(err error) error {
	if e, ok := errors.AsType[*topdown.Error](err); ok {
		return errors.New(e.Message)
	}
	return err
}

// Elements lists a collection; of an object the names, because that is what
// deny[msg] of the older language turns into in the newer one.
func Elements(v ast.Value) []*ast.Term {
	switch v := v.(type) {
	case ast.Set:
		return v.Slice()
	case *ast.Array:
		var list []*ast.Term
		v.Foreach(func(t *ast.Term) { list = append(list, t) })
		return list
	case ast.Object:
		return v.Keys()
	}
	return nil
}
