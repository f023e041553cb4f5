package untrusted

import (
	"fmt"
)

// Guarded turns a panic into an error. The libraries that parse what comes
// from a registry have panicked on crafted input before, and whoever may write
// to a repository must not be able to end the process that reads it.
func Guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a signature could not be judged: %v", p)
		}
	}()
	return f()
}
