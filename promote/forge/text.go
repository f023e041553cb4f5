package forge

import (
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/forge/internal/body"
)

// quote quotes a foreign text, shortened.
func quote(s string) string { return strconv.Quote(fault.Shorten(s)) }

// FitBody makes the body of a pull request that a forge of this kind takes. Where
// body and footer are too long together, the body is cut at the end of a line, what
// it left open is closed (a block of code, details), and a note says so; the footer
// stays whole. On GitLab, a line that would be carried out as a quick action
// (/merge) gets a backslash in front.
func (k Kind) FitBody(text, footer string) string {
	fit := body.Fitting{Limit: k.BodyLimit(), Commands: k == GitLab}
	return fit.Join(text, footer)
}

// inert keeps text from being carried out.
func (k Kind) inert(text string) string {
	return body.Fitting{Commands: k == GitLab}.Inert(text)
}

// unixLines has line breaks as they were sent: pages send back "\r\n".
func unixLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
