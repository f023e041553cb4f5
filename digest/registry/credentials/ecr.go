//go:build ecr

package credentials

import (
	"io"

	ecr "github.com/awslabs/amazon-ecr-credential-helper/ecr-login"
	"github.com/google/go-containerregistry/pkg/authn"
)

// ecrSources knows Amazon's registries, with the credentials of the AWS SDK.
func ecrSources() []source {
	helper := ecr.NewECRHelper(ecr.WithLogger(io.Discard))
	return []source{{title: "ecr helper", registry: authn.NewKeychainFromHelper(helper)}}
}
