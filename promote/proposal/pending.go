package proposal

import (
	"context"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/record"
)

// Pending is an open pull request of a promotion, or of a way back.
type Pending struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Title  string `json:"title"`
	Author string `json:"author"`
	Draft  bool   `json:"draft,omitempty"`
	// Environment is where it goes, and Services whom it moves there, as its record says.
	Environment string   `json:"environment"`
	Services    []string `json:"services"`
	// Rollback tells that it takes pins back.
	Rollback bool `json:"rollback,omitempty"`
}

// mostPending bounds how many branches are asked about: each is a request.
const mostPending = 200

// FindPending gives the open pull requests into base from those of the branches that are a
// promotion's, by the names that promote.Plan.Proposal gives them; one whose text has no
// record of its own environment any more is of no service. Left is how many branches were
// not asked about, as there are too many.
func FindPending(ctx context.Context, f forge.Forge, base string, branches []string) (all []Pending, left int, err error) {
	asked := 0
	for _, head := range branches {
		verb, rest, _ := strings.Cut(head, "/")
		environment, name, ok := strings.Cut(rest, "/")
		if !ok || name == "" || verb != "promote" && verb != "rollback" {
			continue
		}
		if asked++; asked > mostPending {
			left++
			continue
		}
		found, err := f.Find(ctx, forge.FindRequest{Head: head, Base: base})
		if err != nil {
			return nil, 0, err
		}
		for _, pr := range found {
			p := Pending{Number: pr.Number, URL: pr.URL, Title: pr.Title, Author: pr.Author, Draft: pr.Draft, Environment: environment, Services: []string{}, Rollback: verb == "rollback"}
			for _, t := range recordIn(pr.Body) {
				if t.To == environment && !slices.Contains(p.Services, t.Service) {
					p.Services = append(p.Services, t.Service)
				}
			}
			all = append(all, p)
		}
	}
	return all, left, nil
}

// recordIn reads the record at the end of a text of [Body].
func recordIn(body string) []record.Trailers {
	body = strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n ")
	body, ok := strings.CutSuffix(body, "\n```")
	i := strings.LastIndex(body, "```\n")
	if !ok || i < 0 {
		return nil
	}
	return record.Parse("-\n\n" + body[i+len("```\n"):])
}
