package heap

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
)

// The wait is for the first collection alone: a long command must not take four times
// the memory that it needs.
func TestOnlyTheFirstCollectionWaits(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC is set here, which this package leaves alone")
	}
	runtime.GC()
	for range 1000 { // a cleanup runs in its own time after the collection
		now := debug.SetGCPercent(goDefault)
		if now == goDefault {
			return
		}
		debug.SetGCPercent(now)
		runtime.Gosched()
		runtime.GC()
	}
	t.Error("the collector still waits after its first run")
}

// A GOGC of the user's own wins.
func TestGOGCIsLeftAlone(t *testing.T) {
	if want := os.Getenv("HEAP_TEST_WANT"); want != "" {
		if now := strconv.Itoa(debug.SetGCPercent(goDefault)); now != want {
			t.Errorf("the percentage is %s, want %s", now, want)
		}
		return
	}
	for gogc, want := range map[string]string{"": strconv.Itoa(atStart), "70": "70", "off": "-1"} {
		c := exec.Command(os.Args[0], "-test.run", "^TestGOGCIsLeftAlone$")
		c.Env = append(os.Environ(), "GOGC="+gogc, "HEAP_TEST_WANT="+want)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("GOGC=%s: %v\n%s", gogc, err, out)
		}
	}
}
