//go:build !kms

package keys

import (
	"strings"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// LoadKMS refuses: the clients of the key services are not compiled in.
func LoadKMS(uri string) (*Public, error) {
	scheme, _, _ := strings.Cut(uri, "://")
	return nil, &Error{
		"this program is built without support for key services such as " + untrusted.Quoted(scheme),
		ReferenceHint(uri)}
}
