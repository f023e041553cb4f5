package syntax

import (
	"strings"
	"testing"
)

// A pointer of LFS was "not a kustomization: the document is a mapping", and an encrypted
// file was binary.
func TestHidden(t *testing.T) {
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n": "x.yaml: is a pointer of Git LFS, whose content is not here",
		"\x00GITCRYPT\x00\xff\xfe":                      "x.yaml: is encrypted by git-crypt",
		"U2FsdGVkX19abc=\n":                             "x.yaml: is encrypted by openssl",
		"$ANSIBLE_VAULT;1.1;AES256\n3031\n":             "x.yaml: is encrypted by ansible-vault",
		"-----BEGIN PGP MESSAGE-----\nabc\n":            "x.yaml: is encrypted by PGP",
		"age-encryption.org/v1\n-> X25519 a\n":          "x.yaml: is encrypted by age",
		"version: https://git-lfs.github.com/spec/v1\n": "",
		"# $ANSIBLE_VAULT;\na: 1\n":                     "",
	} {
		_, err := Parse("x.yaml", []byte(text))
		if got := ""; err != nil {
			if got = err.Error(); got != want {
				t.Errorf("%q: %s", strings.SplitN(text, "\n", 2)[0], got)
			}
		} else if want != "" {
			t.Errorf("%q is read", text)
		}
	}
}
