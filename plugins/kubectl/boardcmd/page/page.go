// Package page draws a board as one page of HTML that needs nothing else: its style and its
// script are in it, and nothing is fetched. What stands in files and commits is data in it,
// and never markup: the page has it as JSON, and its script makes text of that.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
)

// Board is what is shown. All texts are indexes of Texts: services and environments
// repeat most of them.
type Board struct {
	Title string `json:"title"`
	// Head is the commit, and Made when it was read, in seconds since 1970.
	Head         string        `json:"head"`
	Made         int64         `json:"made"`
	Environments []Environment `json:"environments"`
	Texts        []string      `json:"texts"`
	Rows         []Row         `json:"rows"`
	// Next are commands to type.
	Next []string `json:"next"`
	// Unknown says of which services nobody can tell whether there is something to promote.
	Unknown string `json:"unknown,omitempty"`
	// Error is what keeps the repository from being read now: the board is an older one.
	Error string `json:"error,omitempty"`
	// Fleet tells that the rows are of several repositories.
	Fleet bool `json:"fleet,omitempty"`
	// Deliveries are the figures of what something was delivered to, or of what nobody can tell.
	Deliveries []Deliveries `json:"deliveries"`
	// Since is from when on figures are counted.
	Since int64 `json:"since,omitempty"`
	// Cut tells that changes are left out: there are too many, or some could not be read.
	Cut bool `json:"cut,omitempty"`

	known map[string]int
}

// Environment is a column.
type Environment struct {
	Name   string   `json:"name"`
	From   []string `json:"from,omitempty"`
	Behind int      `json:"behind,omitempty"`
}

// Deliveries are the figures of all services of an environment, with the weeks; without them
// they are unknown, and without an environment those of a repository.
type Deliveries struct {
	Repository  int      `json:"r,omitempty"`
	Environment int      `json:"e,omitempty"`
	Figures     *Figures `json:"figures,omitempty"`
}

// Figures are how often something was delivered, how long that took, in seconds, how often
// it was taken back, and how soon; -1 where that is not known.
type Figures struct {
	Deployments int   `json:"n"`
	Lead        int64 `json:"l"`
	Failed      int   `json:"f,omitempty"`
	Recovery    int64 `json:"r"`
	// Weeks are the deployments of each and those that were taken back, the oldest first.
	Weeks [][2]int `json:"w,omitempty"`
}

// Row is a service, with a cell for each environment.
type Row struct {
	Repository int    `json:"r,omitempty"`
	Name       int    `json:"n"`
	Cells      []Cell `json:"c"`
}

// Cell is what stands in an environment. The zero value is no overlay.
type Cell struct {
	Pin     int   `json:"p,omitempty"`
	Since   int64 `json:"t,omitempty"`
	By      int   `json:"w,omitempty"`
	From    int   `json:"f,omitempty"`
	Commit  int   `json:"k,omitempty"`
	Differs bool  `json:"d,omitempty"`
	Unsure  bool  `json:"u,omitempty"` // where it comes from cannot be read
	Held    int   `json:"h,omitempty"`
	Error   int   `json:"e,omitempty"`
	// Images are name, tag, digest and file of each.
	Images [][4]int `json:"i,omitempty"`
	// Gates are the verdicts under which it came, and what was overridden.
	Gates   []int `json:"g,omitempty"`
	Pending []int `json:"q,omitempty"` // the number's text, the address and the title of each
	// History is for each change when, what it was, what it became, who, from where and the commit.
	History [][6]int64 `json:"y,omitempty"`
	// Figures are deployments and lead time, and where any was taken back how many and how soon.
	Figures []int64 `json:"x,omitempty"`
}

// Text gives the index of a text. That of the empty one is zero.
func (b *Board) Text(s string) int {
	if b.known == nil {
		b.known, b.Texts = map[string]int{"": 0}, []string{""}
	}
	n, ok := b.known[s]
	if !ok {
		n = len(b.Texts)
		b.known[s], b.Texts = n, append(b.Texts, s)
	}
	return n
}

//go:embed page.html
var markup string

//go:embed page.css
var style string

//go:embed page.js
var script string

var whole = template.Must(template.New("page").Parse(markup))

// Policy is the content security policy of a page: its own style and its own script, and
// nothing from anywhere. One that follows asks the server that it came from.
func Policy(follows bool) string {
	policy := "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script) + "'; base-uri 'none'; form-action 'none'"
	if follows {
		policy += "; connect-src 'self'"
	}
	return policy
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Write writes the page. One that follows asks its server for another board now and then.
func Write(w io.Writer, b *Board, follows bool) error {
	return whole.Execute(w, map[string]any{
		"Board": b, "Policy": Policy(follows), "Follows": follows,
		"Style": template.CSS(style), "Script": template.JS(script), // both are part of the program
	})
}
