package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

func ExampleShard_Takes() {
	for k := range 3 {
		s := Shard{k, 3}
		for _, service := range []string{"cart", "checkout", "payment", "search", "web"} {
			if s.Takes(service) {
				fmt.Println(s, service)
			}
		}
	}
	// Output:
	// 0/3 cart
	// 0/3 web
	// 2/3 checkout
	// 2/3 payment
	// 2/3 search
}

// Each service is in one shard, and shards are of about one size.
func TestEachOnce(t *testing.T) {
	const services, shards = 10_000, 16
	for i := range services {
		in := 0
		for k := range shards {
			if (Shard{k, shards}).Takes(fmt.Sprint("service-", i)) {
				in++
			}
		}
		if in != 1 {
			t.Fatalf("service %d is in %d shards", i, in)
		}
	}
	for k := range shards {
		n := 0
		for i := range services {
			if (Shard{k, shards}).Takes(fmt.Sprint("service-", i)) {
				n++
			}
		}
		if n < services/shards*8/10 || n > services/shards*12/10 {
			t.Errorf("shard %d has %d of %d", k, n, services)
		}
	}
}

// What depends on each other, over other services too, is not torn apart: one promotion
// brings them in their order. The others stay where they are.
func TestDependenciesStayTogether(t *testing.T) {
	p := &pipeline.Pipeline{}
	p.Spec.Services = []pipeline.Service{
		{Name: "web", DependsOn: []string{"cart"}}, {Name: "payment", DependsOn: []string{"ledger"}},
		{Name: "cart", DependsOn: []string{"payment", "search"}}, {Name: "mail"},
	}
	names := []string{"alone", "cart", "ledger", "mail", "other", "payment", "search", "web"}
	linked := []string{"cart", "ledger", "payment", "search", "web"}
	for n := 2; n < 20; n++ {
		var all []string
		for k := range n {
			s := Shard{k, n}
			got := s.Services(p, names)
			all = append(all, got...)
			has := slices.ContainsFunc(got, func(name string) bool { return slices.Contains(linked, name) })
			for _, name := range linked {
				if slices.Contains(got, name) != has {
					t.Fatalf("%s has %v", s, got)
				}
			}
			for _, name := range []string{"alone", "mail", "other"} {
				if slices.Contains(got, name) != s.Takes(name) {
					t.Fatalf("%s has %v", s, got)
				}
			}
		}
		if slices.Sort(all); !slices.Equal(all, names) {
			t.Fatalf("%d shards: %v", n, all)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"0/1": "", "3/4": "", "9999/10000": "",
		"4/4": "numbered from 0 to 3", "0/0": "1 to 10000", "0/10001": "1 to 10000",
		"1": "K/N", "-1/4": "K/N", "a/b": "K/N", " 1/2": "K/N", "1/99999999999999999999": "K/N", "": "K/N",
	} {
		s, err := Parse(text)
		if want == "" && (err != nil || s.String() != text) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}
