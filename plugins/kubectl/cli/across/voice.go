package across

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// voice keeps what one repository's session says until its turn comes.
type voice struct {
	name string
	mu   sync.Mutex
	said bytes.Buffer
}

// Write implements [io.Writer].
func (v *voice) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said.Write(b)
}

func (v *voice) size() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said.Len()
}

// lineAt is the line that begins at a place; "" where nothing was said there.
func (v *voice) lineAt(n int) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	line, _, _ := strings.Cut(v.said.String()[n:], "\n")
	return line
}

// flush writes what was said, each line with the name in front. What can be typed has a line
// of its own, and is left as it is.
func (v *voice) flush(w io.Writer) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out strings.Builder
	for line := range strings.Lines(v.said.String()) {
		if !strings.HasPrefix(line, "hint: ") && strings.TrimSpace(line) != "" {
			out.WriteString(v.name + ": ")
		}
		out.WriteString(line)
	}
	v.said.Reset()
	_, err := io.WriteString(w, out.String())
	return err
}
