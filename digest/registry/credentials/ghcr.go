//go:build ghcr

package credentials

import "github.com/google/go-containerregistry/pkg/authn/github"

// ghcrSources knows GitHub's registry, with the token in GITHUB_TOKEN.
func ghcrSources() []source {
	return []source{{title: "github token", registry: github.Keychain}}
}
