// Package democmd implements kubectl promote demo: the main job on a fresh repository
// and on a registry of its own, a command line after the other, as a user would
// type them.
package democmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/examples/ecommerce"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/internal/loopback"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const long = `Do the main job, whole, in a temporary folder.

An OCI registry is started on the loopback interface and filled with signed
images. A Git repository is made with five services of a shop in three
environments. All services are promoted from dev to staging to production. Then
one promotion is refused, because of a signature by another key, and one ends
unknown, because the registry is gone. The folder is left to be looked at.

Production has gates, and its overlays list the validator VerifyImages: kubectl promote
build fails there on an image that is unsigned or has no digest.

With --serve the registry stays until ctrl-C in place of going, with a newer build in it:
promotions go on in the folder for as long.`

// maxDemoServices bounds what --services makes on disk and in memory.
const maxDemoServices = 1000

// New makes the command; runLine is what runs the command lines that it shows.
func New(s *cli.Session, runLine func(context.Context, []string, genericiooptions.IOStreams) int) *cobra.Command {
	d := &demo{Session: s, runLine: runLine}
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Show the main job on a fresh repository and registry",
		Long:    long,
		Example: "  # the whole job, in a new temporary folder\n  kubectl promote demo\n\n  # with more services, in a folder of your choice\n  kubectl promote demo --services 50 --dir /tmp/shop\n\n  # to go on by hand in another terminal, until ctrl-C\n  kubectl promote demo --serve",
		GroupID: cli.GroupOther,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	cmd.Flags().IntVar(&d.services, "services", 5, "how many services the shop has")
	cmd.Flags().BoolVar(&d.serve, "serve", false, "keep the registry until ctrl-C, so that promotions go on in the folder")
	cmd.Flags().StringVar(&d.dir, "dir", "", "folder for the repository; it must be empty or not exist (default: a new temporary folder)")
	cli.Must(cmd.MarkFlagDirname("dir"))
	return cmd
}

// demo carries one run of the demonstration.
type demo struct {
	*cli.Session
	runLine  func(context.Context, []string, genericiooptions.IOStreams) int
	services int
	serve    bool
	dir      string

	release  *loopback.Key
	registry *loopback.Registry
	names    []string // of the services
	images   []string // repositories below the registry, for example shop/cart
}

func (d *demo) run(ctx context.Context) error {
	if d.services < 1 || d.services > maxDemoServices {
		return &cli.UsageError{Msg: fmt.Sprintf("--services is %d, not between 1 and %d", d.services, maxDemoServices), Command: "kubectl promote demo"}
	}
	var err error
	if d.registry, err = loopback.Start(nil); err != nil {
		return err
	}
	defer d.registry.Stop()
	last := d.unknown
	if d.serve {
		last = d.goOn
	}
	for _, step := range []func(context.Context) error{d.prepare, d.promoteAll, d.show, d.refused, last} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if d.serve {
		<-ctx.Done()
		return cli.Silent(cli.ExitInterrupted)
	}
	d.say("The repository is in %s. Try there:", d.dir)
	fmt.Fprintf(d.Out, `
  cd %s
  git log -p -1
  kubectl promote status -o wide
  kubectl promote history %s
  kubectl promote images -k apps/%s/overlays/production -o wide
`, d.dir, d.names[0], d.names[0])
	return nil
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.Out, "\n# "+format+"\n", args...)
}

// prepare makes the repository, the images and their signatures.
func (d *demo) prepare(ctx context.Context) error {
	if err := d.makeFolder(); err != nil {
		return err
	}
	d.say("A registry runs on %s; its images are signed with a fresh key, %s.", d.registry.Host, "policies/cosign.pub")
	if err := d.writeRepository(); err != nil {
		return err
	}
	var err error
	if d.release, err = loopback.NewKey(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, "policies", "cosign.pub"), d.release.Public, 0o644); err != nil {
		return cli.FileError(err)
	}
	for _, image := range d.images {
		for _, tag := range []string{"v1.0.0", "v1.1.0"} {
			if _, err := d.registry.Push(ctx, image, tag, d.release); err != nil {
				return err
			}
		}
	}
	d.say("The repository of a shop with %d services: dev runs v1.1.0, staging and production v1.0.0.", len(d.names))
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "user.name", "Demo"},
		{"config", "user.email", "demo@example.com"},
		{"add", "--all"},
		{"commit", "--quiet", "--message=the shop's infrastructure"},
	} {
		if err := d.git(ctx, args...); err != nil {
			return err
		}
	}
	return d.command(ctx, cli.ExitDone, "status")
}

