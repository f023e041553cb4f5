package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/kubepromote/kubepromote/e2e/internal/gitea"
	"github.com/kubepromote/kubepromote/e2e/internal/peers"
	"go.yaml.in/yaml/v3"
)

// container is one of a manifest.
type container struct {
	Command, Args []string
	Env           []struct{ Name, Value string }
}

// The pods of the Indexed Job run as processes side by side, with the environment that
// Kubernetes would give them, against one Gitea and one registry: credentials come from the
// mounted folder alone. That Kubernetes takes the manifest is shown in cluster/: here it is
// what the pods do. Every service lands once, on one line of history.
func TestFleetJob(t *testing.T) {
	var job struct {
		Spec struct {
			Completions int
			Template    struct {
				Spec struct{ Containers []container }
			}
		}
	}
	if err := yaml.NewDecoder(strings.NewReader(read(t, "../examples/fleet/job.yaml"))).Decode(&job); err != nil {
		t.Fatal(err)
	}
	pods := job.Spec.Completions
	pod := job.Spec.Template.Spec.Containers[0]
	f := newFleet(t, 24)
	url, credentials := f.onGitea(t)
	var done sync.WaitGroup
	for k := range pods {
		s := f.in(f.dir)
		s.env = append(append([]string{}, f.env...), fmt.Sprintf("JOB_COMPLETION_INDEX=%d", k), "XDG_CACHE_HOME="+filepath.Join(f.caches, fmt.Sprint(k)),
			"HOME="+credentials, "GIT_CONFIG_GLOBAL="+filepath.Join(credentials, ".gitconfig"))
		for _, v := range pod.Env {
			value := map[string]string{"REPOSITORY": url, "RESULTS": f.results}[v.Name]
			switch {
			case v.Name == "HOME" || v.Name == "XDG_CACHE_HOME": // of this machine
				continue
			case value == "":
				value = v.Value
			}
			s.env = append(s.env, v.Name+"="+value)
		}
		done.Go(func() {
			if status, _, stderr := s.try(pod.Command[0], append(pod.Command[1:], pod.Args...)...); status != 0 {
				t.Errorf("pod %d: exit status %d\n%s", k, status, stderr)
			}
		})
	}
	done.Wait()
	out := f.run("kubectl-promote", "report", f.results)
	if n := len(regexp.MustCompile(`(?m)^\d/8 .* 0$`).FindAllString(out, -1)); n != pods {
		t.Errorf("%d of %d shards are reported as done\n%s", n, pods, out)
	}
	f.in(f.remote).run("git", "fetch", "--quiet", url, "+main:main")
	status, stdout, stderr := f.try("kubectl-promote", "plan", "-C", "file://"+f.remote, "--all", "--to", "staging", "-o", "jsonpath={.items[*].changed}")
	if status != 0 || strings.Contains(stdout, "true") || strings.Count(stdout, "false") != f.services {
		t.Errorf("something is left: %d %s\n%s", status, stdout, stderr)
	}
	if merges := f.in(f.remote).run("git", "rev-list", "--merges", "main"); merges != "" {
		t.Errorf("the history is not one line: %s", merges)
	}
}

// onGitea has the fleet's repository on a Gitea, where everybody may read it, and gives its URL
// and the folder that the pods have mounted: who they are, and a token that may push.
func (f *fleet) onGitea(t *testing.T) (url, credentials string) {
	t.Helper()
	static, err := peers.GiteaSources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server, err := gitea.Start(t.Context(), gitea.Options{Program: filepath.Join(bin, peers.Gitea), Static: static})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	token, err := server.User(t.Context(), "robot", "write:repository")
	if err != nil {
		t.Fatal(err)
	}
	if url, err = server.Repository(t.Context(), "robot", "infra", true); err != nil {
		t.Fatal(err)
	}
	with := server.RemoteWith("robot", "infra", "robot", token)
	f.run("git", "push", "--quiet", with, "HEAD:main")
	credentials = t.TempDir()
	write(t, filepath.Join(credentials, ".gitconfig"), "[user]\n\tname = Robot\n\temail = robot@example.com\n[credential]\n\thelper = store\n")
	write(t, filepath.Join(credentials, ".git-credentials"), strings.TrimSuffix(with, "/robot/infra.git")+"\n")
	return url, credentials
}

// What the engines run is the same command: its flags are those of the program.
func TestFleetEngines(t *testing.T) {
	f := newFleet(t, 6)
	for _, file := range []string{"../examples/fleet/workflowtemplate.yaml", "../examples/fleet/pipeline.yaml"} {
		command := regexp.MustCompile(`args: \['(exec kubectl-promote [^']*)'\]`).FindStringSubmatch(read(t, file))
		if command == nil {
			t.Fatalf("%s has no command of a shard", file)
		}
		results := t.TempDir()
		text := strings.ReplaceAll(command[1], "/results/", results+"/")
		s := f.in(f.dir)
		s.env = append(append([]string{}, f.env...), "INDEX=1", "SHARDS=2", "TARGET=staging", "REPOSITORY=file://"+f.remote, "RESULTS="+results)
		s.exits(0, "sh", "-c", text)
		if _, err := os.Stat(filepath.Join(results, "1.json")); err != nil {
			t.Error(err)
		}
		s.exits(5, "kubectl-promote", "report", results) // the other shard is missing
	}
}

// fleet is a repository of services, with a registry.
type fleet struct {
	*shell
	remote, results, caches string
	services                int
}

func newFleet(t *testing.T, services int) *fleet {
	t.Helper()
	r := startRegistry(t)
	f := &fleet{shell: newShell(t, t.TempDir()), remote: filepath.Join(t.TempDir(), "infra.git"), results: t.TempDir(), caches: t.TempDir(), services: services}
	f.env = append(f.env, "no_proxy=127.0.0.1") // git asks the proxy for this machine too
	layer := filepath.Join(t.TempDir(), "layer.tar")
	ref := r.Host + "/" + ciImage
	if err := writeLayer(layer, ref); err != nil {
		t.Fatal(err)
	}
	f.run("crane", "append", "--oci-empty-base", "--new_layer", layer, "--new_tag", ref+":v1.1.0")
	digest := strings.TrimSpace(f.run("crane", "digest", ref+":v1.1.0"))
	write(t, filepath.Join(f.dir, "promotion.yaml"), `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
metadata: {name: fleet}
spec:
  environments:
  - name: dev
  - name: staging
    from: [dev]
  services:
  - {name: service-3, dependsOn: [service-1]}
`)
	for i := range services {
		name := fmt.Sprintf("service-%d", i)
		at := filepath.Join(f.dir, "apps", name, "overlays")
		write(t, filepath.Join(at, "dev/kustomization.yaml"), fmt.Sprintf("images:\n- {name: app, newName: %s, newTag: v1.1.0, digest: %q}\n", ref, digest))
		write(t, filepath.Join(at, "staging/kustomization.yaml"), fmt.Sprintf("images:\n- {name: app, newName: %s, newTag: v1.0.0}\n", ref))
	}
	f.run("git", "init", "--quiet", "--initial-branch=main")
	f.run("git", "add", "--all")
	f.run("git", "commit", "--quiet", "--message=begin")
	f.run("git", "init", "--quiet", "--bare", "--initial-branch=main", f.remote)
	f.run("git", "push", "--quiet", f.remote, "HEAD:main")
	return f
}
