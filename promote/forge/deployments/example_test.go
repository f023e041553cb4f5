package deployments_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/deployments"
)

// GitLab is told that a commit has come to an environment.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.EscapedPath())
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `[]`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id": 42}`)
	}))
	defer server.Close()

	maker, err := deployments.New(forge.Repository{Kind: forge.GitLab, Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"}, forge.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = maker.Record(context.Background(), deployments.Deployment{
		Environment: deployments.Name("production", "cart"), Commit: strings.Repeat("ab", 20), Branch: "main", Description: "cart in production: promoted v1.1.0",
	})
	fmt.Println(err)
	// Output:
	// GET /projects/shop%2Finfra/deployments
	// POST /projects/shop%2Finfra/deployments
	// <nil>
}
