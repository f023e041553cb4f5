package status

import (
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

func TestDrifts(t *testing.T) {
	p := &pipeline.Pipeline{}
	p.Spec.Environments = []pipeline.Environment{{Name: "staging"}, {Name: "production", From: []string{"staging"}}}
	service := func(name string, e Environment) Service {
		e.Environment, e.Exists = "production", true
		return Service{name, []Environment{{Environment: "staging", Exists: true}, e}}
	}
	got := Drifts(p, []Service{
		service("a", Environment{Differs: true}),
		service("held", Environment{Differs: true, Held: &hold.Hold{}}),
		service("same", Environment{}),
		service("proposed", Environment{Differs: true, Pending: []Pending{{Number: 1}}}),
		service("unread", Environment{Error: "x", Differs: true}),
		service("unread-source", Environment{UnknownFrom: []string{"staging"}}),
		service("one-of-two-sources", Environment{UnknownFrom: []string{"staging"}, Differs: true}),
	})
	if len(got) != 2 || len(got[0].Behind) != 0 {
		t.Fatalf("%+v", got)
	}
	d := got[1]
	if behind, next := strings.Join(d.Behind, " "), strings.Join(d.Next(), " "); behind != "a held proposed one-of-two-sources" || next != "a one-of-two-sources" || strings.Join(d.Unknown, " ") != "unread unread-source" {
		t.Errorf("behind %q, next %q: %+v", behind, next, d)
	}
}

// Two environments had v1 on the board, with an asterisk, and nobody could see why.
func TestTelling(t *testing.T) {
	image := func(tag, digit string) Image {
		return Image{Name: "cart", Pin: history.Pin{Tag: tag, Digest: "sha256:" + strings.Repeat(digit, 64)}}
	}
	s := Service{"cart", []Environment{{Images: []Image{image("v1", "1")}}, {Images: []Image{image("v1", "2")}}, {Images: []Image{image("v2", "3")}}}}
	for i, want := range []string{"v1@111111111111", "v1@222222222222", "v2"} {
		if got := s.Telling(s.Environments[i].Images[0]); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}
