package statuscmd

import (
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/standing"
	"github.com/kubepromote/kubepromote/promote/status"
	"k8s.io/apimachinery/pkg/util/duration"
)

// wideStatus is a row for each image.
func wideStatus(statuses []status.Service, now time.Time, pending, live bool) [][]string {
	rows := [][]string{{"SERVICE", "ENVIRONMENT", "IMAGE", "TAG", "DIGEST", "SINCE", "BY", "FROM"}}
	if pending {
		rows[0] = append(rows[0], "PENDING")
	}
	if live {
		rows[0] = append(rows[0], "LIVE")
	}
	for _, st := range statuses {
		for _, e := range st.Environments {
			before := len(rows)
			if e.Error != "" {
				rows = append(rows, []string{st.Service, e.Environment, "unknown", "-", "-", "-", "-", "-"})
			}
			if e.Exists && e.Error == "" && len(e.Images)+len(e.Along) == 0 {
				rows = append(rows, []string{st.Service, e.Environment, "none", "-", "-", "-", "-", "-"})
			}
			for _, a := range e.Along {
				since, by, from := lastOf(a.Last, now)
				rows = append(rows, []string{st.Service, e.Environment, a.Kind + " " + a.Name, a.Version, "-", since, by, from})
			}
			for _, i := range e.Images {
				since, by, from := lastOf(i.Last, now)
				tag := cli.Dash(i.Tag)
				if e.Held != nil {
					tag += " held"
				}
				tag += tagMark(i.TagCheck)
				rows = append(rows, []string{st.Service, e.Environment, i.Name, tag, cli.ShortDigest(i.Digest), since, by, from})
			}
			for n := before; pending && n < len(rows); n++ {
				rows[n] = append(rows[n], cli.Dash(standing.Numbers(e.Pending)))
			}
			for n := before; live && n < len(rows); n++ {
				rows[n] = append(rows[n], cli.Dash(state(e)))
			}
		}
	}
	return rows
}

// lastOf says since when something is what it is, by whom, and from where it came.
func lastOf(l *status.LastChange, now time.Time) (since, by, from string) {
	if l == nil {
		return "-", "-", "-"
	}
	return duration.HumanDuration(now.Sub(l.Time)), l.Author, cli.Origin(l.From, l.Entry)
}
