//go:build gcr

package credentials

import "github.com/google/go-containerregistry/pkg/v1/google"

// gcrSources knows Google's registries, with application default credentials or
// those of gcloud.
func gcrSources() []source {
	return []source{{title: "google credentials", registry: google.Keychain}}
}
