package pipeline

import (
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote/internal/condition"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline/recording"
)

// What is kept and told of promotions, and where secrets come from, has a package of its own.
type (
	Record   = recording.Record
	Variable = recording.Variable
)

// SoakGate lets those images pass whose digests have been in another environment for
// some time without a break, as the history of the repository has it.
type SoakGate struct {
	// For is how long.
	For Duration `yaml:"for" json:"for"`
	// Environment is where; by default the one that is promoted from.
	Environment string `yaml:"environment" json:"environment,omitempty"`
	// TrustTags has a tag count as if it had always stood for one digest, where the
	// environment has tags alone.
	TrustTags bool `yaml:"trustTags" json:"trustTags,omitempty"`
	// Healthy has them be healthy for as long, as the health gates beside it see it.
	Healthy bool `yaml:"healthy" json:"healthy,omitempty"`
}

// maxSpan is the longest time that a gate may look back.
const maxSpan = 366 * 24 * time.Hour

func (g *SoakGate) check(c gateCheck, at string) {
	if g.For == "" {
		c.At(at, "for: 10m", "soak does not say for how long")
	}
	g.For.Check(c.File, at+".for", "10m", maxSpan)
	c.otherEnvironment(at, g.Environment, false)
}

// HTTPGate lets pass what a server's answer says yes to. In URL, headers and body
// {service}, {environment} and {from} stand for what is promoted.
type HTTPGate struct {
	// URL is where it is asked.
	URL string `yaml:"url" json:"url"`
	// Method is GET, or POST where there is a body, unless it says something else.
	Method string `yaml:"method" json:"method,omitempty"`
	// Headers are those of the request.
	Headers map[string]string `yaml:"headers" json:"headers,omitempty"`
	// HeadersFrom are headers whose values are secrets.
	HeadersFrom map[string]Variable `yaml:"headersFrom" json:"headersFrom,omitempty"`
	// Body is what is sent.
	Body string `yaml:"body" json:"body,omitempty"`
	// Expect is what the answer must be, in CEL over status, headers (with names in
	// small letters), body (what a JSON text says) and text. By default any
	// status of success will do. An expression that does not look at the status is
	// asked about answers of success alone.
	Expect string `yaml:"expect" json:"expect,omitempty"`
	// Retries is how often the request is sent again where there is no answer, or one
	// that says to try later.
	Retries int `yaml:"retries" json:"retries,omitempty"`
}

func (g *HTTPGate) check(c gateCheck, at string) {
	c.url(at, g.URL, len(g.HeadersFrom) > 0)
	if methods := []string{"GET", "HEAD", "POST", "PUT"}; g.Method != "" && !slices.Contains(methods, g.Method) {
		c.At(at+".method", spelling.Hint(g.Method, methods), "method is %q", g.Method)
	} else if g.Body != "" && (g.Method == "GET" || g.Method == "HEAD") {
		c.At(at+".body", "method: POST", "a %s has no body", g.Method)
	}
	recording.CheckHeaders(c.File, at, g.Headers, g.HeadersFrom)
	if g.Expect != "" {
		_, err := condition.Expect(g.Expect)
		c.expression(at+".expect", "expect", err)
	}
	if g.Retries < 0 || g.Retries > 10 {
		c.At(at+".retries", "retries: 3", "retries is %d, and may be 0 to 10", g.Retries)
	}
}

// url checks where a gate asks. What is sent with secrets is encrypted, unless it stays
// on this machine.
func (c gateCheck) url(at, text string, secret bool) {
	if text == "" {
		c.At(at, "url: https://status.example.com/api", "the gate has no url")
		return
	}
	for _, name := range location.Names(text) {
		if known := []string{location.Service, location.Environment, holeFrom}; !slices.Contains(known, name) {
			c.At(at+".url", spelling.Hint(name, known), "url has the hole {%s}", name)
		}
	}
	filled := location.Fill(text, location.Holes{location.Service: "s", location.Environment: "e", holeFrom: "f"})
	u, err := url.Parse(filled)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		c.At(at+".url", "url: https://status.example.com/api", "url is none of http or https")
	case u.User != nil:
		c.At(at+".url", "headersFrom: {Authorization: {env: PROMOTE_TOKEN}}", "url has a password, which everybody can read")
	case strings.Contains(hostOf(text), "{"):
		c.At(at+".url", "", "url has a hole in its host")
	case secret && u.Scheme == "http" && !recording.OnThisMachine(u.Hostname()):
		c.At(at+".url", "https://"+u.Host, "url is not encrypted, and headersFrom has secrets")
	}
}

// holeFrom is the hole for the environment that is promoted from.
const holeFrom = "from"

