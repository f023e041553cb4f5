package rollback

import (
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

func TestVitals(t *testing.T) {
	answers := map[rune]promote.Answer{'p': promote.Pass, 'w': promote.Wait, 'f': promote.Fail, 'u': promote.Unknown}
	for said, lost := range map[string]int{
		"wwwppp":   0, // it comes, and stays
		"wwpf":     4,
		"wwf":      3, // it fails on its way
		"fff":      0, // it had failed before
		"ffwf":     4,
		"pww":      3,
		"pwpwpw":   0, // it is restarted now and then
		"puuuuu":   0,
		"pwuw":     4, // what cannot be told does not make it well
		"uuf":      0,
		"wwwwwwww": 0, // it has never been healthy: it is waited for
	} {
		var v Vitals
		got := 0
		for i, r := range strings.Split(said, "") {
			if v.Lost(promote.Verdict{Answer: answers[rune(r[0])]}) {
				got = i + 1
				break
			}
		}
		if got != lost {
			t.Errorf("%s: lost at %d, want %d", said, got, lost)
		}
	}
}