func (d *demo) makeFolder() error {
	if d.dir == "" {
		dir, err := os.MkdirTemp("", "kubepromote-demo-")
		d.dir = dir
		return cli.FileError(err)
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return cli.FileError(err)
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return cli.FileError(err)
	}
	if len(entries) > 0 {
		return &promote.Error{Msg: d.dir + " is not empty", Hint: "give a folder that is empty or does not exist"}
	}
	d.dir, err = filepath.Abs(d.dir)
	return cli.FileError(err)
}

// writeRepository copies the example, with the registry's address in place of
// the example's, and with further services that are copies of the first ones.
func (d *demo) writeRepository() error {
	const top = "repository"
	apps, err := fs.ReadDir(ecommerce.Repository, path.Join(top, "apps"))
	if err != nil {
		return err
	}
	originals := make(map[string][]string)
	for i := range d.services {
		from := apps[i%len(apps)].Name()
		name := from
		if i >= len(apps) {
			name = fmt.Sprintf("%s-%d", from, i/len(apps)+1)
		}
		originals[from] = append(originals[from], name)
		d.names = append(d.names, name)
	}
	slices.Sort(d.names)
	return fs.WalkDir(ecommerce.Repository, top, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(ecommerce.Repository, file)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(data), ecommerce.Registry, d.registry.Host)
		rel := strings.TrimPrefix(file, top+"/")
		parts := strings.SplitN(rel, "/", 3)
		if rel == pipeline.FileName {
			text += productionGates // production is the last one of the file
		}
		if parts[0] != "apps" {
			return d.write(rel, text)
		}
		for _, name := range originals[parts[1]] {
			if err := d.writeService(parts[1], name, parts[2], text); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *demo) writeService(from, name, rest, text string) error {
	if name != from {
		text = strings.NewReplacer("shop/"+from, "shop/"+name, "name: "+from+"\n", "name: "+name+"\n", "app: "+from, "app: "+name).Replace(text)
	}
	if rest == "overlays/dev/kustomization.yaml" {
		for line := range strings.Lines(text) {
			if _, image, ok := strings.Cut(line, "newName: "+d.registry.Host+"/"); ok {
				image, _, _ = strings.Cut(image, ",")
				d.images = append(d.images, image)
			}
		}
	}
	if rest == "overlays/production/kustomization.yaml" {
		if err := d.write(path.Join("apps", name, "overlays/production/verify-images.yaml"), verifyImages); err != nil {
			return err
		}
		text += "\nvalidators: # what is unsigned or has no digest is not built\n- verify-images.yaml\n"
	}
	return d.write(path.Join("apps", name, rest), text)
}

const verifyImages = `apiVersion: kubepromote.dev/v1alpha1
kind: VerifyImages
metadata:
  name: verify-images
  annotations:
    config.kubernetes.io/function: |
      exec: {path: promote-fn}
spec:
  policy: ../../../../policies/images.yaml
  registry: true
`

// productionGates are those of the demo's production: they ask nobody but the repository.
const productionGates = `    gates:
    - rendered: {only: [image]} # a promotion changes the images, and nothing else
    - references: {} # what the objects name is there
`

func (d *demo) write(file, text string) error {
	full := filepath.Join(d.dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return cli.FileError(err)
	}
	return cli.FileError(os.WriteFile(full, []byte(text), 0o644))
}

// promoteAll takes all services through all environments.
func (d *demo) promoteAll(ctx context.Context) error {
	d.say("From dev to staging: tags become digests, signatures are verified, all services are one commit.")
	if err := d.command(ctx, cli.ExitDone, "--all", "--to", "staging"); err != nil {
		return err
	}
	d.say("What production's gates say of %s: they are asked at each promotion.", d.names[0])
	if err := d.command(ctx, cli.ExitDone, "gates", d.names[0], "--to", "production"); err != nil {
		return err
	}
	d.say("From staging to production: the same digests.")
	return d.command(ctx, cli.ExitDone, "--all", "--to", "production")
}

// show prints the diff of one service and the board.
func (d *demo) show(ctx context.Context) error {
	d.say("What changed in production for %s: one line.", d.names[0])
	if err := d.git(ctx, "--no-pager", "show", "--format=%s", "HEAD", "--", "apps/"+d.names[0]); err != nil {
		return err
	}
	d.say("What runs where now.")
	return d.command(ctx, cli.ExitDone, "status", "-o", "wide")
}

// refused promotes an image that is signed by somebody else.
func (d *demo) refused(ctx context.Context) error {
	name := d.names[0]
	d.say("Somebody else's image: %s v1.2.0 is signed, but not with the key of the policy.", name)
	other, err := loopback.NewKey()
	if err != nil {
		return err
	}
	if _, err := d.registry.Push(ctx, "shop/"+name, "v1.2.0", other); err != nil {
		return err
	}
	if err := d.command(ctx, cli.ExitDone, "set", "shop/"+name+"=*:v1.2.0", "-k", filepath.Join(d.dir, "apps", name, "overlays", "dev")); err != nil {
		return err
	}
	if err := d.git(ctx, "commit", "--quiet", "--all", "--message=dev: "+name+" v1.2.0"); err != nil {
		return err
	}
	return d.command(ctx, cli.ExitRefused, name, "--to", "staging")
}

// unknown promotes while the registry is gone.
func (d *demo) unknown(ctx context.Context) error {
	d.registry.Stop()
	d.say("The registry is stopped: whether %s may be promoted cannot be told, and that is no yes.", d.names[0])
	return d.command(ctx, cli.ExitUnknown, d.names[0], "--to", "staging")
}

// goOn says what can be done for as long as the registry is there.
func (d *demo) goOn(ctx context.Context) error {
	name := d.names[min(1, len(d.names)-1)]
	for _, image := range d.images {
		if image != "shop/"+name && !strings.HasPrefix(image, "shop/"+name+"-migrations") {
			continue
		}
		if _, err := d.registry.Push(ctx, image, "v1.3.0", d.release); err != nil {
			return err
		}
	}
	d.say("The registry runs on %s until ctrl-C, and has a build of %s that was not promoted yet. In another terminal:", d.registry.Host, name)
	fmt.Fprintf(d.Out, `
  cd %[1]s
  kubectl promote %[2]s --to dev --version v1.3.0 --commit
  kubectl promote %[2]s --to staging
  kubectl promote plan %[2]s --to production
  kubectl promote %[2]s --to production
  kubectl promote build apps/%[2]s/overlays/production
  kubectl promote rollback %[2]s --env production --reason 'v1.3.0 loses orders'
  kubectl promote board -i
`, shell.Quote(d.dir), name)
	return nil
}

// command runs a command line on the demo's repository, prints it as a user
// would type it, and expects an exit status.
func (d *demo) command(ctx context.Context, want int, args ...string) error {
	var words []string
	for _, a := range args {
		words = append(words, shell.Quote(strings.TrimPrefix(a, d.dir+string(filepath.Separator))))
	}
	shown := strings.Join(words, " ")
	fmt.Fprintf(d.Out, "$ kubectl promote %s\n", shown)
	streams := d.IOStreams
	streams.ErrOut = d.Out // so that the order of the lines is that of the events
	got := d.runLine(ctx, append([]string{"-C", d.dir}, args...), streams)
	if got != cli.ExitDone {
		fmt.Fprintf(d.Out, "(exit status %d)\n", got)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if got != want {
		return &promote.Error{Msg: fmt.Sprintf("the demo expected exit status %d and got %d", want, got), Hint: "look at " + d.dir}
	}
	return nil
}

// git runs git in the demo's repository, and prints that as well.
func (d *demo) git(ctx context.Context, args ...string) error {
	var words []string
	for _, a := range args {
		words = append(words, shell.Quote(a))
	}
	fmt.Fprintf(d.Out, "$ git %s\n", strings.Join(words, " "))
	c := exec.CommandContext(ctx, "git", append([]string{"-C", d.dir}, args...)...)
	c.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	out, err := c.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return &promote.Error{Msg: "git is not installed"}
	}
	if err != nil {
		return &promote.Error{Msg: fmt.Sprintf("git %s: %s", args[0], strings.TrimSpace(string(out))), Err: err}
	}
	_, err = d.Out.Write(out)
	return err
}
