package gitcmd

import "github.com/kubepromote/kubepromote/internal/files"

// Later runs fn beside the caller. The function that it returns waits for the
// result.
func Later[T any](fn func() (T, error)) func() (T, error) {
	var result T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = fn()
	}()
	return func() (T, error) {
		<-done
		return result, err
	}
}

// Durably has git synchronize what it writes, where one call cannot do that for
// all of it.
func Durably(args ...string) []string {
	if files.SyncsFileSystems {
		return args
	}
	return append([]string{"-c", "core.fsync=committed,loose-object,reference,index"}, args...)
}
