package login

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// What GitHub gives a job with the permission "id-token: write"
	// (https://docs.github.com/actions/reference/security/oidc).
	githubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	// Buildkite says by this that its agent can be asked
	// (https://buildkite.com/docs/agent/v3/cli-oidc).
	buildkiteToken = "BUILDKITE_AGENT_ACCESS_TOKEN"

	jobLimit   = 30 * time.Second
	tokenBytes = 1 << 16
)

// Job names the CI system that gives the job at hand tokens; it is empty where none does.
// GitLab writes one into SIGSTORE_ID_TOKEN, which is read by the commands themselves.
func Job() string {
	switch {
	case os.Getenv(githubURL) != "" && os.Getenv(githubToken) != "":
		return "GitHub Actions"
	case os.Getenv(buildkiteToken) != "":
		return "Buildkite"
	}
	return ""
}

// OfJob asks that CI system for a token for an audience; empty: [ClientID].
func OfJob(ctx context.Context, audience string) (string, error) {
	if audience == "" {
		audience = ClientID
	}
	ctx, cancel := context.WithTimeout(ctx, jobLimit)
	defer cancel()
	system, ask := Job(), ofGitHub
	if system == "Buildkite" {
		ask = ofBuildkite
	}
	token, err := ask(ctx, audience)
	if err == nil && strings.Count(token, ".") != 2 {
		err = fmt.Errorf("the answer is no identity token")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %s", system, fault.OneLine(err.Error()))
	}
	return token, nil
}

func ofGitHub(ctx context.Context, audience string) (string, error) {
	at, err := url.Parse(os.Getenv(githubURL))
	if err != nil {
		return "", fmt.Errorf("%s is no URL", githubURL)
	}
	query := at.Query()
	query.Set("audience", audience)
	at.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", fmt.Errorf("%s is no URL", githubURL)
	}
	req.Header.Set("Authorization", "bearer "+os.Getenv(githubToken))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("the identity token: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the identity token: %s (permissions: id-token: write)", resp.Status)
	}
	var answer struct{ Value string }
	err = json.NewDecoder(io.LimitReader(resp.Body, tokenBytes)).Decode(&answer)
	return answer.Value, err
}

func ofBuildkite(ctx context.Context, audience string) (string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, "buildkite-agent", "oidc", "request-token", "--audience", audience)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("buildkite-agent oidc request-token: %w: %s", err, said.String())
	}
	return strings.TrimSpace(out.String()), nil
}
