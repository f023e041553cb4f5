package helm

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/render"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// tree is a directory as renderers read it.
type tree struct{ fs.FS }

func (t tree) ReadFile(name string) ([]byte, error) { return fs.ReadFile(t.FS, name) }

func (t tree) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(t.FS, name) }

func (t tree) ReadAny(string, []string) (pipeline.Found, error) {
	return pipeline.Found{}, fs.ErrNotExist
}

// The helmCharts of a kustomization give what kustomize build --enable-helm gives with the
// program of Helm, byte for byte.
func TestKustomize(t *testing.T) {
	ours, theirs := programs(t)
	for name, text := range map[string]string{
		"plain":  "namespace: other\nnamePrefix: p-\nhelmCharts:\n- name: plain\n  releaseName: web\n  namespace: shop\n  valuesFile: charts/plain/values-production.yaml\n  valuesInline: {replicaCount: 7}\nimages:\n- {name: shop/web, newTag: v9}\n---\n",
		"parts":  "resources: [extra.yaml]\nhelmCharts:\n- name: parts\n  releaseName: web\n  includeCRDs: true\n  skipTests: true\n  additionalValuesFiles: [charts/parts/values-production.yaml]\nlabels:\n- {pairs: {a: b}}\n",
		"schema": "helmCharts:\n- name: schema\n  releaseName: one\n  valuesInline: {replicas: 4}\n  valuesMerge: merge\n  kubeVersion: 1.30.0\n  skipHooks: true\nnameSuffix: -x\n",
	} {
		root := t.TempDir()
		dir := filepath.Join(root, "k")
		if err := os.CopyFS(filepath.Join(dir, "charts", name), os.DirFS(filepath.Join("testdata", name))); err != nil {
			t.Fatal(err)
		}
		for file, data := range map[string]string{"kustomization.yaml": text, "extra.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: extra}\n"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o := krusty.MakeDefaultOptions()
		o.Reorder, o.PluginConfig = krusty.ReorderOptionUnspecified, types.EnabledPluginConfig(types.BploUseStaticallyLinked)
		o.PluginConfig.HelmConfig = types.HelmConfig{Enabled: true, Command: theirs.Path()}
		m, err := krusty.MakeKustomizer(o).Run(filesys.MakeFsOnDisk(), dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := m.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		r, err := render.New(tree{os.DirFS(root)}, render.Options{Charts: ours.Render}).Dir(t.Context(), "k")
		if err == nil {
			got, err = r.YAML()
		}
		if err != nil || string(got) != string(want) || len(got) < 100 {
			t.Errorf("%s: %v\n%s", name, err, diff(t, want, got))
		}
	}
}

// diff shows how texts differ.
func diff(t *testing.T, want, got []byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{"want": want, "got": got} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "diff", "-u", "want", "got")
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput() // it fails where they differ
	return string(out)
}
