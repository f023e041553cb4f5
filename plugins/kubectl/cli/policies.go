package cli

import (
	"os"
	"path/filepath"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/verify"
)

// LoadPolicy reads the policy that the user has named, or one of those that are
// committed. Keys are looked for beside the policy and may not leave its
// directory, or the repository. Its warnings are shown once, however many gates it
// serves.
func (s *Session) LoadPolicy(policy string) (*verify.Policy, error) {
	p, err := s.readPolicy(policy)
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

func (s *Session) readPolicy(policy string) (*verify.Policy, error) {
	if s.VerifyPolicy != "" && policy == s.VerifyPolicy {
		return s.loadPolicyFile(s.VerifyPolicy)
	}
	return images.PoliciesIn(s.rules.tree)(policy)
}

func (s *Session) loadPolicyFile(file string) (*verify.Policy, error) {
	data, err := ReadBounded(file)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, FileError(err)
	}
	defer root.Close()
	s.rules.from("policy", file, data)
	return verify.ParsePolicy(filepath.ToSlash(file), data, func(key string) ([]byte, error) {
		found, err := files.Read(root, filepath.Clean(key))
		if err == nil {
			s.rules.from("key", key, found)
		}
		return found, renamed(err, key)
	})
}
