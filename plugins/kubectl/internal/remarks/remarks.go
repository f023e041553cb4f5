// Package remarks keeps what kustomize remarks on deprecated fields off the terminal.
package remarks

import (
	"os"
	"sync"
)

var once sync.Once

// Silence has kustomize's remarks go nowhere, for the rest of the program. It writes them to
// os.Stderr, each time that it reads a file, and offers no other way. What the program
// itself prints is not touched: its streams were taken before, at its start.
func Silence() {
	once.Do(func() {
		if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
			os.Stderr = null
		}
	})
}
