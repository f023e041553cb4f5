package credentials

// Error is a source of credentials that failed, as opposed to one that has none.
type Error struct {
	// Source names it: "docker config", "pull secret FILE".
	Source string
	// Err is the cause. Its text is not fit for printing: a helper may say anything.
	Err error
}

// Error leaves the cause out.
func (e *Error) Error() string { return "credentials could not be read from " + e.Source }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
