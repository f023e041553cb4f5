package lock_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/lock"
)

const imagesLockHead = "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\n"

// A file as kbld writes it is read, and written again byte for byte.
func TestImagesLock(t *testing.T) {
	data, err := os.ReadFile("testdata/imageslock/kbld.yml")
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.ParseImagesLock("kbld.yml", data)
	if err != nil {
		t.Fatal(err)
	}
	written, err := l.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(written)); diff != "" {
		t.Errorf("(-read +written):\n%s", diff)
	}
	locked, unnamed, err := l.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"sample-app"}, unnamed); diff != "" {
		t.Errorf("unnamed (-want +got):\n%s", diff)
	}
	want := lockFile("nginx:1.14.2 {D} -", "registry.example.com/shop/sample-app@{E} {E} -")
	if diff := cmp.Diff(want, string(locked.Bytes())); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
}

func TestLockAsImagesLock(t *testing.T) {
	l := parseLock(t, lockFile("r.io/b@{E} {E} {I}", "nginx:1 {D} {I} linux/amd64={E}"))
	got, err := l.ImagesLock().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := "---\napiVersion: imgpkg.carvel.dev/v1alpha1\nimages:\n" +
		"- annotations:\n    kbld.carvel.dev/id: nginx:1\n  image: index.docker.io/library/nginx@" + registrytest.SomeDigest + "\n" +
		"- annotations:\n    kbld.carvel.dev/id: r.io/b@" + otherDigest + "\n  image: r.io/b@" + otherDigest + "\n" +
		"kind: ImagesLock\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	read, err := lock.ParseImagesLock("kbld.yml", got)
	if err != nil {
		t.Fatal(err)
	}
	back, unnamed, err := read.Lock()
	if want := lockFile("nginx:1 {D} -", "r.io/b@{E} {E} -"); err != nil || unnamed != nil || string(back.Bytes()) != want {
		t.Errorf("back again: %v, %q\n%s", err, unnamed, back.Bytes())
	}
	if empty, err := (&lock.Lock{}).ImagesLock().Bytes(); err != nil || string(empty) != "---\n"+imagesLockHead {
		t.Errorf("empty: %v\n%s", err, empty)
	}
}

// manyFields is the inside of a mapping with n fields.
func manyFields(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, "a%d: b, ", i)
	}
	return s.String()
}

func TestParseImagesLockFaults(t *testing.T) {
	item := imagesLockHead + "images:\n"
	for name, tt := range map[string]struct{ in, want string }{
		"empty":        {"", "l.yml: is empty"},
		"large":        {strings.Repeat("#", 4<<20+1), "l.yml: is larger than 4 MiB"},
		"not YAML":     {"a: b: c\n", "l.yml:1:1: not valid YAML: mapping values are not allowed in this context"},
		"not YAML 3":   {imagesLockHead + "---\n- ]\n", "l.yml:3:1: not valid YAML: did not find expected node content"},
		"many notes":   {item + "- image: a@" + registrytest.SomeDigest + "\n  annotations: {" + manyFields(257) + "}\n", `l.yml:5:16: images[0].annotations has more than 256 annotations`},
		"a list":       {"- a\n", "l.yml:1:1: the document is a list, not a mapping"},
		"another kind": {"apiVersion: v1\nkind: List\n", `l.yml:1:1: kind "List" of apiVersion "v1" is not ImagesLock of imgpkg.carvel.dev/v1alpha1`},
		"no kind":      {"images: []\n", `l.yml:1:1: kind "" of apiVersion "" is not ImagesLock of imgpkg.carvel.dev/v1alpha1`},
		"unknown":      {imagesLockHead + "spec: 1\n", `l.yml:3:1: unknown field "spec"`},
		"twice":        {imagesLockHead + "kind: ImagesLock\n", `l.yml:3:1: duplicate field "kind"`},
		"two":          {imagesLockHead + "---\na: b\n", `l.yml:3:1: a second document`},
		"no list":      {imagesLockHead + "images: {}\n", `l.yml:3:9: images is a mapping, not a list`},
		"no mapping":   {item + "- a\n", `l.yml:4:3: images[0] is a string, not a mapping`},
		"no image":     {item + "- {}\n", `l.yml:4:3: images[0].image is missing`},
		"number":       {item + "- image: 1\n", `l.yml:4:10: images[0].image is a number, not a string`},
		"tag":          {item + "- image: a:1\n", `l.yml:4:10: images[0].image has no digest`},
		"alias":        {item + "- &a\n  image: a@" + registrytest.SomeDigest + "\n- *a\n", `l.yml:6:3: aliases are not supported in this file`},
		"annotations":  {item + "- image: a@" + registrytest.SomeDigest + "\n  annotations: []\n", `l.yml:5:16: images[0].annotations is a list, not a mapping`},
		"annotation":   {item + "- image: a@" + registrytest.SomeDigest + "\n  annotations: {a: true}\n", `l.yml:5:20: images[0].annotations.a is a boolean, not a string`},
		"annotation 2": {item + "- image: a@" + registrytest.SomeDigest + "\n  annotations: {a: b, a: c}\n", `l.yml:5:23: duplicate field "a"`},
		"merge":        {item + "- image: a@" + registrytest.SomeDigest + "\n  annotations: {<<: x}\n", `l.yml:1:1: is not an ImagesLock that can be read`},
		"many":         {imagesLockHead + "images: [" + strings.Repeat("{image: a@"+registrytest.SomeDigest+"},", 10_001) + "]\n", `l.yml:3:9: more than 10000 images`},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := lock.ParseImagesLock("l.yml", []byte(tt.in))
			if err == nil || err.Error() != tt.want || l != nil {
				t.Fatalf("got\n%v\nwant\n%s", err, tt.want)
			}
			var e *lock.FileError
			if !errors.As(err, &e) {
				t.Errorf("%#v is no *FileError", err)
			}
		})
	}
}

