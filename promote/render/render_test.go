package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// tree is files as a promote.Tree.
type tree struct{ fs fs.FS }

func (t tree) ReadFile(name string) ([]byte, error) { return fs.ReadFile(t.fs, name) }

func (t tree) ReadAny(string, []string) (promote.Found, error) { panic("not asked") }

func (t tree) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(t.fs, name) }

// of makes a tree of texts.
func of(texts map[string]string) tree {
	m := make(fstest.MapFS)
	for name, text := range texts {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			m[name] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink}
		}
	}
	return tree{m}
}

const web = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: shop/web:v1\n        env:\n        - {name: HOST, value: dev.example.com}\n"

// onDisk is what kustomize gives of files on the disk.
func onDisk(t testing.TB, texts map[string]string, dir string) ([]byte, error) {
	t.Helper()
	root := t.TempDir()
	for name, text := range texts {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	openapi.ResetOpenAPI() // as in a new process
	m, err := krusty.MakeKustomizer(options()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, dir))
	if err != nil {
		return nil, err
	}
	return m.AsYaml()
}

// featureFiles are what the kustomizations of features are made of.
var featureFiles = map[string]string{
	"base/kustomization.yaml": "resources: [web.yaml, more.yaml]\n", "base/web.yaml": web,
	"base/more.yaml":               "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {a: b}}\nspec: {ports: [{port: 80}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, annotations: {}}\ndata: {n: \"12345678901234567890\", f: \"1.0\"}\n",
	"component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- patch: |-\n    - {op: add, path: /spec/replicas, value: 3}\n  target: {kind: Deployment}\n",
	"o/patch.yaml":                 "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, resources: {limits: {cpu: 1}}}]}}}\n",
	"o/app.env":                    "A=1\n", "o/schema.json": `{"definitions": {}}`,
	"o/functions/kustomization.yaml": "resources: [../prefix]\n", "o/prefix/kustomization.yaml": "resources: [p.yaml]\n",
	"o/prefix/p.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\nprefix: q-\nfieldSpecs: [{path: metadata/name}]\n",
}

// features are kustomizations, each with something of its own.
var features = map[string]string{
	"a base":           "resources: [../base]\n",
	"images, replicas": "resources: [../base]\nimages:\n- {name: shop/web, newName: eu/web, newTag: v2}\nreplicas: [{name: web, count: 2}]\n",
	"names":            "resources: [../base]\nnamePrefix: eu-\nnameSuffix: -1\nnamespace: shop\ncommonLabels: {app: web}\nlabels:\n- {pairs: {team: a}, includeTemplates: true}\ncommonAnnotations: {x: y}\n",
	"patches":          "resources: [../base]\npatches:\n- path: patch.yaml\n- patch: |-\n    apiVersion: v1\n    kind: Service\n    metadata: {name: web}\n    spec: {type: NodePort}\n",
	"generators":       "resources: [../base]\nconfigMapGenerator:\n- name: settings\n  literals: [A=b]\n  envs: [app.env]\n- name: files\n  files: [x=app.env]\nsecretGenerator:\n- {name: s, literals: [p=q]}\n",
	"a component":      "resources: [../base]\ncomponents: [../component]\n",
	"flow style":       "{resources: [../base], namePrefix: x-}",
	"its own origins":  "resources: [../base]\nbuildMetadata: [originAnnotations, managedByLabel]\n",
	"other metadata":   "resources: [../base]\nbuildMetadata: [managedByLabel, transformerAnnotations]\nnamePrefix: x-\n",
	"no newline":       "resources: [../base]\n# end",
	"a document":       "---\nresources: [../base]\n",
	"an end":           "resources: [../base]\n...\n",
	"a merge":          "x: &x {name: web, count: 2}\nresources: [../base]\nreplicas: [*x]\n",
	"sorted":           "resources: [../base]\nsortOptions: {order: legacy}\n",
	"replacements":     "resources: [../base]\nreplacements:\n- source: {kind: Service, fieldPath: metadata.name}\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: [data.name]\n    options: {create: true}\n",
	"a schema":         "resources: [../base]\nopenapi: {path: schema.json}\npatches: [{path: patch.yaml}]\n",
	"an address":       "resources: [../base]\ntransformers:\n- |\n  apiVersion: builtin\n  kind: AnnotationsTransformer\n  metadata: {name: p}\n  annotations: {from: 'https://x/y'}\n  fieldSpecs: [{path: metadata/annotations, create: true}]\n",
	"functions":        "resources: [../base]\ntransformers: [functions]\n",
	"builtin":          "resources: [../base]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PrefixTransformer\n  metadata: {name: p}\n  prefix: q-\n  fieldSpecs: [{path: metadata/name}]\n",
	"nothing there":    "resources: []\n",
	"wrong":            "resources: [../base]\nimages: [{newTagg: x}]\n",
	"a bad patch":      "resources: [../base]\npatches:\n- patch: '{kind: None, metadata: {name: x}}'\n",
}

