package protection

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
)

// Files are what [Written] reads.
type Files interface {
	// ReadFile gives a file's bytes, or an error that is fs.ErrNotExist.
	ReadFile(path string) ([]byte, error)
	// ReadDir lists a directory, or gives an error that is fs.ErrNotExist.
	ReadDir(path string) ([]fs.DirEntry, error)
}

// Where rules are written: the settings app's file (https://github.com/repository-settings/app),
// and rule sets as GitHub exports and imports them.
const (
	settingsFile = ".github/settings.yml"
	rulesetsDir  = ".github/rulesets"
)

// ruleset is one of GitHub, as its interface and its files have it.
type ruleset struct {
	Target      string
	Enforcement string
	Conditions  struct {
		Names struct {
			Include, Exclude []string
		} `yaml:"ref_name"`
	}
	Rules []struct {
		Type       string
		Parameters struct {
			Approvals int                        `yaml:"required_approving_review_count"`
			Checks    []struct{ Context string } `yaml:"required_status_checks"`
		}
	}
}

// settings are those of the settings app, as far as they are about branches.
type settings struct {
	Branches []struct {
		Name       string
		Protection *struct {
			Reviews *struct {
				Approvals int `yaml:"required_approving_review_count"`
			} `yaml:"required_pull_request_reviews"`
			Checks *struct {
				Contexts []string
				Checks   []struct{ Context string }
			} `yaml:"required_status_checks"`
			Restrictions *struct{}
		}
	}
	Rulesets []ruleset
}

// Written gives the rules of a branch as files of the repository say them, to those who apply
// them, and the file that it is said in: the first one that has a rule of the branch, or the last
// that has rules of others. It is empty where no file says anything of branches, which says
// nothing of the branch either. The default branch has names of its own in rule sets: defaultBranch
// is the repository's, or empty where nobody knows it; then there is no file either where it makes
// the difference. An error is about a file that cannot be read.
func Written(files Files, branch, defaultBranch string) (rules Rules, file string, err error) {
	rules, file, err = written(files, branch, branch == defaultBranch)
	if err != nil || defaultBranch != "" {
		return rules, file, err
	}
	if other, _, err := written(files, branch, true); err != nil || other.Protected != rules.Protected {
		return Rules{}, "", err
	}
	return rules, file, nil
}

func written(files Files, branch string, isDefault bool) (rules Rules, file string, err error) {
	if data, err := files.ReadFile(settingsFile); err == nil {
		var s settings
		if err := yaml.Unmarshal(data, &s); err != nil {
			return rules, settingsFile, fmt.Errorf("cannot be read: %w", err)
		}
		if len(s.Branches)+len(s.Rulesets) > 0 {
			file = settingsFile
			if rules.branches(s, branch); !rules.Protected {
				rules.sets(s.Rulesets, branch, isDefault)
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return rules, settingsFile, err
	}
	entries, err := files.ReadDir(rulesetsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return rules, rulesetsDir, err
	}
	for _, e := range entries {
		if rules.Protected || e.IsDir() || path.Ext(e.Name()) != ".json" {
			continue
		}
		file = path.Join(rulesetsDir, e.Name())
		data, err := files.ReadFile(file)
		var one ruleset
		if err == nil {
			err = yaml.Unmarshal(data, &one)
		}
		if err != nil {
			return rules, file, fmt.Errorf("cannot be read: %w", err)
		}
		rules.sets([]ruleset{one}, branch, isDefault)
	}
	slices.Sort(rules.Checks)
	rules.Checks = slices.Compact(rules.Checks)
	return rules, file, nil
}

// branches takes what protects a branch by its name. Protection that asks for nothing keeps it
// from being deleted alone.
func (r *Rules) branches(s settings, branch string) {
	for _, b := range s.Branches {
		p := b.Protection
		if b.Name != branch || p == nil {
			continue
		}
		r.Protected = p.Reviews != nil || p.Checks != nil || p.Restrictions != nil
		if p.Reviews != nil {
			r.Approvals = p.Reviews.Approvals
		}
		if p.Checks != nil {
			r.Checks = append(r.Checks, p.Checks.Contexts...)
			for _, c := range p.Checks.Checks {
				r.Checks = append(r.Checks, c.Context)
			}
		}
	}
}

// sets takes what those rule sets ask for that a branch falls under and that are enforced.
func (r *Rules) sets(all []ruleset, branch string, isDefault bool) {
	for _, s := range all {
		names := s.Conditions.Names
		if s.Enforcement != "active" || s.Target != "" && s.Target != "branch" || !falls(names.Include, branch, isDefault) || falls(names.Exclude, branch, isDefault) {
			continue
		}
		for _, one := range s.Rules {
			r.Protected = r.Protected || slices.Contains(barring, one.Type)
			r.Approvals = max(r.Approvals, one.Parameters.Approvals)
			for _, c := range one.Parameters.Checks {
				r.Checks = append(r.Checks, c.Context)
			}
		}
	}
}

// falls tells whether a branch is one of those that patterns name.
func falls(patterns []string, branch string, isDefault bool) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "~ALL" || p == "~DEFAULT_BRANCH" && isDefault {
			return true
		}
		ok, _ := doublestar.Match(strings.TrimPrefix(p, "refs/heads/"), branch)
		return ok
	})
}
