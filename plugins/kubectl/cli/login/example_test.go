package login_test

import (
	"context"
	"fmt"
	"os"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/login"
)

// A token comes from the job's own CI system where there is one, else from a person.
func Example() {
	token := func(ctx context.Context) (string, error) {
		if login.Job() != "" {
			return login.OfJob(ctx, login.ClientID)
		}
		return login.Person(ctx, login.Options{Issuer: login.PublicIssuer, Flow: login.Device, Out: os.Stderr})
	}
	_ = token // for example the Token of attest.KeylessOptions
	fmt.Println(login.ClientID)
	// Output: sigstore
}
