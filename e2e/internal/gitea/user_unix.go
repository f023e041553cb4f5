//go:build unix

package gitea

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// nobody is who Gitea runs as where the tests run as root.
const nobody = "nobody"

func isRoot() bool { return os.Geteuid() == 0 }

// userName is the name of who Gitea runs as, which its configuration must repeat.
func userName() string {
	if isRoot() {
		return nobody
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// ids are those of nobody.
func ids() (uid, gid int) {
	u, err := user.Lookup(nobody)
	if err != nil {
		return 65534, 65534
	}
	uid, _ = strconv.Atoi(u.Uid) // the library has checked them
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid
}

func runAs(cmd *exec.Cmd) {
	if !isRoot() {
		return
	}
	uid, gid := ids()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// own gives the folder to who Gitea runs as; programs stay root's.
func own(dir string) error {
	if !isRoot() {
		return nil
	}
	uid, gid := ids()
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == filepath.Join(dir, "bin", "gitea") {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}
