//go:build !unix

package files

import (
	"io/fs"
	"os"
)

const openFlags = 0

func tryLock(*os.File) bool { return true }

func keepOwner(*os.File, fs.FileInfo, fs.FileInfo) bool { return false }

func keptByOthers(fs.FileInfo, fs.FileInfo) bool { return false }

// syncDir does nothing: directories cannot be synchronized here.
func syncDir(*os.File) error { return nil }

func noSpace(error) bool { return false }
