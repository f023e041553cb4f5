//go:build kms

package keys

import (
	"context"
	"crypto"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/aws"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"
	"github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	"github.com/sigstore/sigstore/pkg/signature/kms/hashivault"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// kmsTimeout bounds the one request for a public key.
const kmsTimeout = 30 * time.Second

// LoadKMS asks a key service for a public key. The services are listed here and
// called by name: the general entry of the library runs a program
// sigstore-kms-<scheme> for schemes that it does not know, and a policy must not
// choose a program to run.
func LoadKMS(uri string) (*Public, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kmsTimeout)
	defer cancel()
	scheme, _, _ := strings.Cut(uri, "://")
	var service interface {
		PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error)
	}
	var err error
	switch scheme + "://" {
	case aws.ReferenceScheme:
		service, err = aws.LoadSignerVerifier(ctx, uri)
	case azure.ReferenceScheme:
		service, err = azure.LoadSignerVerifier(ctx, uri)
	case gcp.ReferenceScheme:
		service, err = gcp.LoadSignerVerifier(ctx, uri)
	case hashivault.ReferenceScheme:
		service, err = hashivault.LoadSignerVerifier(uri, crypto.SHA256)
	default:
		return nil, &Error{"key service " + untrusted.Quoted(scheme) + " is not known", "awskms, azurekms, gcpkms or hashivault"}
	}
	if err != nil {
		return nil, &Error{"key service: " + untrusted.OneLine(err.Error()), ""}
	}
	pub, err := service.PublicKey()
	if err != nil {
		return nil, &Error{"key service: " + untrusted.OneLine(err.Error()), ""}
	}
	return newPublicKey(pub)
}
