package merging

import (
	"bytes"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/internal/textdiff"
)

// take puts the files that come with a service in the place of its edits. Those of no service
// are given to the first that they come with.
func (c *carrier) take(plan *promote.Plan, s *promote.ServicePlan, given map[string]bool) error {
	own := c.changes.own[s.Service]
	files, err := c.files(slices.DeleteFunc(slices.Clone(c.brings(s.Service)), func(one branch.Change) bool {
		return given[one.Path] && !slices.Contains(own, one)
	}))
	if err != nil {
		return err
	}
	planned := make(map[string]promote.FilePlan)
	for _, f := range s.Files {
		planned[f.Target] = f
	}
	s.Files = nil
	for _, f := range files {
		one := promote.FilePlan{Source: f.Path, Target: f.Path, Changes: planned[f.Path].Changes}
		if !c.asked.Request.NoDiff && !given[f.Path] { // what several share is shown once
			if one.Diff, err = c.diff(f); err != nil {
				return err
			}
		}
		given[f.Path] = true
		s.Files = append(s.Files, one.Becoming(f))
	}
	if len(files) > 0 {
		c.along(s)
	}
	if c.tag != nil {
		c.takeFollowing(s, plan.Services[0] == s)
	}
	if len(s.Files) == 0 {
		return nil
	}
	s.Verdicts = append(s.Verdicts, promote.Verdict{Gate: c.gate(), Answer: promote.Pass, Reason: c.says(plan.Merge)})
	return nil
}

// diff shows a file as git does: with its mode where that changes, where a link leads, and
// which commit a submodule is at.
func (c *carrier) diff(f promote.File) (string, error) {
	old, err := c.told(f.Was, f.Old)
	if err != nil {
		return "", err
	}
	now, err := c.told(f.Is, f.Data)
	if err != nil {
		return "", err
	}
	text := ""
	if was, _, _ := strings.Cut(f.Was, " "); was != "" && f.Is != "" && !strings.HasPrefix(f.Is, was+" ") {
		text = "old mode " + was + "\nnew mode " + strings.Fields(f.Is)[0] + "\n"
	}
	if f.Unread || len(now)+len(old) > mostBytes || bytes.ContainsRune(now, 0) || bytes.ContainsRune(old, 0) {
		return text, nil
	}
	return text + textdiff.Unified(f.Path, old, now), nil
}

// told is what stands somewhere, for people.
func (c *carrier) told(is string, data []byte) ([]byte, error) {
	mode, object, _ := strings.Cut(is, " ")
	switch mode {
	case branch.ModeLink:
		return c.target.Blob(object)
	case branch.ModeSubmodule:
		return []byte("Subproject commit " + object + "\n"), nil
	}
	return data, nil
}
