package valuesfiles

import "bytes"

// IsBlank tells whether a file has nothing but comments and marks of documents.
func IsBlank(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}
