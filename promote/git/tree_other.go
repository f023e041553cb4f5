//go:build !linux

package git

import (
	"io/fs"
	"os"
)

// There is no such call here.

func (t *tree) readPlain(string) ([]byte, fs.FileMode, bool) { return nil, 0, false }

func (t *tree) openDirPlain(string) (*os.File, bool) { return nil, false }

func (t *tree) lstatPlain(string) (fs.FileInfo, bool) { return nil, false }

func (t *tree) createPlain(string) (*os.File, bool) { return nil, false }

func (t *tree) renamePlain(_, _ string) bool { return false }

func (t *tree) ordinaryPlain(string) bool { return false }
