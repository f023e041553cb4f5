package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/planfile"
)

// rules is what pipeline, policies and keys are read from: the head, so that nobody
// who has not committed a rule is judged by it.
type rules struct {
	tree promote.Tree

	mu        sync.Mutex
	elsewhere []promote.RuleFile
	read      map[string]string // the digests of the files that were read, by their paths
}

// use has rules read from a tree, and notes which.
func (r *rules) use(tree promote.Tree) {
	r.tree = &noting{tree, r}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = make(map[string]string)
}

func (r *rules) note(name string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[name] = planfile.Digest(data)
}

// noting is a tree that notes which of its files are read.
type noting struct {
	promote.Tree
	rules *rules
}

// ReadFile reads a file, and notes it.
func (n *noting) ReadFile(name string) ([]byte, error) {
	data, err := n.Tree.ReadFile(name)
	if err == nil {
		n.rules.note(name, data)
	}
	return data, err
}

// RulesRead are the files of the repository that rules were read from since it was opened.
func (s *Session) RulesRead() []planfile.Rule {
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	var out []planfile.Rule
	for name, digest := range s.rules.read {
		out = append(out, planfile.Rule{Name: name, Digest: digest})
	}
	return out
}

// from notes a file that the user has named in place of what is committed. It is
// called by its last element: directories of this machine are nobody's business.
func (r *rules) from(kind, file string, data []byte) {
	f := promote.RuleFile{Kind: kind, Name: filepath.Base(file), Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(data))}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.elsewhere, f) {
		r.elsewhere = append(r.elsewhere, f)
	}
}

func (r *rules) files() []promote.RuleFile {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.elsewhere)
}

// readRules gives the promoter its pipeline: the one named, or the one that is
// committed, or else what the repository looks like. A pipeline file that is in no
// commit yet serves for everything but a commit.
func (s *Session) readRules(ctx context.Context, p *promote.Promoter, repo *git.Repo) error {
	head, err := repo.Head(ctx)
	if err != nil {
		return err
	}
	s.rules.use(repo)
	if head != nil {
		s.rules.use(&committed{Tree: head, ctx: ctx, repo: repo, session: s})
		p.Rules.Commit = head.Commit()
	}
	if s.Pipeline != "" {
		return s.readNamed(p)
	}
	name := cmp.Or(s.file, pipeline.FileName)
	data, err := s.rules.tree.ReadFile(name)
	if errors.Is(err, errNotCommitted) || err == nil && head == nil {
		s.rules.use(repo)
		p.Rules.Uncommitted = name
		data, err = s.rules.tree.ReadFile(name)
		s.Warn("%s is not committed: until it is, the rules of the working tree are shown, and nothing is committed by them", name)
	}
	return s.takeRules(ctx, p, repo, repo.Root(), data, err)
}

// readRulesOf does the same on a branch, whatever the working tree has. At is where it is.
func (s *Session) readRulesOf(ctx context.Context, p *promote.Promoter, b *branch.Branch, at string) error {
	s.rules.use(b)
	p.Rules.Commit = b.Tip()
	if s.Pipeline != "" {
		return s.readNamed(p)
	}
	data, err := s.rules.tree.ReadFile(cmp.Or(s.file, pipeline.FileName))
	if errors.Is(err, fs.ErrNotExist) && s.file == "" {
		if err := b.FetchAll(ctx); err != nil { // there is no telling where to look
			return err
		}
	}
	return s.takeRules(ctx, p, b, at, data, err)
}

// readNamed reads the pipeline file that the user has named.
func (s *Session) readNamed(p *promote.Promoter) error {
	p.Rules.Elsewhere = s.rules.files
	data, err := ReadBounded(s.Pipeline)
	if err != nil {
		return err
	}
	s.rules.from("pipeline", s.Pipeline, data)
	p.Pipeline, err = pipeline.Parse(s.Pipeline, data)
	return err
}

// takeRules parses the pipeline file, or discovers what the tree looks like where there
// is none. At is where the tree is.
func (s *Session) takeRules(ctx context.Context, p *promote.Promoter, tree promote.Tree, at string, data []byte, err error) error {
	p.Rules.Elsewhere = s.rules.files
	if errors.Is(err, fs.ErrNotExist) && s.file == "" {
		var left []discover.Leftover
		p.Pipeline, left, err = discover.Pipeline(ctx, tree)
		if err != nil {
			err = fmt.Errorf("%s: %w", at, err) // where it was looked for
		}
		if err == nil {
			p.Pipeline.Metadata.Name = PipelineName(at)
			s.Note("no %s: the layout found is %s", pipeline.FileName, p.Pipeline.Spec.Layout)
		}
		tell := s.Note
		if err != nil {
			tell = s.Warn // there is nothing else to go by
		}
		for _, l := range left {
			tell("%s: %s", l.Path, l.Reason)
		}
		return err
	}
	if err != nil {
		return err
	}
	p.Pipeline, err = pipeline.Parse(cmp.Or(s.file, pipeline.FileName), data)
	return err
}

// PipelineName names a pipeline, and the one service that nothing else names, as the
// folder of its repository, in letters that a name may have.
func PipelineName(root string) string {
	name := strings.TrimLeft(notInNames().ReplaceAllString(strings.TrimSuffix(path.Base(filepath.ToSlash(root)), ".git"), "-"), "-._")
	return cmp.Or(name[:min(len(name), 63)], "repository")
}

var notInNames = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9._-]+`) })

// errNotCommitted says that the working tree has a file that the commit lacks.
var errNotCommitted = errors.New("not committed")

// committed is the files of the head. Where the working tree has something else, that
// is said, as whoever has just changed it may expect it to count.
type committed struct {
	*git.Tree
	ctx     context.Context
	repo    *git.Repo
	session *Session
	said    sync.Map
}

// ReadFile reads what is committed.
func (c *committed) ReadFile(name string) ([]byte, error) {
	data, err := c.Tree.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	there, terr := c.repo.ReadFile(name)
	switch {
	case err != nil && terr == nil:
		return nil, &promote.Error{Msg: name, Err: errNotCommitted, Hint: "git add " + shell.Pathspecs(name) + " && git commit " + shell.Pathspecs(name)}
	case err != nil:
		return nil, err
	case terr == nil && bytes.Equal(there, data):
		return data, nil
	}
	if how := c.differs(name); how != "" {
		if _, said := c.said.LoadOrStore(name, true); !said {
			c.session.Warn("%s differs from commit %.9s (%s): what is committed counts", name, c.Commit(), how)
		}
	}
	return data, nil
}

// differs says how a file of the working tree differs; a filter makes no difference.
func (c *committed) differs(name string) string {
	state, err := c.repo.State(c.ctx, []string{name})
	if err != nil {
		return "not readable"
	}
	return state.Dirty[name]
}
