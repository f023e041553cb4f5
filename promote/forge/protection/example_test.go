package protection_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/protection"
)

// What Gitea asks for before something is merged into main.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"name": "main", "protected": true, "required_approvals": 2}`)
	}))
	defer server.Close()

	repository := forge.Repository{Kind: forge.Gitea, Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"}
	rules, err := protection.Of(context.Background(), repository, forge.Options{}, "main")
	fmt.Println(rules.Protected, rules, err)
	// Output: true 2 approvals <nil>
}
