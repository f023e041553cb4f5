package forge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// A pull request is opened once and then updated in place.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "["+giteaPull+"]") }))
	defer server.Close()
	ctx := context.Background()

	repository, err := forge.Locate(forge.Remote{URL: server.URL + "/shop/infra.git", Kind: forge.Gitea})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := forge.New(repository, forge.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := client.Find(ctx, forge.FindRequest{Head: "promote/a", Base: "main"})
	if errors.Is(err, forge.ErrNotAllowed) {
		fmt.Println("the token is wrong")
	}
	for _, pr := range found {
		fmt.Printf("#%d from %s into %s: %s\n", pr.Number, pr.Head, pr.Base, pr.State)
	}
	// Output:
	// #7 from promote/a into main: open
}
