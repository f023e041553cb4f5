package credentials_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kubepromote/kubepromote/digest/registry/credentials"
)

// The repositories below one path have credentials of their own.
func Example() {
	secret, err := credentials.ParsePullSecret("pull-secret.yaml", []byte(`
apiVersion: v1
kind: Secret
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{"auths": {"quay.io/shop": {"username": "shop", "password": "secret"}}}'
`))
	if err != nil {
		log.Fatal(err)
	}
	keys := credentials.NewKeychain(credentials.KeychainOptions{
		PullSecrets: []*credentials.PullSecret{secret}, WithoutDefault: true,
	})
	for _, path := range []string{"shop/cart", "other/cart"} {
		found, err := keys.Find(context.Background(), "quay.io", path)
		fmt.Println(path, "has", found.Source, err)
	}
	// Output:
	// shop/cart has pull secret pull-secret.yaml <nil>
	// other/cart has none <nil>
}
