// Package completioncmd adds what cobra's completion command lacks for kubectl:
// install and uninstall of kubectl_complete-promote, the program that kubectl asks
// what could follow "kubectl promote".
package completioncmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
)

const (
	// Plugin is the program that kubectl finds on PATH as "kubectl promote".
	Plugin = "kubectl-promote"
	// Completer is the program that kubectl asks what could follow "kubectl promote".
	Completer = "kubectl_complete-promote"
)

const long = `Set up shell completion.

kubectl completes "kubectl promote" in all of its shells when it finds a program
named kubectl_complete-promote on PATH: install puts it there, and uninstall
takes it away. kubectl's own completion must be set up: kubectl completion --help.

The other commands print a script that completes the program under its own name,
kubectl-promote, in one shell.`

const installLong = `Put kubectl_complete-promote beside the plugin, where kubectl finds it.

It is a link to the plugin, so that it stays right when the plugin is upgraded;
on Windows it is a command file. A file of that name that was not put there by
this command is left alone.

A plugin manager does not know of it: run uninstall before the plugin is removed.`

// Extend adds to cobra's completion command what kubectl needs.
func Extend(parent *cobra.Command, s *cli.Session) {
	parent.Short = "Set up shell completion"
	parent.Long = long
	parent.Example = "  # let kubectl complete kubectl promote\n  kubectl promote completion install\n\n  # complete kubectl-promote in this bash\n  source <(kubectl-promote completion bash)"
	parent.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	for _, c := range parent.Commands() {
		c.Example = "  # print the script\n  kubectl-promote completion " + c.Name()
	}
	c := &installer{Session: s, windows: runtime.GOOS == "windows"}
	install := &cobra.Command{
		Use:     "install",
		Short:   "Let kubectl complete kubectl promote",
		Long:    installLong,
		Example: "  # beside the plugin\n  kubectl promote completion install\n\n  # in another folder of PATH\n  kubectl promote completion install --dir ~/.local/bin",
		RunE:    func(*cobra.Command, []string) error { return c.install() },
	}
	uninstall := &cobra.Command{
		Use:     "uninstall",
		Short:   "Undo completion install",
		Long:    "Remove kubectl_complete-promote, if completion install has put it there.",
		Example: "  # what install has put beside the plugin\n  kubectl promote completion uninstall",
		RunE:    func(*cobra.Command, []string) error { return c.uninstall() },
	}
	for _, cmd := range []*cobra.Command{install, uninstall} {
		cmd.Flags().StringVar(&c.dir, "dir", "", "folder on PATH (default: the plugin's)")
		cli.Must(cmd.MarkFlagDirname("dir"))
		parent.AddCommand(cmd)
	}
}

// installer installs kubectl_complete-promote.
type installer struct {
	*cli.Session
	dir     string
	windows bool
}

func (c *installer) install() error {
	program, dir, err := c.find()
	if err != nil {
		return err
	}
	target := program
	if same(filepath.Dir(program), dir) {
		target = filepath.Base(program)
	}
	file := c.file(dir)
	switch state, err := c.state(file, target); {
	case err != nil:
		return err
	case state == foreign:
		return notOurs(file, "kubectl promote completion install --dir DIR")
	case state == current:
		fmt.Fprintln(c.Out, file+" is installed already")
		return nil
	case state == other:
		if err := os.Remove(file); err != nil {
			return cli.FileError(err)
		}
	}
	if err := c.write(file, target); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "installed %s, which runs %s\n", file, target)
	if !onPath(dir) {
		c.Warn("%s is not on PATH: kubectl will not find it there", dir)
	}
	return nil
}

