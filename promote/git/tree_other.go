//go:build !linux

package git

import (
	"io/fs"
	"os"

	"github.com/kubepromote/kubepromote/promote"
)

// There is no such call here.

func (t *tree) readPlain(string) ([]byte, error) { return nil, errNotPlain }

func (t *tree) readAnyPlain(string, []string) (promote.Found, error) {
	return promote.Found{}, errNotPlain
}

func (t *tree) loadPlain(string) ([]byte, fs.FileInfo, bool) { return nil, nil, false }

func (t *tree) openDirPlain(string) (*os.File, bool) { return nil, false }

func (t *tree) createPlain(string, fs.FileMode) (*os.File, bool) { return nil, false }

func (t *tree) renamePlain(_, _ string) (fileStat, bool) { return fileStat{}, false }

// statOf tells nothing: git then reads what was promoted once more.
func statOf(*os.File) fileStat { return fileStat{} }

func (s fileStat) like(fs.FileInfo) bool { return false }

func (t *tree) ordinaryPlain(string) bool { return false }
