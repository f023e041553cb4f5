package cli

import (
	"os"
	"path/filepath"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/verify"
)

// LoadPolicy reads the policy that the user has named, or one of the
// repository's. Keys are looked for beside the policy and may not leave its
// directory, or the repository. Its warnings are shown once, however many gates it serves.
func (s *Session) LoadPolicy(tree promote.Tree, policy string) (*verify.Policy, error) {
	p, err := s.readPolicy(tree, policy)
	if err != nil {
		return nil, err
	}
	if _, shown := s.policies.LoadOrStore(policy, true); !shown {
		for _, w := range p.Warnings() {
			s.Warn("%s", w)
		}
	}
	return p, nil
}

func (s *Session) readPolicy(tree promote.Tree, policy string) (*verify.Policy, error) {
	if s.VerifyPolicy != "" && policy == s.VerifyPolicy {
		return loadPolicyFile(s.VerifyPolicy)
	}
	return images.PoliciesIn(tree)(policy)
}

func loadPolicyFile(file string) (*verify.Policy, error) {
	data, err := ReadBounded(file)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, FileError(err)
	}
	defer root.Close()
	return verify.ParsePolicy(filepath.ToSlash(file), data, func(key string) ([]byte, error) {
		return files.Read(root, filepath.Clean(key))
	})
}
