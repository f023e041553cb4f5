// Package mismatch has the reasons why a signature that was found does not count.
// Everything else that goes wrong is an ordinary error, and means that the answer
// is not known.
package mismatch

import (
	"fmt"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Error is the reason why a signature does not count. The one of the highest
// rank tells the reader most: it was nearest to being good.
type Error struct {
	Rank int
	Text string
}

// Error is the text.
func (m *Error) Error() string { return m.Text }

// Malformed is about a signature that is not one.
func Malformed(format string, args ...any) error {
	return New(RankMalformed, "malformed: "+untrusted.OneLine(fmt.Sprintf(format, args...)))
}

// The ranks, from what tells the reader least.
const (
	// RankOtherKind: it is nothing that the authority is asked for.
	RankOtherKind = iota
	// RankOtherType: an attestation, and not of the type that is asked for.
	RankOtherType
	RankMalformed
	RankOtherKey
	RankOtherDigest
	RankOtherStatement
	RankBroken
	RankNoLog
	RankNoTime
	RankOtherName
	RankAge
	RankCondition
	// RankExpired: it was right until its time was over.
	RankExpired
)

// New makes one of a rank.
func New(rank int, text string) *Error { return &Error{Rank: rank, Text: text} }

// Over is the mismatch of what was right until its time was over.
func Over(format string, args ...any) error {
	return New(RankExpired, untrusted.Message(fmt.Sprintf(format, args...)))
}

// NotMet is the mismatch of a condition that does not hold.
func NotMet(format string, args ...any) error {
	return New(RankOtherStatement, untrusted.Message(fmt.Sprintf(format, args...)))
}
