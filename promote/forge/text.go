package forge

import "strconv"

// quote quotes a foreign text, shortened.
func quote(s string) string { return strconv.Quote(s) }
