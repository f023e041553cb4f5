package promote_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote"
)

// A pipeline file is decoded strictly; the environments form a graph.
func ExampleParsePipeline() {
	p, err := promote.ParsePipeline("promotion.yaml", []byte(`
apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: staging
  - name: production
    from: [staging]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	to, err := p.Environment("production")
	if err != nil {
		fmt.Println(err)
		return
	}
	from, err := p.Source(to, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(from.Name, "→", to.Name)
	// Output:
	// staging → production
}

// The record of a promotion is in the trailers of its commit.
func ExampleParseTrailers() {
	for _, t := range promote.ParseTrailers(`promote(production): cart → v1.3.0

Promotion-Service: cart
Promotion-From: staging
Promotion-To: production
Promotion-Image: registry.example.com/shop/cart:v1.3.0
`) {
		fmt.Println(t.Service, t.From, "→", t.To, t.Images[0])
	}
	// Output: cart staging → production registry.example.com/shop/cart:v1.3.0
}