func (c *installer) uninstall() error {
	dir := c.dir
	if dir == "" {
		if found, err := exec.LookPath(Completer); err == nil {
			dir = filepath.Dir(found)
		} else if _, dir, err = c.find(); err != nil {
			return err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return &promote.Error{Msg: c.dir, Err: err}
	}
	file := c.file(dir)
	switch state, err := c.state(file, ""); {
	case err != nil:
		return err
	case state == absent:
		fmt.Fprintln(c.Out, file+" is not installed")
		return nil
	case state == foreign:
		return notOurs(file, "kubectl promote completion uninstall --dir DIR")
	}
	if err := os.Remove(file); err != nil {
		return cli.FileError(err)
	}
	fmt.Fprintln(c.Out, "removed "+file)
	return nil
}

// find gives the plugin as kubectl finds it, and the folder to install in. The
// plugin's links are not followed: krew's lead to one version.
func (c *installer) find() (program, dir string, err error) {
	program, err = exec.LookPath(Plugin)
	if err != nil && c.dir == "" {
		return "", "", &promote.Error{Msg: Plugin + " is not on PATH, where kubectl would find it", Hint: "kubectl promote completion install --dir DIR"}
	}
	if err != nil {
		program, err = os.Executable()
	}
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return "", "", &promote.Error{Msg: "finding the plugin", Err: err}
	}
	if c.dir == "" {
		return program, filepath.Dir(program), nil
	}
	if dir, err = filepath.Abs(c.dir); err != nil {
		return "", "", &promote.Error{Msg: c.dir, Err: err}
	}
	if info, err := os.Stat(dir); err != nil {
		return "", "", cli.FileError(err)
	} else if !info.IsDir() {
		return "", "", &promote.Error{Msg: dir + " is not a directory"}
	}
	return program, dir, nil
}

func (c *installer) file(dir string) string {
	if c.windows {
		return filepath.Join(dir, Completer+".cmd")
	}
	return filepath.Join(dir, Completer)
}

// fileState is what stands where the completer belongs.
type fileState int

const (
	absent  fileState = iota
	current           // ours, as it would be written now
	other             // ours, for another plugin
	foreign           // not ours
)

func (c *installer) state(file, target string) (fileState, error) {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return foreign, cli.FileError(err)
	}
	if !c.windows {
		return linkState(file, info, target)
	}
	if !info.Mode().IsRegular() {
		return foreign, nil
	}
	have, err := cli.ReadBounded(file)
	switch {
	case err != nil:
		return foreign, err
	case bytes.Equal(have, commandFile(target)):
		return current, nil
	case bytes.HasPrefix(have, []byte(commandFileHead)):
		return other, nil
	}
	return foreign, nil
}

func linkState(file string, info fs.FileInfo, target string) (fileState, error) {
	if info.Mode().Type() != fs.ModeSymlink {
		return foreign, nil
	}
	have, err := os.Readlink(file)
	switch {
	case err != nil:
		return foreign, cli.FileError(err)
	case have == target:
		return current, nil
	case filepath.Base(have) == Plugin:
		return other, nil
	}
	return foreign, nil
}

func (c *installer) write(file, target string) error {
	if !c.windows {
		err := os.Symlink(target, file)
		if link, ok := errors.AsType[*os.LinkError](err); ok {
			return &promote.Error{Msg: "making the link " + file, Err: link.Err, Hint: "kubectl promote completion install --dir DIR"}
		}
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return cli.FileError(err)
	}
	_, err = f.Write(commandFile(target))
	return cli.FileError(errors.Join(err, f.Close()))
}

// commandFileHead marks a command file as written here.
const commandFileHead = "@echo off\r\nrem Written by kubectl promote completion install.\r\n"

// commandFile is the completer on Windows, where making a link is a privilege.
func commandFile(target string) []byte {
	if !strings.ContainsAny(target, `\/`) {
		target = `%~dp0` + target
	} else {
		target = strings.ReplaceAll(target, "%", "%%")
	}
	return []byte(commandFileHead + `"` + target + `" ` + cobra.ShellCompRequestCmd + " %* 2>nul\r\n")
}

func notOurs(file, hint string) error {
	return &promote.Error{Msg: file + " was not put there by kubectl promote completion install; it is left alone", Hint: hint}
}

func onPath(dir string) bool {
	return slices.ContainsFunc(filepath.SplitList(os.Getenv("PATH")), func(d string) bool { return same(d, dir) })
}

// same tells whether two paths are the same directory.
func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
