package rollback

import "github.com/kubepromote/kubepromote/promote"

// Vitals follows what is said of the health of one service since it was promoted, and
// tells when it is lost. The zero value is the moment of the promotion.
//
// A failure that was there before says nothing about what was promoted, and what cannot be
// told is neither: a cluster that is not reached takes nothing back.
type Vitals struct {
	// other tells that something else than a failure has been said.
	other bool
	// healthy tells that it was, and ill how often in a row it was not since.
	healthy bool
	ill     int
}

// patience is how often in a row what was healthy may be said to be on its way only.
const patience = 2

// Lost takes the next verdict, and tells whether health is lost: it has failed, or it was
// healthy and is not, twice in a row.
func (v *Vitals) Lost(said promote.Verdict) bool {
	switch said.Answer {
	case promote.Fail:
		return v.other
	case promote.Pass:
		v.other, v.healthy, v.ill = true, true, 0
	case promote.Wait:
		v.other = true
		if v.healthy {
			v.ill++
		}
	}
	return v.ill >= patience
}
