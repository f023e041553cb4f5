package kubectl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/verify"
)

// userAgent is sent to registries.
func userAgent() string {
	return "kubectl-promote/" + buildVersion() + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}

// open opens the repository and makes a promoter for it. The caller closes the
// repository.
func (s *session) open(ctx context.Context) (*promote.Promoter, *git.Repo, error) {
	repo, err := git.Open(ctx, s.repo)
	if err != nil {
		return nil, nil, err
	}
	p := &promote.Promoter{Repo: repo, Progress: s.newProgress().show}
	if p.Pipeline, err = s.loadPipeline(repo); err != nil {
		return nil, nil, errors.Join(err, repo.Close())
	}
	if !s.offline {
		if err := s.reachRegistries(p, repo); err != nil {
			return nil, nil, errors.Join(err, repo.Close())
		}
	}
	return p, repo, nil
}

// reachRegistries lets a promoter ask registries, all over one transport.
func (s *session) reachRegistries(p *promote.Promoter, repo *git.Repo) error {
	r, err := s.newResolver()
	if err != nil {
		return err
	}
	v, err := s.newVerifier("")
	if err != nil {
		return err
	}
	p.Resolver = &resolver{r}
	p.Verifier = &verifier{session: s, repo: repo, verify: v}
	return nil
}

// newVerifier makes a verifier on the shared transport; layoutName is the repository
// that images in OCI layouts are of.
func (s *session) newVerifier(layoutName string) (*verify.Verifier, error) {
	t, err := s.registries.open()
	if err != nil {
		return nil, err
	}
	return verify.New(verify.Options{Transport: s.cached(t), TransportAuthenticates: true, LayoutName: layoutName}), nil
}

// loadPipeline reads the pipeline file, or discovers what the repository holds.
func (s *session) loadPipeline(repo *git.Repo) (*promote.Pipeline, error) {
	if s.pipeline != "" {
		data, err := readBounded(s.pipeline)
		if err != nil {
			return nil, err
		}
		return promote.ParsePipeline(s.pipeline, data)
	}
	data, err := repo.ReadFile(promote.PipelineFile)
	if errors.Is(err, os.ErrNotExist) {
		return promote.Discover(repo)
	}
	if err != nil {
		return nil, err
	}
	return promote.ParsePipeline(promote.PipelineFile, data)
}

// readBounded reads a small file that the user has named.
func readBounded(file string) ([]byte, error) {
	const most = 1 << 20
	f, err := os.Open(file)
	if err != nil {
		return nil, fileError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, fileError(err)
	case len(data) > most:
		return nil, &promote.Error{Msg: file + " is larger than 1 MiB"}
	}
	return data, nil
}

// fileError says what is wrong with a file the way the other messages do.
func fileError(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return &promote.Error{Msg: p.Path, Err: p.Err}
	}
	return err
}

// resolver gives digest's answers in the domain's terms.
type resolver struct{ digest *digest.Resolver }

func (r *resolver) Resolve(ctx context.Context, refs []string, done func()) []promote.Resolution {
	out := make([]promote.Resolution, len(refs))
	for i, res := range r.digest.ResolveAll(ctx, refs, func(digest.Result) { done() }) {
		out[i] = promote.Resolution{Answer: promote.Pass, Digest: res.Digest, TagDigest: res.TagDigest}
		switch {
		case errors.Is(res.Err, digest.ErrNotFound), errors.Is(res.Err, digest.ErrMalformed):
			out[i] = promote.Resolution{Answer: promote.Fail, Reason: res.Err.Error()}
		case res.Err != nil:
			out[i] = promote.Resolution{Answer: promote.Unknown, Reason: res.Err.Error()}
		}
	}
	return out
}

// verifier gives verify's answers in the domain's terms.
type verifier struct {
	session *session
	repo    promote.Tree
	verify  *verify.Verifier
}

// verifyBatch is how many images are verified before progress is shown.
const verifyBatch = 32

func (v *verifier) Verify(ctx context.Context, req promote.VerifyRequest, done func()) ([]promote.Verification, error) {
	p, err := v.session.loadPolicy(v.repo, req.Policy)
	if err != nil {
		return nil, err
	}
	p = p.For(req.Environment)
	if req.Promoted != "" {
		p = p.Promoted(req.Promoted)
	}
	var out []promote.Verification
	for start := 0; start < len(req.Images); start += verifyBatch {
		batch := req.Images[start:min(start+verifyBatch, len(req.Images))]
		for _, r := range v.verify.Verify(ctx, p, batch...) {
			out = append(out, verification(r))
			done()
		}
	}
	return out, nil
}

func verification(r verify.Result) promote.Verification {
	v := promote.Verification{Image: r.Image, Answer: promote.Unknown, Reason: r.Reason, Warnings: r.Warnings}
	switch {
	case r.Outcome == verify.Verified:
		v.Answer = promote.Pass
	case r.Warned:
		v.Answer, v.Override = promote.Pass, "let through by a rule in warn mode"
	case r.Outcome == verify.Rejected:
		v.Answer = promote.Fail
	}
	for _, e := range r.Evidence {
		found := promote.Evidence{
			Authority: e.Authority, Kind: e.Kind, KeyID: e.KeyID, Subject: e.Subject, Issuer: e.Issuer, Storage: e.Storage,
			Payload: e.Payload, PredicateType: e.PredicateType, Location: e.Location, Time: e.Time,
		}
		for _, l := range e.Logs {
			found.Logs = append(found.Logs, fmt.Sprintf("%s/%d", l.LogID, l.Index))
		}
		v.Evidence = append(v.Evidence, found)
	}
	return v
}

// loadPolicy reads the policy that the user has named, or one of the
// repository's. Keys
// are looked for beside the policy and may not leave its directory, or the
// repository. Its warnings are shown once, however many gates it serves.
func (s *session) loadPolicy(tree promote.Tree, policy string) (*verify.Policy, error) {
	p, err := s.readPolicy(tree, policy)
	if err != nil {
		return nil, err
	}
	if _, shown := s.policies.LoadOrStore(policy, true); !shown {
		for _, w := range p.Warnings() {
			s.warn("%s", w)
		}
	}
	return p, nil
}

func (s *session) readPolicy(tree promote.Tree, policy string) (*verify.Policy, error) {
	if s.verifyPolicy != "" && policy == s.verifyPolicy {
		return loadPolicyFile(s.verifyPolicy)
	}
	data, err := tree.ReadFile(policy)
	if err != nil {
		return nil, &promote.Error{Msg: "the verification policy " + policy + " cannot be read", Err: err}
	}
	return verify.ParsePolicy(policy, data, func(key string) ([]byte, error) {
		return tree.ReadFile(path.Join(path.Dir(policy), filepath.ToSlash(key)))
	})
}

func loadPolicyFile(file string) (*verify.Policy, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, fileError(err)
	}
	defer root.Close()
	return verify.ParsePolicy(filepath.ToSlash(file), data, func(key string) ([]byte, error) {
		found, err := root.ReadFile(key)
		return found, renamed(err, key)
	})
}
