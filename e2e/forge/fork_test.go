package forge_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// carol may read alice's repository and not push to it. She pushes to her fork, and the pull
// request into alice's is opened from there, found again, and brought up to date: by URL
// alone, and from a clone that knows the fork as a remote.
func TestPullRequestFromFork(t *testing.T) {
	r := newRepository(t)
	fork := strings.Replace(server.Remote("carol", r.name), "://", "://carol@", 1)
	files := shop(1)
	files["promotion.yaml"] = strings.Replace(files["promotion.yaml"], "forge: gitea,", "forge: gitea, fork: "+fork+",", 1)
	files["promotion.yaml"] = strings.Replace(files["promotion.yaml"], ", labels: [promotion], reviewers: [bob]", "", 1)
	r.fill(files)
	if err := server.Do(t.Context(), tokens["carol"], http.MethodPost, "/repos/alice/"+r.name+"/forks", map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	asCarol := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), product, append(args, "--offline", "--to", "production", "s0")...)
		cmd.Env = append(os.Environ(), append(identity, "KUBEPROMOTE_TOKEN="+tokens["carol"], "XDG_CACHE_HOME="+t.TempDir())...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	base := server.RemoteWith("alice", r.name, "carol", tokens["carol"])
	if out := asCarol("-C", base); !strings.Contains(out, "proposed") {
		t.Fatal(out)
	}
	type full struct {
		pull
		User struct{ Login string }
		Head struct {
			SHA  string
			Repo struct {
				FullName string `json:"full_name"`
			}
		} `json:"head"`
	}
	var all []full
	r.api("alice", http.MethodGet, "/pulls", nil, &all)
	if len(all) != 1 || all[0].Head.Repo.FullName != "carol/"+r.name || all[0].User.Login != "carol" {
		t.Fatalf("%+v", all)
	}
	if out := asCarol("-C", base); !strings.Contains(out, "pull request 1, unchanged") {
		t.Fatal(out)
	}

	r.fill(map[string]string{"apps/s0/overlays/staging/kustomization.yaml": pinned(0, 5)})
	clone := filepath.Join(t.TempDir(), "clone")
	r.git(t.TempDir(), "clone", "-q", base, clone)
	file := filepath.Join(clone, "here.yaml")
	text := strings.Replace(files["promotion.yaml"], "fork: "+fork, "fork: mine", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r.git(clone, "remote", "add", "mine", server.RemoteWith("carol", r.name, "carol", tokens["carol"]))
	if out := asCarol("-C", clone, "--pipeline", file); !strings.Contains(out, "pull request 1, updated") {
		t.Fatal(out)
	}
	head := all[0].Head.SHA
	r.api("alice", http.MethodGet, "/pulls", nil, &all)
	if len(all) != 1 || all[0].Head.SHA == head || !strings.Contains(all[0].Title, "v5") {
		t.Errorf("%+v", all)
	}
	var branches []struct{ Name string }
	r.api("alice", http.MethodGet, "/branches", nil, &branches)
	if len(branches) != 1 {
		t.Errorf("alice's repository has the branches %v", branches)
	}
}

// Where the pipeline says so Gitea makes the commit, and shows it as verified: what is pushed,
// and what is proposed. Nothing is left of the branch that it was made on.
func TestCommitsByForge(t *testing.T) {
	r := newRepository(t)
	files := shop(1)
	files["promotion.yaml"] = strings.NewReplacer("deliver: {mode: push}", "deliver: {mode: push, forge: gitea, commits: api}", "forge: gitea,", "forge: gitea, commits: api,").Replace(files["promotion.yaml"])
	remote := r.fill(files)
	r.mustPromote(remote, "pushed", "s0", "--to", "staging")
	r.mustPromote(remote, "proposed", "s0", "--to", "production")
	r.mustPromote(remote, "pull request 1, unchanged", "s0", "--to", "production")
	var branches []struct {
		Name   string `json:"name"`
		Commit struct {
			ID           string `json:"id"`
			Message      string `json:"message"`
			Verification struct {
				Verified  bool   `json:"verified"`
				Reason    string `json:"reason"`
				Signature string `json:"signature"`
			} `json:"verification"`
		} `json:"commit"`
	}
	r.api("alice", http.MethodGet, "/branches", nil, &branches)
	if len(branches) != 2 {
		t.Fatalf("%+v", branches)
	}
	_, err := exec.LookPath("ssh-keygen")
	for _, b := range branches {
		if !strings.Contains(b.Commit.Message, "Promotion-Service: s0") || err == nil && !b.Commit.Verification.Verified {
			t.Errorf("%+v", b)
		}
	}
}
