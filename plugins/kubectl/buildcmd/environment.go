package buildcmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// demands is what the pipeline demands of images that go to an environment.
type demands struct {
	repo        *git.Repo // policies are read from it
	verifier    promote.Verifier
	policy      string
	environment string
	service     string   // empty where it is not known
	fields      []string // images that are in no pod spec
}

// close lets go of the repository.
func (d *demands) close() {
	if d != nil {
		_ = d.repo.Close() // it was only read from
	}
}

// judge asks about all images of what was built. Nil demands nothing.
func (d *demands) judge(ctx context.Context, m resmap.ResMap) (framework.Results, error) {
	if d == nil {
		return nil, nil
	}
	var items []*yaml.RNode
	for _, r := range m.Resources() {
		items = append(items, &r.RNode)
	}
	return kustomize.Judge(items, d.fields, func(refs []string) ([]promote.Verification, error) {
		return d.verifier.Verify(ctx, promote.VerifyRequest{Policy: d.policy, Images: refs, Services: slices.Repeat([]string{d.service}, len(refs)), Environment: d.environment}, func() {})
	})
}

// place finds the directory to build, or objects in place of it, and what is demanded of
// them. With --env, an argument that is no path names a service.
func (o *options) place(ctx context.Context, arg string) (dir string, all []objects.Object, d *demands, err error) {
	service := o.env != "" && arg != "" && arg != "." && !strings.ContainsAny(arg, `/\`) && !isKustomization(arg)
	if dir = arg; arg == "" {
		dir = o.session.Repo
	}
	if !service {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return "", nil, nil, &cli.UsageError{Msg: "not a directory: " + dir, Hint: "give the directory of a kustomization; clone what is elsewhere first"}
		}
		o.session.Repo = dir // the pipeline is that of the directory's repository
		if repo, err := git.Open(ctx, dir); err != nil {
			return dir, nil, nil, o.unversioned(dir, err)
		} else if err := repo.Close(); err != nil {
			return "", nil, nil, err
		}
	}
	p, repo, err := o.session.Open(ctx)
	if errors.Is(err, promote.ErrNoPipeline) && !service && o.env == "" && o.session.VerifyPolicy == "" {
		return dir, nil, nil, nil
	}
	if err != nil {
		return "", nil, nil, err
	}
	d = &demands{repo: repo, verifier: p.Verifier, policy: o.session.VerifyPolicy}
	for _, i := range p.Pipeline.Spec.Images {
		d.fields = append(d.fields, i.Path)
	}
	if dir, all, err = o.demanded(ctx, d, p, dir, service); err != nil || d.policy == "" {
		d.close()
		return dir, all, nil, err
	}
	return dir, all, d, nil
}

// isKustomization tells whether a directory has a kustomization file: it is what is
// built then, and no service of that name.
func isKustomization(dir string) bool {
	_, err := cli.FindKustomization(dir)
	return err == nil
}

// demanded fills in the policy that holds for a directory or, by its name, for a
// service, and gives the directory, or the objects in place of it.
func (o *options) demanded(ctx context.Context, d *demands, p *promote.Promoter, dir string, service bool) (string, []objects.Object, error) {
	env, of, err := o.environment(p.Pipeline, d.repo, dir)
	if err != nil {
		return "", nil, err
	}
	if service {
		of = dir
	}
	d.service, o.Service = of, of
	if env != nil {
		d.environment, o.Environment = env.Name, env.Name
		if d.policy == "" && env.Verify != nil {
			d.policy = env.Verify.Policy
		}
	}
	if !service {
		return dir, nil, nil
	}
	return o.serviceDir(ctx, d, p, dir)
}

// environment finds the environment that is built: the one named, or else the one
// that the directory is part of, by the path given or the one that it leads to. Nil
// is none. The service is the one that the directory is part of.
func (o *options) environment(p *pipeline.Pipeline, repo *git.Repo, dir string) (e *pipeline.Environment, service string, err error) {
	paths := []string{repo.Prefix()}
	if abs, err := filepath.Abs(dir); err == nil {
		if rel, err := filepath.Rel(repo.Root(), abs); err == nil {
			paths = append(paths, filepath.ToSlash(rel))
		}
	}
	for _, path := range paths {
		var ok bool
		if e, service, ok = p.EnvironmentOf(path); ok {
			break
		}
	}
	if o.env != "" {
		e, err = p.Environment(o.env)
	}
	return e, service, err
}

// unversioned is for a directory that is in no Git repository, where there are no
// rules: promotion.yaml may stand there to say where a tree ends. One that demands
// something is not passed over, nor is what was asked for.
func (o *options) unversioned(dir string, cause error) error {
	if o.env != "" || o.session.VerifyPolicy != "" {
		return cause
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return cli.FileError(err)
	}
	for up := abs; ; up = filepath.Dir(up) {
		file := filepath.Join(up, pipeline.FileName)
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			data, err := cli.ReadBounded(file)
			if err != nil {
				return err
			}
			p, err := pipeline.Parse(file, data)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(up, abs)
			if err != nil {
				return cli.FileError(err)
			}
			if e, _, ok := p.EnvironmentOf(filepath.ToSlash(rel)); ok && e.Verify != nil {
				return cause
			}
			return nil
		} else if err == nil || up == filepath.Dir(up) {
			return nil
		}
	}
}
