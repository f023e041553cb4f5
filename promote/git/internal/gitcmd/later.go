package gitcmd

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