func TestImagesLockFaults(t *testing.T) {
	image := func(ref, id string) lock.LockedImage {
		return lock.LockedImage{Image: ref, Annotations: map[string]string{"kbld.carvel.dev/id": id}}
	}
	for want, images := range map[string][]lock.LockedImage{
		"is locked twice, as " + registrytest.SomeDigest + " and as " + otherDigest: {
			image("a@"+registrytest.SomeDigest, "a:1"), image("a@"+otherDigest, "docker.io/library/a:1"),
		},
		"it names another digest": {image("a@"+registrytest.SomeDigest, "a:1@"+otherDigest)},
		"byte 1: empty part":      {image("/a@"+registrytest.SomeDigest, "a:1")},
	} {
		if got, _, err := (&lock.ImagesLock{Images: images}).Lock(); err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, ref := range []string{"a:1", "A"} {
		if _, err := (&lock.ImagesLock{Images: []lock.LockedImage{image(ref, "a:1")}}).Bytes(); !errors.Is(err, digest.ErrMalformed) {
			t.Errorf("%q is written: %v", ref, err)
		}
	}
}

func FuzzParseImagesLock(f *testing.F) {
	data, err := os.ReadFile("testdata/imageslock/kbld.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(data), imagesLockHead, imagesLockHead + "images: []\n", "- a\n", "&a [*a]\n", imagesLockHead + "---\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := lock.ParseImagesLock("l.yml", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "l.yml:") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		written, err := l.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := lock.ParseImagesLock("l.yml", written)
		if err != nil || len(again.Images) != len(l.Images) {
			t.Fatalf("what was written is not read: %v\n%s", err, written)
		}
		twice, err := again.Bytes()
		if err != nil || !bytes.Equal(twice, written) {
			t.Fatalf("%v: %q is written again as %q", err, written, twice)
		}
		if locked, _, err := l.Lock(); err == nil {
			if _, err := locked.ImagesLock().Bytes(); err != nil {
				t.Fatalf("and back: %v", err)
			}
		}
	})
}

func ExampleLock_ImagesLock() {
	var l lock.Lock
	if err := l.Set(lock.Locked{Ref: "nginx:1.27", Digest: registrytest.SomeDigest}); err != nil {
		fmt.Println(err)
		return
	}
	file, err := l.ImagesLock().Bytes()
	fmt.Printf("%s%v\n", file, err)
	// Output:
	// ---
	// apiVersion: imgpkg.carvel.dev/v1alpha1
	// images:
	// - annotations:
	//     kbld.carvel.dev/id: nginx:1.27
	//   image: index.docker.io/library/nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	// kind: ImagesLock
	// <nil>
}

// Update changes digests and adds images; what it does not know stays.
func TestImagesLockUpdate(t *testing.T) {
	file := &lock.ImagesLock{Images: []lock.LockedImage{
		{Image: "mirror.io/b@" + registrytest.SomeDigest, Annotations: map[string]string{"kbld.carvel.dev/id": "r.io/b:1", "x": "y"}},
		{Image: "r.io/app@" + registrytest.SomeDigest, Annotations: map[string]string{"kbld.carvel.dev/id": "sample-app"}},
		{Image: "r.io/c@" + registrytest.SomeDigest},
	}}
	locked, _, err := file.Lock()
	if err != nil {
		t.Fatal(err)
	}
	same, err := file.Update(locked)
	if diff := cmp.Diff(file, same); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, ref := range []string{"r.io/b:1", "r.io/a:1"} {
		if err := locked.Set(lock.Locked{Ref: ref, Digest: otherDigest}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := file.Update(locked)
	want := &lock.ImagesLock{Images: []lock.LockedImage{
		{Image: "mirror.io/b@" + otherDigest, Annotations: map[string]string{"kbld.carvel.dev/id": "r.io/b:1", "x": "y"}},
		file.Images[1], file.Images[2],
		{Image: "r.io/a@" + otherDigest, Annotations: map[string]string{"kbld.carvel.dev/id": "r.io/a:1"}},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
