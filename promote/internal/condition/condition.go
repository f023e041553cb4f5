// Package condition has the languages of the expressions that gates have: what a
// pipeline file is checked against, and what is evaluated later, are the same.
package condition

import "github.com/kubepromote/kubepromote/internal/expression"

// The variables of a gate's when.
const (
	Service     = "service"
	Environment = "environment"
	From        = "from"
	Images      = "images"
	Labels      = "labels"
)

// The variables of what an answer is expected to be.
const (
	Status  = "status"
	Headers = "headers"
	Body    = "body"
	Text    = "text"
)

// When compiles the condition under which a gate is asked. The error is an
// *expression.Error.
func When(text string) (*expression.Program, error) {
	return expression.Language{Example: `labels.tier == "gold"`, Variables: []expression.Variable{
		{Name: Service, Type: expression.Text},
		{Name: Environment, Type: expression.Text},
		{Name: From, Type: expression.Text},
		{Name: Images, Type: expression.List},
		{Name: Labels, Type: expression.Texts},
	}}.Compile(text)
}

// Expect compiles what the answer to a request is expected to be. The error is an
// *expression.Error.
func Expect(text string) (*expression.Program, error) {
	return expression.Language{Example: "size(body.incidents) == 0", Variables: []expression.Variable{
		{Name: Status, Type: expression.Int},
		{Name: Headers, Type: expression.Texts},
		{Name: Body, Type: expression.Any},
		{Name: Text, Type: expression.Text},
	}}.Compile(text)
}
