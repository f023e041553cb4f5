package doctorcmd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/onforge"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/credentials"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// repository looks at the clone, and at what its pipeline asks for.
func (d *doctor) repository(ctx context.Context) {
	repo, err := git.Open(ctx, d.session.Repo)
	if err != nil {
		d.fails(missing, "repository", err, "git init, or -C DIR")
		return
	}
	defer repo.Close()
	d.settings(ctx, repo)
	p := d.pipeline(ctx, repo)
	if p == nil {
		return
	}
	home := places.OfClone(ctx, repo, branch.Cache{})
	defer home.Close()
	if err := home.Settle(p); err != nil {
		d.fails(unknown, "pipeline", err, "")
		return
	}
	d.gates(ctx, repo, p)
	d.forge(ctx, &cli.Workspace{Promoter: &promote.Promoter{Pipeline: p, Repo: home}, Repo: repo, Home: home})
	d.images(ctx, p, home)
}

// pipeline reads the file as the working tree has it.
func (d *doctor) pipeline(ctx context.Context, repo *git.Repo) *pipeline.Pipeline {
	at, data, err := pipeline.FileName, []byte(nil), error(nil)
	if at = cmp.Or(d.session.Pipeline, at); d.session.Pipeline != "" {
		data, err = cli.ReadBounded(at)
	} else {
		data, err = repo.ReadFile(at)
	}
	if errors.Is(err, fs.ErrNotExist) && d.session.Pipeline == "" {
		d.missing("pipeline", "kubectl promote init", "there is no %s: what is promoted where is guessed from the files, and nothing guards it", at)
		p, _, err := discover.Pipeline(ctx, repo)
		if err != nil {
			return nil // which init says
		}
		return p
	}
	var p *pipeline.Pipeline
	if err == nil {
		p, err = pipeline.Parse(at, data)
	}
	if err != nil {
		d.fails(missing, "pipeline", err, "kubectl promote lint")
		return nil
	}
	d.ok("pipeline", "%s can be read", at)
	return p
}

// gates looks for what gates and events need on this machine.
func (d *doctor) gates(ctx context.Context, repo *git.Repo, p *pipeline.Pipeline) {
	variables, runs := p.Spec.Record.Events.Variables(), false
	var contexts []string
	var see func([]pipeline.Gate)
	see = func(gates []pipeline.Gate) {
		for _, g := range gates {
			runs = runs || g.Exec != nil
			contexts = append(contexts, contextsOf(g.Health)...)
			see(g.AnyOf)
		}
	}
	for _, e := range p.Spec.Environments {
		contexts = append(contexts, contextsOf(e.Health)...)
		see(e.Gates)
		for _, g := range e.Gates {
			variables = append(variables, variablesOf(g)...)
		}
	}
	slices.Sort(variables)
	for _, name := range slices.Compact(variables) {
		if os.Getenv(name) == "" {
			d.missing("variable", "export "+name+"=VALUE", "%s is not set, which the pipeline names", name)
		} else {
			d.ok("variable", "%s is set", name)
		}
	}
	slices.Sort(contexts)
	clusters := cluster.New(cluster.Options{})
	for _, name := range slices.Compact(contexts) {
		if err := clusters.Check(name); err != nil {
			d.fails(missing, "cluster", err, "kubectl config get-contexts")
		} else {
			d.ok("cluster", "the kubeconfig has %s", cmp.Or(name, "a current context"))
		}
	}
	if !runs {
		return
	}
	switch allowed, known := d.ask(ctx, repo, "exec", "config", "--type=bool", "--get", gate.AllowExecKey); {
	case allowed == "true":
		d.ok("exec", "this clone may run the commands of gates")
	case known:
		d.missing("exec", "git config "+gate.AllowExecKey+" true", "gates run commands, and this clone may run none")
	}
}

// forge looks for the token of each forge that something is asked of.
func (d *doctor) forge(ctx context.Context, w *cli.Workspace) {
	for i := range w.Pipeline.Spec.Environments {
		e := &w.Pipeline.Spec.Environments[i]
		deploys := e.Deliver.Mode == pipeline.DeliverPush && w.Pipeline.Spec.Record.Events.Deploys()
		opens := e.Deliver.Mode == pipeline.DeliverPullRequest || slices.ContainsFunc(e.Gates, pipeline.Gate.AsksForge)
		if !deploys && !opens {
			continue
		}
		home, at, err := d.session.RemoteOf(ctx, w, e)
		if err == nil && opens {
			_, err = onforge.Open(ctx, home, at, e.Deliver, cli.UserAgent())
		}
		if err == nil && deploys {
			_, err = onforge.Deployments(ctx, home, at, e.Deliver, cli.UserAgent())
		}
		switch {
		case errors.Is(err, forge.ErrUnsupported):
			d.fails(missing, "deployments", err, "")
		case errors.Is(err, credentials.ErrNone):
			d.fails(missing, "token", err, "")
		case err != nil:
			d.fails(unknown, "token", err, "")
		default:
			d.ok("token", "there is one for the forge of %s", e.Name)
			if opens {
				d.protection(ctx, home, at, e)
			}
		}
	}
}