// What is rendered is what kustomize itself gives, byte for byte, whatever a kustomization
// is made of and however its file is written.
func TestSame(t *testing.T) {
	for name, text := range features {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"o/kustomization.yaml": text}
			for name, text := range featureFiles {
				files[name] = text
			}
			want, werr := onDisk(t, files, "o")
			r := New(of(files), Options{})
			got, err := r.Dir(t.Context(), "o")
			for range 2 { // from the second on, bases are shared
				if err == nil {
					got, err = r.Dir(t.Context(), "o")
				}
			}
			if (err != nil) != (werr != nil) {
				t.Fatalf("got %v, kustomize %v", err, werr)
			}
			if err != nil {
				if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "o/kustomization.yaml") {
					t.Errorf("%v", err)
				}
				return
			}
			text, err := got.YAML()
			if err != nil || !bytes.Equal(text, want) {
				t.Errorf("%v\ngot\n%s\nwant\n%s", err, text, want)
			}
		})
	}
}

// The same for the directories of this project's examples.
func TestSameExamples(t *testing.T) {
	root := filepath.Join("..", "..", "examples")
	r := New(tree{os.DirFS(root)}, Options{})
	built := 0
	err := filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(file) != "kustomization.yaml" {
			return err
		}
		m, err := krusty.MakeKustomizer(options()).Run(filesys.MakeFsOnDisk(), filepath.Dir(file))
		if err != nil {
			return nil // has functions
		}
		want, err := m.AsYaml()
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		got, err := r.Dir(t.Context(), filepath.ToSlash(dir))
		if err != nil {
			return err
		}
		text, err := got.YAML()
		if err == nil && !bytes.Equal(text, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", dir, text, want)
		}
		built++
		return err
	})
	if err != nil || built < 20 {
		t.Errorf("%d, %v", built, err)
	}
}

