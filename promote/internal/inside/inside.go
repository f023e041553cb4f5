// Package inside tells what of a file is in a part of it, by the paths of both.
package inside

// Of gives what is left of a path behind that of a part, with the dot or bracket that it
// begins with; ok is false where the path leads elsewhere. An item of a list is the same by
// its number, [1], and by a field: [env=prod].
func Of(part, path string) (rest string, ok bool) {
	for part != "" {
		var want, got string
		want, part = step(part)
		got, path = step(path)
		if want != got && (want[0] != '[' || got == "" || got[0] != '[') {
			return "", false
		}
	}
	return path, true
}

// step takes the first step off a path: a key with the dot before it, or an item in its
// brackets.
func step(path string) (first, rest string) {
	for i := 1; i < len(path); i++ {
		switch {
		case path[i] == '\\':
			i++
		case path[0] == '[' && path[i] == ']':
			return path[:i+1], path[i+1:]
		case path[0] != '[' && (path[i] == '.' || path[i] == '['):
			return path[:i], path[i:]
		}
	}
	return path, ""
}
