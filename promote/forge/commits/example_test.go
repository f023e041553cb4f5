package commits_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/commits"
)

// Gitea makes a commit on a new branch, and signs it.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"commit": {"sha": %q}}`, strings.Repeat("cd", 20))
	}))
	defer server.Close()

	maker, err := commits.New(forge.Repository{Kind: forge.Gitea, Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"}, forge.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	made, err := maker.Commit(context.Background(), commits.Request{
		Branch: "promote/cart", Base: "main", Parent: strings.Repeat("ab", 20), Message: "promote(staging): cart",
		Files: []commits.File{{Path: "cart/values-staging.yaml", Data: []byte("tag: v2\n"), Was: strings.Repeat("ef", 20)}},
	})
	fmt.Println(made, err)
	// Output: cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd <nil>
}
