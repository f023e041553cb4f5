package recording

import (
	"net/netip"
	"regexp"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// Variable is where a secret comes from: the environment of whoever promotes.
type Variable struct {
	// Env is the name of the variable. It begins with PROMOTE_, so that a pipeline file
	// cannot have what was not meant for it.
	Env string `yaml:"env" json:"env"`
}

var variableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^PROMOTE_[A-Z0-9_]+$`) })

// CheckVariable finds a variable that nobody may have who is asked or told.
func CheckVariable(f *yamlfile.File, at, name string) {
	if !variableName().MatchString(name) {
		f.At(at, "PROMOTE_TOKEN", "variable %q does not begin with PROMOTE_, as those do that gates may have", name)
	}
}

// OnThisMachine tells of a host that no connection to leaves the machine.
func OnThisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

var headerName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9-]+$`) })

// CheckHeaders finds headers that no request can have, and secrets that stand in the file.
func CheckHeaders(f *yamlfile.File, at string, plain map[string]string, from map[string]Variable) {
	for name, value := range plain {
		switch where := at + ".headers." + name; {
		case !headerName().MatchString(name), strings.ContainsAny(value, "\r\n\x00"):
			f.At(where, "", "header %q is malformed", name)
		case strings.EqualFold(name, "Authorization"):
			f.At(where, "headersFrom: {Authorization: {env: PROMOTE_TOKEN}}", "Authorization in the file can be read by everybody")
		}
	}
	for name, v := range from {
		if !headerName().MatchString(name) {
			f.At(at+".headersFrom", "", "header %q is malformed", name)
		}
		CheckVariable(f, at+".headersFrom."+name+".env", v.Env)
	}
}
