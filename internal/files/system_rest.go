//go:build !unix

package files

import (
	"io/fs"
	"os"
)

const openFlags = 0

// TryLock is always had: there are no such locks here.
func TryLock(*os.File) bool { return true }

func keepOwner(*os.File, fs.FileInfo, fs.FileInfo) bool { return false }

func keptByOthers(fs.FileInfo, fs.FileInfo) bool { return false }

// syncDir does nothing: directories cannot be synchronized here.
func syncDir(*os.File) error { return nil }

func noSpace(error) bool { return false }
