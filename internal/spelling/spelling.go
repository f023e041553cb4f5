// Package spelling finds the word that was probably meant.
package spelling

import (
	"fmt"
	"strings"
)

// maxWord bounds the words that are compared, in bytes: comparing takes time that
// grows with the product of their lengths.
const maxWord = 256

// Nearest gives the word that was probably meant: the one with the fewest letters
// changed, added, left out or swapped, if that is at most a third of its length.
// Capitals count as small letters. It gives "" where no word is near.
func Nearest(word string, words []string) string {
	if len(word) > maxWord {
		return ""
	}
	best, least := "", 1+max(1, len(word)/3)
	for _, w := range words {
		if len(w) > maxWord {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(w), least); d < least {
			best, least = w, d
		}
	}
	return best
}

// Question asks behind a message whether the nearest of some words is meant; it is empty
// where none is near.
func Question(word string, words []string) string {
	if near := Nearest(word, words); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// Meant is the hint for a word that is none of those known: the nearest of them,
// or all.
func Meant(word string, known []string) string {
	if best := Nearest(word, known); best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}

// Hint is Meant for names, of which there may be many or none.
func Hint(name string, names []string) string {
	if best := Nearest(name, names); best != "" {
		return "did you mean " + best + "?"
	}
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("known are %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if len(names) == 0 {
		return ""
	}
	return "known are " + strings.Join(names, ", ")
}

// distance is the Damerau-Levenshtein distance with adjacent swaps, or limit if
// it is not below that.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return min(prev[len(b)], limit)
}
