// Package shell writes words and paths in commands that people type, so that a shell
// and git take them as they are meant.
package shell

import "strings"

// plain are the bytes of words that a shell takes as they stand.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"

// Quote makes one word for a POSIX shell of a text.
func Quote(word string) string {
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Path is a path for a command: one that begins with a dash is no option.
func Path(name string) string {
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	return Quote(name)
}

// Pathspecs are paths for a command of git that takes patterns: each stands for the
// one file alone.
func Pathspecs(names ...string) string {
	words := make([]string, len(names))
	for i, name := range names {
		if strings.ContainsAny(name, `*?[\`) || strings.HasPrefix(name, ":") {
			words[i] = Quote(":(literal)" + name)
			continue
		}
		words[i] = Path(name)
	}
	return strings.Join(words, " ")
}
