//go:build unix

package git

import "golang.org/x/sys/unix"

// writable tells that files can be made in a directory.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
