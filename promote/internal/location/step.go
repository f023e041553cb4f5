package location

// Step takes the first step off a path: a key with the dot before it, or an item in its
// brackets.
func Step(path string) (first, rest string) {
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