// hostOf is the host of a URL that may have holes.
func hostOf(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// MetricGate lets pass while a metric is as it should be. Of Within, Above and Below
// one at least is set.
type MetricGate struct {
	// Prometheus is the server, and what it is asked.
	Prometheus *Prometheus `yaml:"prometheus" json:"prometheus"`
	// Within is how far the value may be from what it was at the end of the previous
	// deployment, as a part of that: 10%.
	Within string `yaml:"within" json:"within,omitempty"`
	// Environment is the one whose deployments are compared; by default the one that is
	// promoted from.
	Environment string `yaml:"environment" json:"environment,omitempty"`
	// Above and Below are bounds that the value is on the right side of.
	Above *float64 `yaml:"above" json:"above,omitempty"`
	Below *float64 `yaml:"below" json:"below,omitempty"`
	// Window, if not empty, has the mean over so long a time count in place of the value.
	Window Duration `yaml:"window" json:"window,omitempty"`
}

// Prometheus is a query. In it {service}, {environment} and {from} stand for what is
// promoted.
type Prometheus struct {
	// URL is that of the server, without /api/v1.
	URL string `yaml:"url" json:"url"`
	// Query gives one value.
	Query string `yaml:"query" json:"query"`
	// HeadersFrom are headers whose values are secrets.
	HeadersFrom map[string]Variable `yaml:"headersFrom" json:"headersFrom,omitempty"`
}

// Percent is Within as a number: 0.1 for 10%; 0 where it is not set.
func (g *MetricGate) Percent() float64 {
	n, _ := strconv.ParseFloat(strings.TrimSuffix(g.Within, "%"), 64)
	return n / 100
}

func (g *MetricGate) check(c gateCheck, at string) {
	if p := g.Prometheus; p == nil {
		c.At(at, "prometheus: {url: https://prometheus.example.com, query: …}", "the metric has no source")
	} else {
		c.url(at+".prometheus", p.URL, len(p.HeadersFrom) > 0)
		recording.CheckHeaders(c.File, at+".prometheus", nil, p.HeadersFrom)
		if strings.TrimSpace(p.Query) == "" {
			c.At(at+".prometheus", `query: sum(rate(errors_total{service="{service}"}[5m]))`, "the metric has no query")
		}
	}
	if g.Within == "" && g.Above == nil && g.Below == nil {
		c.At(at, "within: 10%, or below: 0.01", "the metric has no bound")
	}
	if n, err := strconv.ParseFloat(strings.TrimSuffix(g.Within, "%"), 64); g.Within != "" && (err != nil || !strings.HasSuffix(g.Within, "%") || !(n > 0 && n <= 1000)) {
		c.At(at+".within", "within: 10%", "within is %q, and must be a part such as 10%%", g.Within)
	}
	for name, bound := range map[string]*float64{"above": g.Above, "below": g.Below} {
		if bound != nil && (math.IsNaN(*bound) || math.IsInf(*bound, 0)) {
			c.At(at+"."+name, name+": 0.01", "%s is no number", name)
		}
	}
	if g.Above != nil && g.Below != nil && *g.Above >= *g.Below {
		c.At(at+".above", "", "nothing is above %v and below %v", *g.Above, *g.Below)
	}
	g.Window.Check(c.File, at+".window", "10m", maxSpan)
	c.otherEnvironment(at, g.Environment, false)
}

// ExecGate lets pass what a command says yes to. It is given what is to be promoted, as
// JSON, on its standard input. The exit status 0 is pass, 4 wait, 5 unknown, and any
// other fail; the first line that it prints is the reason.
type ExecGate struct {
	// Command is the program and its arguments; a program with a slash in its name is a
	// file of the repository.
	Command []string `yaml:"command" json:"command"`
	// Env are the variables that the command gets, beside PATH, HOME and those that the
	// system needs. Each begins with PROMOTE_.
	Env []string `yaml:"env" json:"env,omitempty"`
}

func (g *ExecGate) check(c gateCheck, at string) {
	switch {
	case len(g.Command) == 0 || g.Command[0] == "":
		c.At(at, "command: [hack/gate.sh]", "exec has no command")
	case strings.Contains(g.Command[0], "/") && !fs.ValidPath(strings.TrimPrefix(g.Command[0], "./")):
		c.At(at+".command[0]", "command: [hack/gate.sh]", "%q is not a path inside the repository", g.Command[0])
	}
	for i, arg := range g.Command {
		if strings.ContainsRune(arg, 0) {
			c.At(fmt.Sprintf("%s.command[%d]", at, i), "", "the argument holds a zero byte")
		}
	}
	for i, name := range g.Env {
		recording.CheckVariable(c.File, fmt.Sprintf("%s.env[%d]", at, i), name)
	}
}