// Nothing is fetched, nothing is run, no path leads out, and everything ends; what is in
// the way is told with its place.
func TestRefused(t *testing.T) {
	component := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	deep, twice := map[string]string{"d80/web.yaml": web, "d80/kustomization.yaml": "resources: [web.yaml]\n"}, map[string]string{"t20/web.yaml": web, "t20/kustomization.yaml": "resources: [web.yaml]\n"}
	for i := range 80 {
		deep[fmt.Sprintf("d%d/kustomization.yaml", i)] = fmt.Sprintf("resources: [../d%d]\n", i+1)
	}
	deep["o/kustomization.yaml"] = "resources: [../d0]\n"
	for i := range 20 {
		twice[fmt.Sprintf("t%d/kustomization.yaml", i)] = fmt.Sprintf("resources: [../t%d, ../s%d]\n", i+1, i+1)
		twice[fmt.Sprintf("s%d/kustomization.yaml", i+1)] = fmt.Sprintf("namePrefix: s\nresources: [../t%d]\n", i+1)
	}
	twice["o/kustomization.yaml"] = "resources: [../t0]\n"
	bomb := "x0: &x0 [x]\n"
	for i := 1; i <= 10; i++ {
		bomb += fmt.Sprintf("x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 10), ", "))
	}
	builtin := func(kind, field string) string {
		return "apiVersion: builtin\nkind: " + kind + "\nmetadata: {name: x}\n" + field + "\n"
	}
	one := func(text string, more ...string) map[string]string {
		files := map[string]string{"o/kustomization.yaml": text, "o/web.yaml": web}
		for i := 0; i+1 < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a remote base":       {one("resources:\n- web.yaml\n- https://user:secret@github.com/org/repo//x?ref=v1\n"), "o/kustomization.yaml:3:3: resources: "},
		"by ssh":              {one("resources: ['git@github.com:org/repo']\n"), "is fetched from elsewhere"},
		"without a scheme":    {one("bases: [GitHub.com/org/repo]\n"), "o/kustomization.yaml:1:9: bases: GitHub.com/org/repo is fetched from elsewhere"},
		"a remote component":  {one("components: ['git::x']\n"), "is fetched from elsewhere"},
		"a remote patch":      {one("resources: [web.yaml]\npatches: [{path: 'http://x/y'}]\n"), "is fetched from elsewhere"},
		"a remote file":       {one("configMapGenerator: [{name: x, files: ['a=https://x/y']}]\n"), "is fetched from elsewhere"},
		"a remote schema":     {one("resources: [web.yaml]\nopenapi: {path: 'https://x/y'}\n"), "is fetched from elsewhere"},
		"in a base":           {one("resources: [../b]\n", "b/kustomization.yaml", "resources: ['https://x/y.git']\n"), "b/kustomization.yaml:1:13: resources: "},
		"a chart":             {one("helmCharts: [{name: x}]\n"), "are charts for helm to render"},
		"no base":             {one("resources:\n- ../none\n"), "o/kustomization.yaml:2:3: resources: there is no none"},
		"outside":             {one("resources: [../../x]\n"), "../../x is outside of the repository"},
		"absolute":            {one("resources: [/etc/passwd]\n"), "/etc/passwd is an absolute path"},
		"an absolute patch":   {one("resources: [web.yaml]\npatches: [{path: /etc/passwd}]\n"), "o/kustomization.yaml"},
		"a file above":        {one("resources: [../base/web.yaml]\n", "base/web.yaml", web), "is not in or below"},
		"a cycle":             {one("resources: [../b]\n", "b/kustomization.yaml", "resources: [../o]\n"), "b/kustomization.yaml:1:13: resources: ../o leads back to where it comes from: a cycle"},
		"a component cycle":   {one("resources: [web.yaml]\ncomponents: [../c]\n", "c/kustomization.yaml", component+"components: [../c]\n"), "c/kustomization.yaml:3:14: components: ../c leads back"},
		"functions in itself": {one("resources: [web.yaml]\ntransformers: [../o]\n"), "../o has itself as its functions: a cycle"},
		"functions in a loop": {one("resources: [web.yaml]\ntransformers: [../f]\n", "f/kustomization.yaml", "resources: [x]\ntransformers: [../g]\n", "g/kustomization.yaml", "transformers: [../f]\n", "f/x", ""), "a cycle"},
		"deep":                {deep, "lies in more than 64 kustomizations"},
		"twice and twice":     {twice, "is built from more than 10000 kustomizations"},
		"aliases":             {one("resources: [a.yaml]\n", "o/a.yaml", bomb), "o/a.yaml: its aliases stand for more than 2 million values"},
		"aliases in a patch":  {one("resources: [web.yaml]\npatches:\n- patch: |-\n    " + strings.ReplaceAll(bomb, "\n", "\n    ") + "\n"), "o/kustomization.yaml:3: its aliases"},
		// What kustomize reads is what counts, however it is written.
		"merged":                 {one("x: &x {resources: ['https://x/y']}\n<<: *x\n"), "unknown field \"x\""},
		"merged in place":        {one("<<: {resources: ['https://x/y.git']}\n"), "o/kustomization.yaml: resources: (URL) is fetched from elsewhere"},
		"an alias for a list":    {one("resources: &x ['https://x/y.git']\ncomponents: *x\n"), "is fetched from elsewhere"},
		"a list of aliases":      {one("namePrefix: &x 'https://x/y.git'\ncomponents: [*x]\n"), "is fetched from elsewhere"},
		"as base64":              {one("resources: [!!binary aHR0cHM6Ly94L3kuZ2l0]\n"), "is fetched from elsewhere"},
		"merged in a list":       {one("resources: [web.yaml]\npatches: [{<<: {path: 'https://x/y'}}]\n"), "is fetched from elsewhere"},
		"a transformer's":        {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", builtin("PatchTransformer", "path: https://user:secret@x/y")), "o/t.yaml: PatchTransformer: (URL) is fetched from elsewhere"},
		"merged in it":           {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", builtin("PatchTransformer", "<<: {path: https://x/y}")), "is fetched from elsewhere"},
		"base64 in it":           {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", builtin("PatchTransformer", "path: !!binary aHR0cHM6Ly94L3kuZ2l0")), "is fetched from elsewhere"},
		"in its list":            {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", builtin("ReplacementTransformer", "replacements: [{path: HTTPS://x/y}]")), "is fetched from elsewhere"},
		"a generator's":          {one("resources: [web.yaml]\ngenerators: [t.yaml]\n", "o/t.yaml", builtin("ConfigMapGenerator", "files: ['a=https://x/y']")), "is fetched from elsewhere"},
		"on a line":              {one("resources: [web.yaml]\ntransformers: ['{apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}, path: \"https://x/y\"}']\n"), "o/kustomization.yaml: PatchTransformer: (URL) is fetched from elsewhere"},
		"a validator's":          {one("resources: [web.yaml]\nvalidators: [t.yaml]\n", "o/t.yaml", builtin("PatchTransformer", "path: https://x/y")), "is fetched from elsewhere"},
		"in a list of functions": {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}, path: 'https://x/y'}\n"), "is fetched from elsewhere"},
		"in a directory":         {one("resources: [web.yaml]\ntransformers: [../f]\n", "f/kustomization.yaml", "resources: [../g]\n", "g/kustomization.yaml", "resources: [t.yaml]\n", "g/t.yaml", builtin("PatchTransformer", "path: https://x/y")), "g/t.yaml: PatchTransformer: (URL) is fetched from elsewhere"},
		"made by a patch": {one("resources: [web.yaml]\ntransformers: [../f]\n", "f/kustomization.yaml", "resources: [t.yaml]\npatches: [{patch: '[{op: add, path: /path, value: \"https://x/y\"}]', target: {kind: PatchTransformer}}]\n", "f/t.yaml", builtin("PatchTransformer", "patch: x")),
			"f/kustomization.yaml: gives functions for o/kustomization.yaml and changes them"},
		"made in a base of it": {one("resources: [web.yaml]\ntransformers: [../f]\n", "f/kustomization.yaml", "resources: [../g]\n", "g/kustomization.yaml", "resources: [t.yaml]\nconfigurations: [c.yaml]\n", "g/c.yaml", "", "g/t.yaml", builtin("PatchTransformer", "patch: x")),
			"g/kustomization.yaml: gives functions for o/kustomization.yaml and changes them"},
		"a cycle in a patch":         {one("resources: [web.yaml]\npatches:\n- patch: '{a: &a [*a]}'\n"), "o/kustomization.yaml:3: its aliases"},
		"a cycle in a function":      {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", builtin("PatchTransformer", "patch: '{a: &a [*a]}'")), "o/t.yaml:4: its aliases"},
		"a cycle in one written out": {one("resources: [web.yaml]\ntransformers:\n- |\n  " + strings.ReplaceAll(builtin("PatchTransformer", "patch: '{a: &a [*a]}'"), "\n", "\n  ") + "\n"), "o/kustomization.yaml:3: its aliases"},

		// Kustomize names such files as the kustomization does that they are in, and no line.
		"no YAML in a base": {one("resources: [../b]\n", "b/kustomization.yaml", "resources: [x.yaml]\n", "b/x.yaml", web+"---\na: b\n c: d\n"), "b/x.yaml:"},
		"no kind in a base": {one("resources: [../b]\n", "b/kustomization.yaml", "resources: [x.yaml]\n", "b/x.yaml", web+"---\na: b\n"), ": is listed among resources, and is no object of Kubernetes: it has no apiVersion"},
		"no name":           {one("resources: [web.yaml, x.yaml]\n", "o/x.yaml", "apiVersion: v1\nkind: Service\n"), "o/x.yaml:1: is listed among resources, and is no object of Kubernetes: it has no metadata.name"},
		"a field":           {one("resources: [web.yaml]\nimges: []\n"), `o/kustomization.yaml:2:1: unknown field "imges"`},
		"a field in a list": {one("resources: [web.yaml]\nimages: [{name: a, newtag: b, tga: c}]\n"), `o/kustomization.yaml:2:31: unknown field "tga"`},
		"no YAML in line 1": {one("resources: [web.yaml}\n"), "o/kustomization.yaml:1: did not find"},
		"a patch of a base": {one("resources: [../b]\n", "b/kustomization.yaml", "resources: [x.yaml]\npatches: [{patch: '[{op: replace, path: /spec/none/x, value: 1}]', target: {kind: Deployment}}]\n", "b/x.yaml", web), "b/kustomization.yaml: kustomize: "},
		"no kustomization":  {map[string]string{"o/x.txt": ""}, "o has neither a kustomization nor an object"},
		"two of them":       {one("resources: [web.yaml]\n", "o/Kustomization", ""), "o has both kustomization.yaml and Kustomization"},
		"no YAML":           {one("resources: [web.yaml\n"), "o/kustomization.yaml:1: "},
		"no mapping":        {one("- a\n"), "o/kustomization.yaml: is no kustomization"},
		"a base without":    {one("resources: [../b]\n", "b/x.yaml", web), "b has no kustomization.yaml"},
		"a linked base":     {one("resources: [../b]\n", "b", "-> o2", "o2/kustomization.yaml", ""), "o/kustomization.yaml:1:13: b: leads over a symbolic link"},
		"a linked file":     {one("resources: [b.yaml]\n", "o/b.yaml", "-> web.yaml"), "o/b.yaml: leads over a symbolic link"},
		"a linked patch":    {one("resources: [web.yaml]\npatches: [{path: b.yaml}]\n", "o/b.yaml", "-> web.yaml"), "o/b.yaml: leads over a symbolic link"},
		"a program":         {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", "apiVersion: x/v1\nkind: X\nmetadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: /bin/true}'}}\n"), "external plugins disabled"},
		"our functions":     {one("resources: [web.yaml]\ntransformers: [t.yaml]\n", "o/t.yaml", "apiVersion: kubepromote.dev/v1alpha1\nkind: SetImages\nmetadata: {name: x}\n"), "lists functions of kubepromote.dev, which are not run here"},
		"no schema":         {one("resources: [web.yaml]\nopenapi: {path: s.json}\npatches: [{path: web.yaml}]\n", "o/s.json", "{"), "o/kustomization.yaml: kustomize: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(of(tc.files), Options{}).Dir(t.Context(), "o")
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
	for _, dir := range []string{"..", "../x", "/etc", "none", "o/web.yaml"} {
		if _, err := New(of(one("")), Options{}).Dir(t.Context(), dir); err == nil {
			t.Errorf("%s was rendered", dir)
		}
	}
}

// A tree that cannot be read is no tree without the file, and a build ends with its
// context.
func TestUnreadable(t *testing.T) {
	broken := errors.New("git has ended")
	files := of(map[string]string{"o/kustomization.yaml": "resources: [web.yaml]\n", "o/web.yaml": web})
	if _, err := New(failing{files, "o/web.yaml", broken}, Options{}).Dir(t.Context(), "o"); !errors.Is(err, broken) {
		t.Error(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := New(files, Options{}).Dir(ctx, "o"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

type failing struct {
	tree
	name string
	err  error
}

func (f failing) ReadFile(name string) ([]byte, error) {
	if name == f.name {
		return nil, f.err
	}
	return f.tree.ReadFile(name)
}

// Files laid over a tree are rendered in place of its own, and the tree's stay.
func TestWith(t *testing.T) {
	files := of(map[string]string{"b/kustomization.yaml": "resources: [web.yaml]\n", "b/web.yaml": web, "o/kustomization.yaml": "resources: [../b]\n", "o/gone.yaml": "x"})
	r := New(files, Options{})
	over := r.With(map[string][]byte{"o/kustomization.yaml": []byte("resources: [../b, new/new.yaml]\nimages: [{name: shop/web, newTag: v2}]\n"),
		"o/new/new.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n"), "o/gone.yaml": nil})
	if entries, err := over.source.list("o"); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	before, err1 := r.Dir(t.Context(), "o")
	after, err2 := over.Dir(t.Context(), "o")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	all := objects.Compare(before.Objects, after.Objects, objects.ByName)
	if len(all) != 2 || all[1].Changes[0].New != "shop/web:v2" || all[0].Summary() != "+ ConfigMap new is new" {
		t.Errorf("%+v", all)
	}
}

// What takes long is said, where that is how many objects there are: kustomize compares each with
// all others, so that ten times as many take a hundred times as long.
func TestManyObjects(t *testing.T) {
	var text strings.Builder
	for n := range manyObjects {
		fmt.Fprintf(&text, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n---\n", n)
	}
	files := of(map[string]string{"o/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [all.yaml]\n", "b/all.yaml": text.String()})
	r := New(files, Options{})
	n, err := r.source.graph("o")
	if err != nil {
		t.Fatal(err)
	}
	const want = "o was not rendered in time: it has about 1000 objects, each of which kustomize compares with all others"
	if err := r.source.late(n, context.DeadlineExceeded); !strings.HasPrefix(err.Error(), want) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Each field is told with the place that has the last word on it.
func TestPlaces(t *testing.T) {
	r := New(of(map[string]string{
		"base/kustomization.yaml": "resources:\n- web.yaml\nconfigMapGenerator:\n- name: settings\n  literals:\n  - A=1\n  - B=2\n  envs: [app.env]\n",
		"base/app.env":            "# x\nC=3\n",
		"base/web.yaml":           web,
		"c/kustomization.yaml":    "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- path: port.yaml\n",
		"c/port.yaml":             "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        ports: [{containerPort: 80}]\n",
		"o/kustomization.yaml": "resources:\n- ../base\ncomponents: [../c]\nnamespace: shop\nnamePrefix: eu-\ncommonLabels: {team: a}\nimages:\n- name: shop/web\n  newTag: v2\nreplicas:\n- name: web\n  count: 3\n" +
			"patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n    spec:\n      paused: true\n- target: {kind: Deployment}\n  patch: |-\n    - op: add\n      path: /metadata/annotations\n      value: {a: b}\n- path: host.yaml\n",
		"o/host.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        env:\n        - {name: HOST, value: prod}\n",
	}), Options{})
	got, err := r.Dir(t.Context(), "o")
	if err != nil {
		t.Fatal(err)
	}
	container := objects.Path{"spec", "template", "spec", "containers", "[name=web]"}
	below := func(steps ...string) objects.Path { return append(container[:len(container):len(container)], steps...) }
	for _, tc := range []struct {
		kind string
		at   objects.Path
		want string
	}{
		{"Deployment", nil, "base/web.yaml:1"},
		{"Deployment", objects.Path{"metadata", "name"}, "o/kustomization.yaml:5"},
		{"Deployment", objects.Path{"metadata", "namespace"}, "o/kustomization.yaml:4"},
		{"Deployment", objects.Path{"metadata", "labels", "team"}, "o/kustomization.yaml:6"},
		{"Deployment", objects.Path{"metadata", "annotations", "a"}, "o/kustomization.yaml:22"},
		{"Deployment", objects.Path{"spec", "replicas"}, "o/kustomization.yaml:12"},
		{"Deployment", objects.Path{"spec", "paused"}, "o/kustomization.yaml:19"},
		{"Deployment", below("image"), "o/kustomization.yaml:9"},
		{"Deployment", below("env", "[name=HOST]", "value"), "o/host.yaml:10"},
		{"Deployment", below("ports", "[containerPort=80]"), "c/port.yaml:9"},
		{"Deployment", below("name"), "o/host.yaml:8"},
		{"ConfigMap", objects.Path{"data", "B"}, "base/kustomization.yaml:7"},
		{"ConfigMap", objects.Path{"data", "C"}, "base/app.env:2"},
		{"ConfigMap", objects.Path{"data", "none"}, "base/kustomization.yaml:4"},
	} {
		for _, o := range got.Objects {
			if o.Kind == tc.kind {
				if place := o.Place(tc.at).String(); place != tc.want {
					t.Errorf("%s %s: %s, want %s", tc.kind, tc.at, place, tc.want)
				}
			}
		}
	}
	for _, o := range got.Objects {
		if want := map[string]string{"Deployment": "web", "ConfigMap": "settings"}[o.Kind]; o.Original != want || !strings.HasPrefix(o.Name, "eu-"+want) {
			t.Errorf("%+v", o)
		}
	}
}

// A directory without a kustomization gives what its files have.
func TestPlainDir(t *testing.T) {
	r := New(of(map[string]string{
		"p/b.yaml": web, "p/a.yml": "# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: one}\n  data: {num: '1'}\n",
		"p/c.json": `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"num": 12345678901234567890}}`, "p/values.yaml": "image: x\n", "p/README.md": "kind: x", "p/below/x.yaml": web,
		"q/bad.yaml": "a: [\n", "q/web.yaml": web,
	}), Options{})
	got, err := r.Dir(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objects.Flatten(got.Objects) {
		names = append(names, o.Kind+" "+o.Name+" "+o.Place(objects.Path{"data", "num"}).String())
	}
	if want := "ConfigMap one p/a.yml:9, Deployment web p/b.yaml:1, Secret s p/c.json:1"; strings.Join(names, ", ") != want {
		t.Errorf("%q", names)
	}
	text, err := got.YAML()
	if err != nil || strings.Count(string(text), "---\n") != 2 || !strings.Contains(string(text), "num: 12345678901234567890") {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := r.Dir(t.Context(), "q"); err == nil || !strings.HasPrefix(err.Error(), "q/bad.yaml:") {
		t.Error(err)
	}
}

// Many are rendered side by side, some with schemas of their own.
func TestSideBySide(t *testing.T) {
	files := map[string]string{"b/kustomization.yaml": "resources: [web.yaml]\n", "b/web.yaml": web}
	for i := range 20 {
		text := fmt.Sprintf("resources: [../b]\nnameSuffix: -s%d\npatches: [{path: p.yaml}]\n", i)
		if i%7 == 0 {
			text += "openapi: {path: s.json}\n"
		}
		dir := fmt.Sprintf("o%d/", i)
		files[dir+"kustomization.yaml"], files[dir+"s.json"] = text, `{"definitions": {}}`
		files[dir+"p.yaml"] = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, tty: true}]}}}\n"
	}
	r := New(of(files), Options{})
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			got, err := r.Dir(t.Context(), fmt.Sprintf("o%d", i))
			if err != nil {
				t.Error(err)
				return
			}
			text, err := got.YAML()
			// A schema without Deployments knows no names of containers: the patch is all there is.
			if want := i%7 != 0; err != nil || strings.Contains(string(text), "image: shop/web:v1") != want {
				t.Errorf("%d: %v\n%s", i, err, text)
			}
		})
	}
	wait.Wait()
}

// Functions of this project are built by whoever can.
func TestFunctions(t *testing.T) {
	files := of(map[string]string{"o/kustomization.yaml": "resources: [web.yaml]\nvalidators: [v.yaml]\n", "o/web.yaml": web,
		"o/v.yaml": "apiVersion: kubepromote.dev/v1alpha1\nkind: VerifyImages\nmetadata: {name: x}\n"})
	asked := ""
	build := func(_ context.Context, fs filesys.FileSystem, dir string) (resmap.ResMap, error) {
		asked = filepath.ToSlash(dir)
		mem := filesys.MakeFsInMemory()
		data, err := fs.ReadFile(path.Join(dir, "web.yaml"))
		if err := errors.Join(err, mem.WriteFile("/kustomization.yaml", []byte("resources: [web.yaml]\n")), mem.WriteFile("/web.yaml", data)); err != nil {
			return nil, err
		}
		return krusty.MakeKustomizer(options()).Run(mem, "/")
	}
	got, err := New(files, Options{Functions: build}).Dir(t.Context(), "o")
	if err != nil || asked != "/o" || len(got.Objects) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func ExampleRenderer_Dir() {
	r := New(of(map[string]string{
		"base/kustomization.yaml": "resources: [web.yaml]\n",
		"base/web.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {host: dev}\n",
		"prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\n",
	}), Options{})
	got, err := r.Dir(context.Background(), "prod")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range got.Objects {
		fmt.Println(o.String(), o.Place(objects.Path{"data", "host"}))
	}
	// Output: ConfigMap prod-web base/web.yaml:4
}
