package kustomize

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

// call runs a function as a host would, on the objects of a text, in a directory
// with files.
func call(t *testing.T, config, objects string, files map[string]string) (items string, results framework.Results, err error) {
	t.Helper()
	dir := t.TempDir()
	files["promotion.yaml"] = ""
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := &framework.ResourceList{FunctionConfig: yaml.MustParse(config)}
	reader := kio.ByteReader{Reader: strings.NewReader(objects), OmitReaderAnnotations: true}
	if list.Items, err = reader.Read(); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, "here")
	if err := os.MkdirAll(base, 0o755); err != nil {
		t.Fatal(err)
	}
	p := (&Host{Dir: base}).Processor(t.Context())
	err = p.Process(list)
	items, failed := kio.StringAll(list.Items)
	if failed != nil {
		t.Fatal(failed)
	}
	before, failed := kio.StringAll(mustRead(t, objects))
	if failed != nil {
		t.Fatal(failed)
	}
	if changed := items != before; changed != p.Changed() {
		t.Errorf("items differ: %v, and Changed says %v\n%s", changed, p.Changed(), items)
	}
	if err != nil && items != before {
		t.Errorf("items differ in spite of an error\n%s", items)
	}
	return items, list.Results, err
}

func mustRead(t *testing.T, objects string) []*yaml.RNode {
	t.Helper()
	items, err := (&kio.ByteReader{Reader: strings.NewReader(objects), OmitReaderAnnotations: true}).Read()
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func config(kind, spec string) string {
	return "apiVersion: kubepromote.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: f}\nspec: " + spec + "\n"
}

const pod = `# a pod
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
spec:
  initContainers:
  - name: init
    image: busybox:1.36 # first
  containers:
  - name: web
    image: "shop/web:v1"
`

const stagingOverlay = `resources: [../base]
images:
- name: shop/web
  newName: reg.example.com/shop/web
  newTag: v2
  digest: DIGEST
`

func staging(digest string) map[string]string {
	return map[string]string{"staging/kustomization.yaml": strings.ReplaceAll(stagingOverlay, "DIGEST", digest)}
}

func lockOf(lines ...string) map[string]string {
	text := "images.lock v1\n"
	for _, l := range lines {
		text += l + " -\n"
	}
	return map[string]string{"images.lock": text}
}

type functionCase struct {
	name, config, objects string
	files                 map[string]string
	want                  string // the items after, where they differ
	lines                 string // what a person is told
	answer                Answer
	fails                 bool
}

func (tc functionCase) run(t *testing.T) {
	if tc.objects == "" {
		tc.objects = pod
	}
	if tc.files == nil {
		tc.files = map[string]string{}
	}
	items, results, err := call(t, tc.config, tc.objects, tc.files)
	if (err != nil) != tc.fails {
		t.Fatalf("error %v, results %v", err, results)
	}
	if got := strings.Join(Lines(results), "\n"); got != strings.TrimSpace(tc.lines) {
		t.Errorf("said\n%s\nwant\n%s", got, tc.lines)
	}
	if tc.want != "" && items != tc.want {
		t.Errorf("items\n%s\nwant\n%s", items, tc.want)
	}
	if tc.fails {
		if refused, ok := err.(*Refused); !ok || refused.Answer() != tc.answer {
			t.Errorf("%T %v, want answer %q", err, err, tc.answer)
		}
		return
	}
	if tc.want == "" {
		return
	}
	again, _, err := call(t, tc.config, items, tc.files)
	if err != nil || again != items {
		t.Errorf("a second time: %v\n%s", err, again)
	}
}

func set(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

func TestPinImages(t *testing.T) {
	for _, tc := range []functionCase{
		{
			name: "lock", config: config("PinImages", "{lock: ../images.lock}"),
			files: lockOf("busybox:1.36 "+digestA, "shop/web:v1 "+digestB),
			want:  set(pod, "1.36", "1.36@"+digestA, "v1\"", "v1@"+digestB+"\""),
		},
		{
			name: "overlay", config: config("PinImages", "{overlay: ../staging, ignore: [busybox]}"),
			files: staging(digestA),
			want:  set(pod, "shop/web:v1", "reg.example.com/shop/web:v2@"+digestA),
		},
		{
			name: "overlay, and lock for the rest", config: config("PinImages", "{overlay: ../staging/kustomization.yaml, lock: ../images.lock}"),
			files: merge(staging(digestA), lockOf("busybox:1.36 "+digestB)),
			want:  set(pod, "1.36", "1.36@"+digestB, "shop/web:v1", "reg.example.com/shop/web:v2@"+digestA),
		},
		{
			name: "overlay with a tag alone, its digest by the lock", config: config("PinImages", "{overlay: ../staging, lock: ../images.lock, ignore: [busybox]}"),
			files: merge(map[string]string{"staging/kustomization.yaml": "images:\n- {name: shop/web, newTag: v9}\n"}, lockOf("shop/web:v9 "+digestB)),
			want:  set(pod, "shop/web:v1", "shop/web:v9@"+digestB),
		},
		{
			name: "overlay with a suffix", config: config("PinImages", "{overlay: ../staging, lock: ../images.lock, ignore: [busybox]}"),
			files: merge(map[string]string{"staging/kustomization.yaml": "images:\n- {name: shop/web, newTag: v2, tagSuffix: -arm}\n"}, lockOf("shop/web:v2-arm "+digestB)),
			want:  set(pod, "shop/web:v1", "shop/web:v2-arm@"+digestB),
		},
		{
			name: "overlay with a suffix to nothing", config: config("PinImages", "{overlay: ../staging, ignore: [busybox]}"),
			files: map[string]string{"staging/kustomization.yaml": "images:\n- {name: shop/web, tagSuffix: -arm}\n"}, fails: true, answer: Unknown,
			lines: "Pod shop/web: spec.containers[0].image: image \"shop/web\": ../staging/kustomization.yaml appends \"-arm\" to a tag that it does not name\nhint: write newTag or digest there",
		},
		{
			name: "declared", config: config("PinImages", "{lock: ../images.lock, fields: ['spec.steps[*].image', spec.main]}"),
			objects: "apiVersion: example.com/v1\nkind: Task\nmetadata:\n  name: t\nspec:\n  steps:\n  - image: busybox:1.36 # step\n  main:\n    repository: shop/web\n    tag: v1 # main\n    digest: \"\"\n",
			files:   lockOf("busybox:1.36 "+digestA, "shop/web:v1 "+digestB),
			want:    "apiVersion: example.com/v1\nkind: Task\nmetadata:\n  name: t\nspec:\n  steps:\n  - image: busybox:1.36@" + digestA + " # step\n  main:\n    repository: shop/web\n    tag: v1 # main\n    digest: \"" + digestB + "\"\n",
		},
		{
			name: "not locked", config: config("PinImages", "{lock: ../images.lock}"), files: lockOf("busybox:1.36 " + digestA), fails: true, answer: Unknown,
			lines: "Pod shop/web: spec.containers[0].image: image \"shop/web:v1\": no digest in ../images.lock\nhint: kubectl promote resolve shop/web:v1",
		},
		{
			name: "no tag", config: config("PinImages", "{lock: ../images.lock}"), files: lockOf(), fails: true, answer: No,
			objects: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{image: nginx}]}\n",
			lines:   "Pod x: spec.containers[0].image: image \"nginx\" has neither tag nor digest\nhint: write the tag that is meant: \"latest\" is not assumed",
		},
		{
			name: "no reference", config: config("PinImages", "{lock: ../images.lock}"), files: lockOf(), fails: true, answer: Unknown,
			objects: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{image: 'Web:v1'}]}\n",
			lines:   "Pod x: spec.containers[0].image: image \"Web:v1\" is no image reference: byte 1: upper case letter \"W\" in the repository",
		},
		{
			name: "ambiguous", config: config("PinImages", "{overlay: ../all.yaml}"), fails: true, answer: Unknown,
			files:   map[string]string{"all.yaml": "kind: Pod\napiVersion: v1\nspec: {containers: [{image: 'a:1'}, {image: 'a:2'}]}\n"},
			objects: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{image: 'a:1'}]}\n",
			lines:   "Pod x: spec.containers[0].image: image \"a\": ../all.yaml has both a:1 and a:2\nhint: name the overlay's file that has one of them",
		},
		{
			name: "bad lock", config: config("PinImages", "{lock: ../images.lock}"), files: map[string]string{"images.lock": "nonsense\n"}, fails: true,
			lines: "PinImages f: ../images.lock:1:1: the first line is not \"images.lock v1\"",
		},
		{
			name: "no file", config: config("PinImages", "{overlay: ../dev}"), fails: true,
			lines: "PinImages f: ../dev: no such file or directory",
		},
	} {
		t.Run(tc.name, tc.run)
	}
}

