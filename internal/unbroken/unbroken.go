// Package unbroken keeps a signal from ending the program in the middle of something that
// must be whole, such as the replacement of files.
package unbroken

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"
)

// patience is how long what is under way may take to notice a signal.
const patience = time.Second

// Run runs a program that a signal ends by ending ctx, and gives its exit status. What does
// not notice, such as the reading of a large file or of an input that nobody ends, is given up
// as soon as nothing is under way that must be whole: ok is false then, and the caller ends.
func Run(ctx context.Context, program func() int) (status int, ok bool) {
	done := make(chan int, 1)
	go func() { done <- program() }()
	select {
	case status = <-done:
		return status, true
	case <-ctx.Done():
	}
	select {
	case status = <-done:
		return status, true
	case <-time.After(patience):
	}
	select {
	case status = <-done:
		return status, true
	case <-Over():
	}
	RemoveAll()
	return 0, false
}

var (
	lock  sync.Mutex
	count int
	dirs  []string
	asked chan struct{} // closed when nothing is under way any more, once that was asked for
)

// Begin begins something that is to be ended by calling end, once, or whose program is
// killed. Where the program is about to end, and nothing else is under way, it never
// returns.
func Begin() (end func()) {
	lock.Lock()
	if asked != nil && count == 0 {
		lock.Unlock()
		select {}
	}
	count++
	lock.Unlock()
	return sync.OnceFunc(func() {
		lock.Lock()
		defer lock.Unlock()
		if count--; count == 0 && asked != nil {
			close(asked)
		}
	})
}

// Over is closed when nothing is under way. From then on nothing begins, and the program
// must end.
func Over() <-chan struct{} {
	lock.Lock()
	defer lock.Unlock()
	if asked == nil {
		if asked = make(chan struct{}); count == 0 {
			close(asked)
		}
	}
	return asked
}

// MkdirTemp makes a temporary directory as [os.MkdirTemp] does. What it gives removes it.
func MkdirTemp(pattern string) (dir string, remove func() error, err error) {
	if dir, err = os.MkdirTemp("", pattern); err != nil {
		return "", nil, err
	}
	lock.Lock()
	dirs = append(dirs, dir)
	lock.Unlock()
	return dir, func() error {
		lock.Lock()
		dirs = slices.DeleteFunc(dirs, func(d string) bool { return d == dir })
		lock.Unlock()
		return os.RemoveAll(dir)
	}, nil
}

// RemoveAll removes the temporary directories that are left, for a program that is ended.
func RemoveAll() {
	lock.Lock()
	defer lock.Unlock()
	for _, dir := range dirs {
		_ = os.RemoveAll(dir)
	}
}
