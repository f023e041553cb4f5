package forge

import "errors"

// What a caller may want to tell apart. Test with errors.Is.
var (
	// ErrNotFound is a pull request or commit that is not there, in a repository that
	// the token may see.
	ErrNotFound = errors.New("not found")
	// ErrNoAccess is a repository that is not there or that the token may not see:
	// forges do not tell these two apart.
	ErrNoAccess = errors.New("no such repository, or no access to it")
	// ErrNotAllowed is a token that is wrong, has expired or is too narrow; the
	// error's hint has the scope or permission that is missing.
	ErrNotAllowed = errors.New("not allowed")
	// ErrExists is a pull request of the same branches that is open already.
	ErrExists = errors.New("a pull request is open already")
	// ErrNoChange is a head with nothing that the base lacks.
	ErrNoChange = errors.New("nothing to merge")
	// ErrHeadMoved is a head that is another commit than the one that was looked at.
	ErrHeadMoved = errors.New("the head has moved")
	// ErrBaseModified is a base that moved during each try to merge.
	ErrBaseModified = errors.New("the base branch was modified")
	// ErrNotMergeable is a pull request that the forge's rules, or a conflict, keep from
	// being merged, or that is not open.
	ErrNotMergeable = errors.New("not mergeable")
	// ErrUnsupported is something that this kind of forge does not have.
	ErrUnsupported = errors.New("not supported by this forge")
	// ErrLimited is a rate limit that did not lift within the patience.
	ErrLimited = errors.New("rate limit")
)

// Error is what every function of this package fails with.
type Error struct {
	// Op is what was being done, with the forge's host: "github.com: opening a pull
	// request".
	Op string
	// Msg is one line in lower case; foreign text in it is shortened, printable and
	// without the token.
	Msg string
	// Hint, if any, says what to do.
	Hint string
	// Status is that of HTTP, or 0.
	Status int
	// Err is one of the errors above, that of a context, or nil.
	Err error
}

// Error is the operation and the message.
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Msg
	}
	return e.Op + ": " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }
