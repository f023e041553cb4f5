package cluster_test

import (
	"context"
	"fmt"

	"github.com/kubepromote/kubepromote/promote/cluster"
)

// A cluster that nobody has told the way to is unknown, and not healthy.
func Example() {
	clusters := cluster.New(cluster.Options{Kubeconfig: "testdata/kubeconfig"})
	report := clusters.Health(context.Background(), cluster.Question{
		Targets: []cluster.Target{{Context: "stagging", Namespace: "shop", Kind: "Deployment", Name: "cart"}},
		Images:  []cluster.Image{{Name: "cart", Repository: "registry.example.com/shop/cart", Digest: "sha256:2222222222222222222222222222222222222222222222222222222222222222"}},
	})
	fmt.Println(report.Answer)
	fmt.Println(report.Reason)
	fmt.Println(report.Hint)
	// Output:
	// unknown
	// the kubeconfig has no context "stagging"
	// did you mean staging?
}
