package images_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify"
)

// open opens a repository for promotions: this is all that a program needs which
// promotes by itself.
func open(ctx context.Context, dir string) (*promote.Promoter, *git.Repo, error) {
	repo, err := git.Open(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	data, err := repo.ReadFile(pipeline.FileName)
	if err != nil {
		return nil, nil, err
	}
	pipeline, err := pipeline.Parse(pipeline.FileName, data)
	if err != nil {
		return nil, nil, err
	}
	return &promote.Promoter{
		Repo:     repo,
		Pipeline: pipeline,
		Resolver: images.NewResolver(digest.NewResolver(digest.Options{})),
		Verifier: images.NewVerifier(verify.New(verify.Options{}), images.PoliciesIn(repo)),
	}, repo, nil
}

// A plan says what a promotion would change and whether it may; nothing is written.
// Here production wants approvals, and nobody has given one.
func Example_plan() {
	ctx := context.Background()
	dir, remove := shop()
	defer remove()
	p, repo, err := open(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer repo.Close()

	plan, err := p.Plan(ctx, promote.Request{Services: []string{"cart"}, To: "production"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.From, "→", plan.To, plan.Answer)
	for _, s := range plan.Services {
		for _, i := range s.Images {
			fmt.Println(s.Service, i.Old.Tag, "→", i.New.Tag, i.New.Digest != "")
		}
		for _, v := range s.Verdicts {
			fmt.Println(v.Gate, v.Answer)
		}
	}
	// Output:
	// staging → production fail
	// cart v1 → v2 true
	// verify fail
}

// Apply carries out a plan as it was made, here as a commit.
func Example_apply() {
	ctx := context.Background()
	dir, remove := shop()
	defer remove()
	p, repo, err := open(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer repo.Close()

	plan, err := p.Plan(ctx, promote.Request{All: true, To: "staging", Mode: pipeline.DeliverCommit})
	if err != nil {
		log.Fatal(err)
	}
	if refused := plan.Refusal(); refused != nil {
		log.Fatal(refused)
	}
	applied, err := p.Apply(ctx, plan)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(applied.Commit), plan.Subject())
	file, err := repo.ReadFile("apps/cart/overlays/staging/kustomization.yaml")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(string(file), "newTag: v3"), strings.Count(string(file), "digest: sha256:"))
	// Output:
	// 40 promote(staging): cart → v3
	// 1 1
}

// shop makes a registry with an image, and a repository with a service.
func shop() (dir string, remove func()) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	host := strings.TrimPrefix(server.URL, "http://")
	dir, err := os.MkdirTemp("", "shop-")
	if err != nil {
		log.Fatal(err)
	}
	for _, tag := range []string{"v2", "v3"} {
		ref, err := name.ParseReference(host + "/cart:" + tag)
		if err == nil {
			err = remote.Write(ref, empty.Image)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	files := map[string]string{
		"promotion.yaml": `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: dev
  - name: staging
    from: [dev]
  - name: production
    from: [staging]
    verify: {policy: policies/approvals.yaml}
`,
		"policies/approvals.yaml": policyFor(host),
		"policies/release.pub":    key,
	}
	for env, tag := range map[string]string{"dev": "v3", "staging": "v2", "production": "v1"} {
		files["apps/cart/overlays/"+env+"/kustomization.yaml"] = "images:\n- name: cart\n  newName: " + host + "/cart\n  newTag: " + tag + "\n"
	}
	for file, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"config", "user.name", "Ann"}, {"config", "user.email", "ann@example.com"},
		{"add", "."}, {"commit", "-q", "-m", "first"},
	} {
		if err := exec.Command("git", append([]string{"-C", dir}, args...)...).Run(); err != nil {
			log.Fatal(err)
		}
	}
	return dir, func() { server.Close(); os.RemoveAll(dir) }
}

// policyFor wants approvals of all images of a registry.
func policyFor(host string) string {
	return strings.ReplaceAll(policy(", attestations: [{predicateType: approval}]"), "registry.example.com", host)
}