func merge(a, b map[string]string) map[string]string {
	for k, v := range b {
		a[k] = v
	}
	return a
}

func TestSetImages(t *testing.T) {
	pinned := set(pod, "shop/web:v1", "shop/web:v1@"+digestA)
	for _, tc := range []functionCase{
		{name: "tag", config: config("SetImages", "{images: [{name: shop/web, newTag: v2}, {name: busybox, newName: mirror/busybox}]}"),
			objects: pinned, want: set(pod, "shop/web:v1", "shop/web:v2", "busybox", "mirror/busybox")},
		{name: "digest", config: config("SetImages", "{images: [{name: shop/web, digest: '"+digestB+"'}]}"),
			objects: pinned, want: set(pod, "shop/web:v1", "shop/web@"+digestB)},
		{name: "name keeps the pin", config: config("SetImages", "{images: [{name: shop/web, newName: other/web}]}"),
			objects: pinned, want: set(pinned, "shop/web:v1", "other/web:v1")},
		// What stands in the place of a tag may be there for SetImages to fill in.
		{name: "placeholder", config: config("SetImages", "{images: [{name: shop/web, newTag: v2}]}"),
			objects: set(pod, "web:v1", "web:{TAG}"), want: set(pod, "web:v1", "web:v2")},
		{name: "digest of a placeholder", config: config("SetImages", "{images: [{name: shop/web, newTag: v2}]}"),
			objects: set(pod, "web:v1", "web@sha256:{DIGEST}"), want: set(pod, "web:v1", "web:v2")},
		{name: "placeholder that stays", config: config("SetImages", "{images: [{name: shop/web, newName: web}]}"), fails: true, answer: Unknown,
			objects: set(pod, "web:v1", "web:{TAG}"), lines: "Pod shop/web: spec.containers[0].image: image \"shop/web:{TAG}\" is no image reference: byte 10: character \"{\" in the tag"},
		{name: "unused", config: config("SetImages", "{images: [{name: shop/wep, newTag: v2}]}"),
			lines: "warning: no image is named \"shop/wep\"\nhint: did you mean shop/web?"},
		{name: "nothing", config: config("SetImages", "{images: []}"), fails: true,
			lines: "SetImages f: spec.images: is empty\nhint: - {name: IMAGE, newTag: TAG}"},
		{name: "changes nothing", config: config("SetImages", "{images: [{name: a}, {name: a, newTag: b}]}"), fails: true,
			lines: "SetImages f: spec.images[0]: changes nothing\nhint: add newName, newTag or digest\nSetImages f: spec.images[1]: is a second entry for image \"a\"\nhint: keep one of them"},
		{name: "malformed", config: config("SetImages", "{images: [{name: a, newTag: 'v 1', digest: 'sha256:1', newName: 'A'}]}"), fails: true,
			lines: "SetImages f: spec.images[0].newName: \"A\" is malformed\nSetImages f: spec.images[0].newTag: \"v 1\" is malformed\nSetImages f: spec.images[0].digest: \"sha256:1\" is malformed"},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestPromotionGuard(t *testing.T) {
	pinned := set(pod, "shop/web:v1", "shop/web:v1@"+digestA)
	for _, tc := range []functionCase{
		{name: "same", config: config("PromotionGuard", "{overlay: ../staging, ignore: [busybox]}"), objects: pinned, files: staging(digestA)},
		{name: "by lock", config: config("PromotionGuard", "{lock: ../images.lock, ignore: [busybox]}"), objects: pinned, files: lockOf("any/name:v7 " + digestA)},
		{name: "another", config: config("PromotionGuard", "{overlay: ../staging, ignore: [busybox]}"), objects: pinned, files: staging(digestB), fails: true, answer: No,
			lines: "Pod shop/web: spec.containers[0].image: image \"shop/web:v1@" + digestA + "\" has a digest that is not in ../staging/kustomization.yaml, which has " + digestB + "\nhint: promote it to that environment first"},
		{name: "by tag alone", config: config("PromotionGuard", "{overlay: ../staging, ignore: [busybox]}"), objects: pinned, fails: true, answer: Unknown,
			files: map[string]string{"staging/kustomization.yaml": "images:\n- {name: shop/web, newTag: v1}\n"},
			lines: "Pod shop/web: spec.containers[0].image: image \"shop/web:v1@" + digestA + "\": ../staging/kustomization.yaml has it as shop/web:v1, without a digest to compare with\nhint: pin it there: kubectl promote resolve shop/web:v1 --pin"},
		{name: "unpinned", config: config("PromotionGuard", "{overlay: ../staging, ignore: [shop/*]}"), objects: pinned, files: staging(digestA), fails: true, answer: No,
			lines: "Pod shop/web: spec.initContainers[0].image: image \"busybox:1.36\" is not pinned by digest\nhint: PinImages, or kubectl promote resolve busybox:1.36"},
		{name: "nothing named", config: config("PromotionGuard", "{}"), fails: true,
			lines: "PromotionGuard f: spec: names no environment to compare with\nhint: overlay: ../staging"},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestImageInventory(t *testing.T) {
	pinned := set(pod, "shop/web:v1", "shop/web:v1@"+digestA)
	added := `---
apiVersion: v1
data:
  images.json: |
    [
    {"apiVersion":"v1","kind":"Pod","namespace":"shop","name":"web","field":"spec.containers[0].image","image":"shop/web:v1@DIGEST","digest":"DIGEST"},
    {"apiVersion":"v1","kind":"Pod","namespace":"shop","name":"web","field":"spec.initContainers[0].image","image":"busybox:1.36"}
    ]
kind: ConfigMap
metadata:
  annotations:
    kubepromote.dev/function: ImageInventory
  name: f
`
	added = set(added, "DIGEST", digestA)
	for _, tc := range []functionCase{
		{name: "added", config: config("ImageInventory", "{}"), objects: pinned, want: pinned + added},
		{name: "brought up to date", config: config("ImageInventory", "{}"), objects: pinned + set(added, "busybox", "another"), want: pinned + added},
		{name: "a name taken", config: config("ImageInventory", "{name: taken}"), objects: pod + "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: taken\n", fails: true,
			lines: "ImageInventory f: spec.name: there is a ConfigMap \"taken\" already, and it is no inventory\nhint: give the inventory another name"},
		{name: "malformed", config: config("ImageInventory", "{name: A b}"), fails: true,
			lines: "ImageInventory f: spec.name: \"A b\" is malformed\nhint: lower case letters, digits, - and ."},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestImageInventoryOfNothing(t *testing.T) {
	list := &framework.ResourceList{FunctionConfig: yaml.MustParse(config("ImageInventory", "{}"))}
	err := (&Host{}).Processor(t.Context()).Process(list)
	if err == nil || !strings.Contains(err.Error(), "hint: list the function in transformers") {
		t.Error(err)
	}
}

const policy = `apiVersion: kubepromote.dev/v1alpha1
kind: VerificationPolicy
spec:
  unmatched: UNMATCHED
  rules:
  - images: ["**/shop/*"]
    authorities:
    - {name: release, key: {file: keys/cosign.pub}}
`

const publicKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfPibS3dXKbxU9GIWJJueJ8DwPeyV
yaxYshiU2B6kLUNXgL0i+jgMakbwKNQaBZCskapd7a9HxAulVm2vg3QFWw==
-----END PUBLIC KEY-----
`

// policyFiles has the policy and, beside it, its key.
func policyFiles(unmatched string) map[string]string {
	return map[string]string{"policies/images.yaml": set(policy, "UNMATCHED", unmatched), "policies/keys/cosign.pub": publicKey}
}

// approvals has a policy that asks for approvals.
func approvals() map[string]string {
	files := policyFiles("reject")
	files["policies/images.yaml"] = strings.Replace(files["policies/images.yaml"], "key: {file: keys/cosign.pub}", "key: {file: keys/cosign.pub}, attestations: [{predicateType: approval}]", 1)
	return files
}

func TestVerifyImages(t *testing.T) {
	host, digest, stop := testRegistry(t)
	onePod := "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{image: 'IMAGE'}]}\n"
	image := host + "/shop/web@" + digest
	withPolicy := config("VerifyImages", "{policy: ../policies/images.yaml, registry: true}")
	for _, tc := range []functionCase{
		{name: "pinned", config: config("VerifyImages", "{}"), objects: set(onePod, "IMAGE", "a@"+digestA)},
		{name: "no spec", config: "apiVersion: kubepromote.dev/v1alpha1\nkind: VerifyImages\n", objects: set(onePod, "IMAGE", "a@"+digestA)},
		{name: "unpinned", config: config("VerifyImages", "{}"), objects: set(onePod, "IMAGE", "a"), fails: true, answer: No,
			lines: "Pod x: spec.containers[0].image: image \"a\" is not pinned by digest\nhint: give it a tag, and pin that"},
		// An image that nobody can read is never passed over: it was, beside one that is
		// signed.
		{name: "no reference", config: config("VerifyImages", "{}"), objects: set(onePod, "IMAGE", "web:{TAG}"), fails: true, answer: Unknown,
			lines: "Pod x: spec.containers[0].image: image \"web:{TAG}\" is no image reference: byte 5: character \"{\" in the tag"},
		{name: "no text", config: config("VerifyImages", "{}"), objects: set(onePod, "'IMAGE'", "{repository: web, digest: '"+digestA+"'}"), fails: true, answer: Unknown,
			lines: "Pod x: spec.containers[0].image: the image is a mapping, and no image reference\nhint: name in spec.fields what stands there: spec.image"},
		{name: "declared", config: config("VerifyImages", "{fields: ['spec.containers[*].image']}"), objects: set(onePod, "'IMAGE'", "{repository: web, digest: '"+digestA+"'}")},
		// Approvals are for an environment; without one there is no answer.
		{name: "environment without policy", config: config("VerifyImages", "{environment: staging}"), fails: true,
			lines: "VerifyImages f: spec.environment: is of no use without a policy\nhint: policy: FILE"},
		{name: "twice", config: config("VerifyImages", "{}"), objects: set(onePod, "'IMAGE'", "a@"+digestA+", image: b"), fails: true,
			lines: "VerifyImages f: items[0]: the key \"image\" stands twice in a mapping\nhint: keep one of them"},
		{name: "unsigned", config: withPolicy, objects: set(onePod, "IMAGE", image), files: policyFiles("reject"), fails: true, answer: No,
			lines: "Pod x: spec.containers[0].image: image \"" + image + "\" is refused by ../policies/images.yaml:6:5: no signature found"},
		{name: "unmatched", config: withPolicy, objects: set(onePod, "IMAGE", host+"/other/web@"+digest), files: policyFiles("allow")},
		// One that cannot be read is no answer, neither yes nor no.
		{name: "template", config: config("VerifyImages", "{}"), objects: set(onePod, "IMAGE", "web:{TAG}"), fails: true, answer: Unknown,
			lines: "Pod x: spec.containers[0].image: image \"web:{TAG}\" is no image reference: byte 5: character \"{\" in the tag"},
		// An approval for staging opened production.
		{name: "approval and no environment", config: withPolicy, objects: set(onePod, "IMAGE", image), files: approvals(), fails: true, answer: Unknown,
			lines: "Pod x: spec.containers[0].image: image \"" + image + "\" could not be verified by ../policies/images.yaml:6:5: the policy asks about an environment, and none is given\nhint: environment: ENVIRONMENT in the spec of VerifyImages, or kubectl promote build DIR --env ENVIRONMENT"},
		{name: "approval for an environment", config: config("VerifyImages", "{policy: ../policies/images.yaml, registry: true, environment: production}"),
			objects: set(onePod, "IMAGE", image), files: approvals(), fails: true, answer: No,
			lines: "Pod x: spec.containers[0].image: image \"" + image + "\" is refused by ../policies/images.yaml:6:5: nobody has approved it for \"production\""},
		{name: "environment without policy", config: config("VerifyImages", "{environment: production}"), fails: true,
			lines: "VerifyImages f: spec.environment: is of no use without a policy\nhint: policy: FILE"},
		{name: "policy without registry", config: config("VerifyImages", "{policy: p.yaml}"), fails: true,
			lines: "VerifyImages f: spec.policy: needs a place where signatures are\nhint: evidence: DIR, or registry: true"},
		{name: "registry without policy", config: config("VerifyImages", "{registry: true}"), fails: true,
			lines: "VerifyImages f: spec.registry: is of no use without a policy\nhint: policy: FILE"},
		{name: "evidence without policy", config: config("VerifyImages", "{evidence: dir}"), fails: true,
			lines: "VerifyImages f: spec.evidence: is of no use without a policy\nhint: policy: FILE"},
		{name: "no evidence", config: config("VerifyImages", "{policy: ../policies/images.yaml, evidence: ../layout}"), objects: set(onePod, "IMAGE", image), files: policyFiles("reject"), fails: true,
			lines: "VerifyImages f: ../layout: no such file or directory"},
		{name: "bad policy", config: withPolicy, files: map[string]string{"policies/images.yaml": "kind: X\n"}, fails: true,
			lines: "VerifyImages f: ../policies/images.yaml:1:1: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.name == "bad policy" {
				_, _, err := call(t, tc.config, pod, tc.files)
				if err == nil || !strings.Contains(err.Error(), tc.lines) {
					t.Error(err)
				}
				return
			}
			tc.run(t)
		})
	}
	stop()
	functionCase{config: withPolicy, objects: set(onePod, "IMAGE", image), files: policyFiles("reject"), fails: true, answer: Unknown,
		lines: "Pod x: spec.containers[0].image: image \"" + image + "\" could not be verified by ../policies/images.yaml:6:5: cannot read " + strings.Replace(image, "@sha256:", ":sha256-", 1) + ".sig: connection refused (and 1 more)"}.run(t)
}

func TestPinImagesFromRegistry(t *testing.T) {
	host, digest, stop := testRegistry(t)
	onePod := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  containers:\n  - image: " + host + "/shop/web:TAG\n"
	c := config("PinImages", "{registry: true}")
	functionCase{config: c, objects: set(onePod, "TAG", "v1"), want: set(onePod, "TAG", "v1@"+digest)}.run(t)
	functionCase{config: c, objects: set(onePod, "TAG", "v2"), fails: true, answer: No,
		lines: "Pod x: spec.containers[0].image: image \"" + host + "/shop/web:v2\" has no digest: " + host + ": tag \"v2\" of \"shop/web\" not found"}.run(t)
	stop()
	functionCase{config: c, objects: set(onePod, "TAG", "v1"), fails: true, answer: Unknown,
		lines: "Pod x: spec.containers[0].image: image \"" + host + "/shop/web:v1\" could not be resolved: " + host + ": tag \"v1\" of \"shop/web\": connection refused"}.run(t)
}

// testRegistry has an image shop/web:v1 that nobody has signed.
func testRegistry(t *testing.T) (host, digest string, stop func()) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	img, err := random.Image(16, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/shop/web:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return host, h.String(), server.Close
}

// The file of an object is the one that its host names, unless that is made up.
func TestFile(t *testing.T) {
	for _, tc := range []struct {
		annotations map[string]string
		want        *framework.File
	}{
		{nil, nil},
		{map[string]string{"internal.config.kubernetes.io/path": "a.yaml", "internal.config.kubernetes.io/index": "2"}, &framework.File{Path: "a.yaml", Index: 2}},
		{map[string]string{"config.kubernetes.io/path": "a.yaml", "config.kubernetes.io/index": "x"}, &framework.File{Path: "a.yaml"}},
		{map[string]string{"config.kubernetes.io/path": "pod_a.yaml", "kustomize.config.k8s.io/id": "kind: Pod"}, nil},
		{map[string]string{"config.kubernetes.io/origin": "path: base/a.yaml\nref: main\n", "kustomize.config.k8s.io/id": "kind: Pod"}, &framework.File{Path: "base/a.yaml"}},
	} {
		item := yaml.MustParse("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")
		if err := item.SetAnnotations(tc.annotations); err != nil {
			t.Fatal(err)
		}
		if got := file(item); (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
			t.Errorf("%v: %v", tc.annotations, got)
		}
	}
}

// A placeholder in the place of a tag is what kustomize replaces; SetImages refused the
// object. Entries apply in their order, so that one may be about the name that another
// has given.
func TestSetImagesPlaceholderAndChain(t *testing.T) {
	config := "apiVersion: kubepromote.dev/v1alpha1\nkind: SetImages\nmetadata: {name: x}\n" +
		"spec: {images: [{name: web, newName: r.example.com/web}, {name: r.example.com/web, newTag: v2}]}\n"
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"web:{TAG}\"}]}\n"
	items, results, err := call(t, config, pod, map[string]string{})
	if err != nil || results.ExitCode() != 0 || !strings.Contains(items, "r.example.com/web:v2") {
		t.Errorf("%v %v\n%s", err, results, items)
	}
}
