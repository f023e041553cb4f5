//go:build acr

package credentials

import (
	"github.com/chrismellard/docker-credential-acr-env/pkg/credhelper"
	"github.com/google/go-containerregistry/pkg/authn"
)

// acrSources knows Azure's registries, with the credentials in AZURE_*.
func acrSources() []source {
	return []source{{title: "acr helper", registry: authn.NewKeychainFromHelper(credhelper.NewACRCredentialsHelper())}}
}
