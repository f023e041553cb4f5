package statement

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// IsPlain is false for paths like shop/../cart, which would be matched as one
// repository and may be read from another.
func IsPlain(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part[0] == '.' {
			return false
		}
	}
	return true
}

// isASCII is false for hosts in letters that a client may turn into others.
func isASCII(host string) bool {
	return !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII })
}

// ParseImage reads repository@sha256:hex. A tag before the digest has no meaning.
func ParseImage(image string) (name.Repository, v1.Hash, error) {
	ref, err := name.NewDigest(image)
	if err == nil {
		var h v1.Hash
		if h, err = v1.NewHash(ref.DigestStr()); err == nil && h.Algorithm == "sha256" && IsPlain(ref.RepositoryStr()) && isASCII(ref.RegistryStr()) {
			return ref.Context(), h, nil
		}
	}
	return name.Repository{}, v1.Hash{}, fmt.Errorf("%s is no image with a digest (repository@sha256:...)", untrusted.Quoted(image))
}
