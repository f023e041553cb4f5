package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// helperTime bounds a credential helper; some ask their user for a password.
	helperTime = 30 * time.Second
	// helperGrace is how long the output of a helper is waited for after its end: a
	// child that it has left behind may hold it open.
	helperGrace   = time.Second
	maxHelperText = 64 << 10
	// helperHasNone is what helpers print that have no credentials for a server.
	helperHasNone = "credentials not found in native keychain"
	// identityUser is the user name that stands for an identity token.
	identityUser = "<token>"
)

// askHelper runs Docker's credential helper of a name for a host; nil where it has
// nothing. Its error names the program and nothing of what it said: that may be a
// secret.
func askHelper(ctx context.Context, helper, host string) (authn.Authenticator, error) {
	program := "docker-credential-" + fault.Shorten(helper)
	if strings.ContainsAny(helper, `/\`) {
		return nil, fault.Text(fmt.Sprintf("%q is not the name of a program", program))
	}
	path, err := exec.LookPath("docker-credential-" + helper)
	if err != nil {
		return nil, fault.Text(program + " is not on the PATH")
	}
	if host == name.DefaultRegistry {
		host = authn.DefaultAuthKey
	}
	started := time.Now()
	var out firstBytes
	cmd := exec.CommandContext(ctx, path, "get")
	cmd.Stdin, cmd.Stdout, cmd.WaitDelay = strings.NewReader(host), &out, helperGrace
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fault.Text(fmt.Sprintf("%s gave no answer in %s", program, time.Since(started).Round(100*time.Millisecond)))
	case errors.As(err, &exit) && strings.TrimSpace(out.kept.String()) == helperHasNone:
		return nil, nil
	case errors.As(err, &exit):
		return nil, fault.Text(fmt.Sprintf("%s failed (%s)", program, exit.ProcessState))
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return nil, fault.Text(program + " cannot be run")
	}
	var answer struct{ Username, Secret string }
	if json.Unmarshal(out.kept.Bytes(), &answer) != nil {
		return nil, fault.Text(program + " answered with something else than credentials")
	}
	switch {
	case answer.Username == "" && answer.Secret == "":
		return nil, nil
	case answer.Username == identityUser:
		return authn.FromConfig(authn.AuthConfig{IdentityToken: answer.Secret}), nil
	}
	return authn.FromConfig(authn.AuthConfig{Username: answer.Username, Password: answer.Secret}), nil
}

// firstBytes keeps an output up to a bound, and fails beyond it. The buffer is a field
// so that [io.Copy] finds no ReadFrom that knows no bound.
type firstBytes struct{ kept bytes.Buffer }

// Write implements [io.Writer]; what would go beyond the bound is not kept at all.
func (b *firstBytes) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > maxHelperText {
		return 0, errors.New("too much output")
	}
	return b.kept.Write(p)
}
