// Package span is how long something takes or lasts as a pipeline file says it: 90s, 10m, 64h.
// A text is kept as it was written, so that what is written back is the same, and is checked
// once, where the file is read, with the place of what is wrong.
package span

import (
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// Duration is a time as Go has it: 90s, 10m, 64h. That of a pipeline that was parsed is
// positive, or "" where there is none.
type Duration string

// Time is the duration; 0 where there is none.
func (d Duration) Time() time.Duration {
	t, _ := time.ParseDuration(string(d))
	return t
}

// Check notes, in the file that it stands in at a path, a duration that is none, or beyond a
// limit. The hint is an example of the field, whose name is the last one of the path.
func (d Duration) Check(f *yamlfile.File, at, example string, most time.Duration) {
	t, err := time.ParseDuration(string(d))
	switch name := at[strings.LastIndexByte(at, '.')+1:]; {
	case d == "":
	case err != nil || t <= 0:
		f.At(at, name+": "+example, "%s is %q, and must be a time such as 90s, 10m or 64h", name, d)
	case t > most:
		f.At(at, name+": "+example, "%s is %s, and at most %s is possible", name, d, most)
	}
}
