package cluster

import (
	"fmt"
	"strconv"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// object is one of Kubernetes, as JSON has it.
type object map[string]any

// at gives the value at a path; nil where there is none.
func (o object) at(path ...string) any {
	var value any = map[string]any(o)
	for _, key := range path {
		m, _ := value.(map[string]any)
		value = m[key]
	}
	return value
}

func (o object) text(path ...string) string {
	s, _ := o.at(path...).(string)
	return s
}

// said is a text of the object for a message.
func (o object) said(path ...string) string { return fault.OneLine(o.text(path...)) }

func (o object) flag(path ...string) bool {
	b, _ := o.at(path...).(bool)
	return b
}

// number gives the number at a path, or other where there is none. Argo Rollouts writes
// the generation that it has observed as a text.
func (o object) number(other int, path ...string) int {
	switch v := o.at(path...).(type) {
	case float64:
		return int(v)
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return other
}

func (o object) has(path ...string) bool { return o.at(path...) != nil }

// moment gives the time at a path; zero where there is none.
func (o object) moment(path ...string) time.Time {
	t, _ := time.Parse(time.RFC3339, o.text(path...))
	return t
}

// list gives the objects of a list.
func (o object) list(path ...string) []object {
	items, _ := o.at(path...).([]any)
	var all []object
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// isNot is the error of an answer that is something else than the object that was asked for:
// proxies and pages to log in at may answer with JSON as well.
func (o object) isNot(kind, name string) error {
	if o.text("kind") == kind && o.text("metadata", "name") == name {
		return nil
	}
	return fault.Text("it answered something else than the object")
}

func (o object) name() string      { return o.said("metadata", "name") }
func (o object) namespace() string { return o.said("metadata", "namespace") }

// condition gives the condition of a type; nil where there is none.
func (o object) condition(kind string) object {
	for _, c := range o.list("status", "conditions") {
		if c.text("type") == kind {
			return c
		}
	}
	return nil
}

// is tells whether a condition is there with a status: True, False or Unknown.
func (o object) is(kind, status string) bool {
	c := o.condition(kind)
	return c != nil && c.text("status") == status
}

// because is what a condition says.
func (o object) because(kind string) string {
	c := o.condition(kind)
	reason, message := c.said("reason"), c.said("message")
	switch {
	case message == "":
		return reason
	case reason == "":
		return message
	}
	return reason + ": " + message
}

// stale tells that the controller has not looked at the object as it is now, as far as
// the object says what it has looked at.
func (o object) stale() bool {
	generation := o.number(0, "metadata", "generation")
	return o.number(generation, "status", "observedGeneration") < generation
}

// of is "2 of 3", where something counts.
func of(n, all int, what string) string { return fmt.Sprintf("%d of %d %s", n, all, what) }