// protection asks the forge, with --reach, whether whoever may write to the repository may
// push past the gates of an environment.
func (d *doctor) protection(ctx context.Context, home, at *branch.Branch, e *pipeline.Environment) {
	if !d.reach {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, eachTime)
	defer cancel()
	rules, name, page, err := onforge.Protection(ctx, home, at, e.Deliver, cli.UserAgent())
	switch {
	case err != nil:
		d.fails(unknown, "protection", err, "")
	case !rules.Protected:
		d.missing("protection", "protect it at "+page, "nothing protects branch %s: whoever may write pushes past the gates", name)
	case rules.String() != "":
		d.ok("protection", "branch %s is protected (%s)", name, rules)
	default:
		d.ok("protection", "branch %s is protected", name)
	}
}

// images looks at what is pinned: which registries, and whether charts are rendered.
func (d *doctor) images(ctx context.Context, p *pipeline.Pipeline, home *places.Home) {
	sites := p.Sites(home)
	all, err := sites.All()
	if err != nil {
		d.fails(unknown, "images", err, "kubectl promote lint")
	}
	first := make(map[string]image) // by registry
	charts := false
	for _, service := range slices.Sorted(maps.Keys(all)) {
		for _, environment := range slices.Sorted(maps.Keys(all[service])) {
			for _, one := range all[service][environment] {
				f, pins, err := sites.ReadPins(one, false)
				if f != nil {
					charts = charts || bytes.Contains(f.Bytes(), []byte("helmCharts:"))
				}
				if err != nil && !errors.Is(err, pipeline.ErrNoOverlay) {
					d.fails(unknown, "images", err, "kubectl promote lint")
				}
				for _, pin := range pins {
					if i, ok := imageOf(pin); ok && first[i.repository.RegistryStr()].ref == "" {
						first[i.repository.RegistryStr()] = i
					}
				}
			}
		}
	}
	if charts {
		d.program("helm", "kustomizations render charts with it")
	}
	d.registries(ctx, first)
}

// image is one that a registry is asked about.
type image struct {
	repository name.Repository
	ref        string // tag or digest
}

func imageOf(p overlay.Pin) (image, bool) {
	if p.Type != overlay.TypeImage || !p.Known() || p.Tag+p.Digest == "" {
		return image{}, false
	}
	r, err := name.NewRepository(p.Repository())
	return image{r, cmp.Or(p.Digest, p.Tag)}, err == nil
}

// The bounds of asking: of how many at once, and for how long each.
const (
	sideBySide = 8
	eachTime   = 20 * time.Second
)

// registries looks for credentials, and with --reach asks each registry for one image.
func (d *doctor) registries(ctx context.Context, first map[string]image) {
	keys, err := d.session.Credentials()
	if err != nil {
		d.fails(missing, "registry", err, "")
		return
	}
	client, err := d.session.Registries()
	if err != nil {
		d.fails(missing, "registry", err, "")
		return
	}
	hosts := slices.Sorted(maps.Keys(first))
	found := make([]credentialsOf, len(hosts))
	places := make(chan struct{}, sideBySide)
	var wait sync.WaitGroup
	for n, host := range hosts {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(ctx, eachTime)
			defer cancel()
			i := first[host]
			c, err := keys.Find(ctx, host, i.repository.RepositoryStr())
			found[n] = credentialsOf{source: c.Source, err: err}
			if err == nil && d.reach {
				_, found[n].reached = client.Repository(i.repository).Head(ctx, i.ref)
			}
		})
	}
	wait.Wait()
	for n, host := range hosts {
		d.registry(host, first[host], found[n])
	}
}

// credentialsOf is what is known of one registry.
type credentialsOf struct {
	source       string
	err, reached error
}

func (d *doctor) registry(host string, i image, c credentialsOf) {
	login := "docker login " + shell.Quote(host)
	switch {
	case c.err != nil:
		d.fails(unknown, "registry", c.err, login)
	case errors.Is(c.reached, digest.ErrNotFound):
		d.missing("registry", "kubectl promote lint", "%s has no %s of %s, which is pinned", host, i.ref, i.repository.RepositoryStr())
	case c.reached != nil:
		d.fails(unknown, "registry", c.reached, login)
	case d.reach:
		d.ok("registry", "%s answers (credentials: %s)", host, c.source)
	default:
		d.ok("registry", "%s: credentials: %s", host, c.source)
	}
}
