package tags

import (
	"cmp"
	"strings"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
)

// isDecimal knows digits, and digits behind a dot, with a minus sign or without.
func isDecimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, fraction, hasFraction := strings.Cut(s, ".")
	return isDigits(whole) && (!hasFraction || isDigits(fraction))
}

func isDigits(s string) bool {
	return s != "" && grammar.Span(s, func(c byte) bool { return '0' <= c && c <= '9' }) == len(s)
}

// compareDecimals compares two decimals of any length exactly: a build number
// out of a time and a counter has more digits than a float64.
func compareDecimals(a, b string) int {
	aSize, aNegative := strings.CutPrefix(a, "-")
	bSize, bNegative := strings.CutPrefix(b, "-")
	switch {
	case aNegative && bNegative:
		return compareSizes(bSize, aSize)
	case aNegative != bNegative && isZero(aSize) && isZero(bSize):
		return 0
	case aNegative:
		return -1
	case bNegative:
		return 1
	}
	return compareSizes(a, b)
}

func isZero(s string) bool { return strings.Trim(s, "0.") == "" }

func compareSizes(a, b string) int {
	aWhole, aFraction, _ := strings.Cut(a, ".")
	bWhole, bFraction, _ := strings.Cut(b, ".")
	aWhole, bWhole = strings.TrimLeft(aWhole, "0"), strings.TrimLeft(bWhole, "0")
	return cmp.Or(
		cmp.Compare(len(aWhole), len(bWhole)),
		strings.Compare(aWhole, bWhole),
		strings.Compare(strings.TrimRight(aFraction, "0"), strings.TrimRight(bFraction, "0")),
	)
}

func (b numberBound) admits(number string) bool {
	switch order := compareDecimals(number, b.number); b.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	default:
		return order == 0
	}
}
