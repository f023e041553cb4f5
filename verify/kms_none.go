//go:build !kms

package verify

import "strings"

// loadKMS refuses: the clients of the key services are not compiled in.
func loadKMS(uri string) (*publicKey, error) {
	scheme, _, _ := strings.Cut(uri, "://")
	return nil, &keyError{
		"this program is built without support for key services such as " + quoted(scheme),
		"go build -tags kms, or write the public key to a file"}
}
