//go:build !unix

package git

// writable is not known here before it is tried.
func writable(string) error { return nil }

// overLimit is nothing that there is here.
func overLimit(error) bool { return false }
