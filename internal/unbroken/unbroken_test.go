package unbroken

import (
	"os"
	"testing"
	"time"
)

// A signal had no effect while a large file was read, and must have none while files are
// replaced: the program ends when nothing is under way, and nothing begins any more.
func TestOver(t *testing.T) {
	dir, _, err := MkdirTemp("kubepromote-")
	if err != nil {
		t.Fatal(err)
	}
	end := Begin()
	over := Over()
	inner := Begin() // what is under way goes on
	inner()
	inner()
	select {
	case <-over:
		t.Fatal("something is under way")
	default:
	}
	end()
	<-over
	began := make(chan bool)
	go func() { Begin(); close(began) }()
	select {
	case <-began:
		t.Error("something began")
	case <-time.After(50 * time.Millisecond):
	}
	RemoveAll()
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory is left")
	}
}
