package untrusted

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// CountValues gives an upper bound of the values in a JSON text, without making
// any: a value that takes two bytes there takes up to two hundred when the
// libraries have parsed it.
func CountValues(data []byte) int {
	n, inText, escaped := 1, false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case inText && c == '\\':
			escaped = true
		case c == '"':
			inText = !inText
		case !inText && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

// IsHex says whether s is so many hexadecimal digits, in small letters.
func IsHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

// Sha256Of is the digest of bytes: sha256:<hex>.
func Sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
