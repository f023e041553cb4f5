package lock_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/lock"
)

const otherDigest = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

// lockFile writes a lock file with D and E for two digests and I for the media
// type of an index.
func lockFile(lines ...string) string {
	text := "images.lock v1\n"
	for _, line := range lines {
		text += line + "\n"
	}
	return strings.NewReplacer("{D}", registrytest.SomeDigest, "{E}", otherDigest, "{I}", registrytest.IndexType).Replace(text)
}

func parseLock(t testing.TB, text string) *lock.Lock {
	t.Helper()
	l, err := lock.ParseLock("images.lock", []byte(text))
	if err != nil {
		t.Fatalf("ParseLock: %v in\n%s", err, text)
	}
	return l
}

func TestParseLock(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"empty": {lockFile(), lockFile()},
		"canonical": {
			lockFile("# kept", "a:1 {D} -", "registry.example.com/shop/cart:v1 {E} {I} linux/amd64=sha256:"+registrytest.SomeHex),
			"",
		},
		"sorted by meaning": {
			lockFile("z:1 {D} -", "docker.io/library/a:1 {D} -", "r.io/a:2 {D} -"),
			lockFile("docker.io/library/a:1 {D} -", "z:1 {D} -", "r.io/a:2 {D} -"),
		},
		"platforms sorted": {
			lockFile("a:1 {D} {I} linux/arm/v7={E} linux/amd64={D} windows/amd64:10.0.1={E}"),
			lockFile("a:1 {D} {I} linux/amd64={D} linux/arm/v7={E} windows/amd64:10.0.1={E}"),
		},
		"line endings": {strings.ReplaceAll(lockFile("a:1 {D} -", "# c"), "\n", "\r\n"), lockFile("a:1 {D} -", "# c")},
		"no last line end": {
			strings.TrimSuffix(lockFile("a:1 {D} -"), "\n"), lockFile("a:1 {D} -"),
		},
		"twice the same": {
			lockFile("# one", "docker.io/library/a:1 {D} {I}", "# one", "# two", "a:1 {D} {I}"),
			lockFile("# one", "# two", "a:1 {D} {I}"),
		},
		"comments move": {
			lockFile("# of b", "b:1 {D} -", "# of a  ", "a:1 {D} -", "# end"),
			lockFile("# of a", "a:1 {D} -", "# of b", "b:1 {D} -", "# end"),
		},
		"comment of the file": {
			lockFile("# top", "", "", "# of b", "b:1 {D} -", "", "a:1 {D} -", ""),
			lockFile("# top", "", "a:1 {D} -", "# of b", "b:1 {D} -"),
		},
		"by digest": {lockFile("a@{D} {D} {I}"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.want == "" {
				tt.want = tt.in
			}
			got := parseLock(t, tt.in).Bytes()
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := parseLock(t, string(got)).Bytes(); !bytes.Equal(got, again) {
				t.Errorf("written again as\n%s", again)
			}
		})
	}
}

func TestParseLockFaults(t *testing.T) {
	many := lockFile()
	for range 100 {
		many += "!\n"
	}
	for name, tt := range map[string]struct{ in, want string }{
		"empty":         {"", `images.lock: is empty, the first line is to be "images.lock v1"`},
		"another file":  {"{}\n", `images.lock:1:1: the first line is not "images.lock v1"`},
		"newer":         {"images.lock v2\na\n", `images.lock:1:14: version v2 of the lock file is not known, this is v1`},
		"large":         {strings.Repeat("#", 16<<20+1), `images.lock: is larger than 16 MiB`},
		"long line":     {lockFile(strings.Repeat("a", 16<<10+1)), `images.lock:2:16385: line longer than 16384 bytes`},
		"two spaces":    {lockFile("a:1  {D} -"), `images.lock:2:5: space at the start or end of the line, or two in a row`},
		"tab":           {lockFile("a:1\t{D} -"), `images.lock:2:4: tab, fields are separated by one space`},
		"fields":        {lockFile("a:1 {D}"), `images.lock:2:76: the line ends after 2 of 3 fields: reference, digest, media type or "-"`},
		"reference":     {lockFile("shop/Cart:1 {D} -"), `images.lock:2:6: upper case letter "C" in the repository`},
		"no tag":        {lockFile("shop {D} -"), `images.lock:2:5: neither tag nor digest, "latest" is not assumed: write shop:TAG or shop@sha256:…`},
		"tag, digest":   {lockFile("a:1@{D} {D} -"), `images.lock:2:4: digest in a reference with a tag, the digest has a field of its own`},
		"other digest":  {lockFile("a@{D} {E} -"), `images.lock:2:75: another digest than the reference has`},
		"digest":        {lockFile("a:1 sha256:0 -"), `images.lock:2:13: digest has 1 hexadecimal digits, not 64`},
		"media type":    {lockFile("a:1 {D} text"), `images.lock:2:77: media type is not of the form type/subtype`},
		"media types":   {lockFile("a:1 {D} a/b/c"), `images.lock:2:77: media type is not of the form type/subtype`},
		"media byte":    {lockFile("a:1 {D} a/(b"), `images.lock:2:79: character "(" in the media type`},
		"platform":      {lockFile("a:1 {D} - linux={D}"), `images.lock:2:79: platform is not of the form os/architecture or os/architecture/variant, such as linux/amd64`},
		"platform byte": {lockFile("a:1 {D} - linux/a?={D}"), `images.lock:2:86: character "?" in the platform`},
		"no equals":     {lockFile("a:1 {D} - linux/amd64"), `images.lock:2:90: no "=" and digest behind the platform`},
		"platform hash": {lockFile("a:1 {D} - linux/amd64=x"), `images.lock:2:91: digest does not start with "sha256:"`},
		"platform x2":   {lockFile("a:1 {D} - l/a={D} l/a={D}"), `images.lock:2:155: platform "l/a" stands twice`},
		"platforms":     {lockFile("a:1 {D} -" + manyPlatforms(65)), `images.lock:2:5327: more than 64 platforms`},
		"long type":     {lockFile("a:1 {D} a/" + strings.Repeat("b", 254)), `images.lock:2:332: media type longer than 255 bytes`},
		"long platform": {lockFile("a:1 {D} - linux/" + strings.Repeat("b", 123) + "={D}"), `images.lock:2:207: platform longer than 128 bytes`},
		"control":       {lockFile("# äöü\x1b[0m"), `images.lock:2:6: character "\x1b"`},
		"not UTF-8":     {lockFile("# ä\xff"), `images.lock:2:4: character "\xff"`},
		"merge": {
			lockFile("<<<<<<< HEAD", "a:1 {D} -", "=======", "a:1 {D} -", ">>>>>>> branch"),
			"images.lock:2:1: conflict marker of a merge\nimages.lock:4:1: conflict marker of a merge\nimages.lock:6:1: conflict marker of a merge",
		},
		"merge at the top": {"<<<<<<< HEAD\nimages.lock v1\n", "images.lock:1:1: conflict marker of a merge"},
		"two digests": {
			lockFile("a:1 {D} -", "b:1 {D} -", "docker.io/library/a:1 {E} -"),
			`images.lock:4:1: image "docker.io/library/a:1" is ` + otherDigest + ` here and ` + registrytest.SomeDigest + ` at images.lock:2:1`,
		},
		"two types": {
			lockFile("a:1 {D} -", "a:1 {D} {I}"),
			`images.lock:3:1: image "a:1" is "` + registrytest.IndexType + `" here and "" at images.lock:2:1`,
		},
		"two platforms": {
			lockFile("a:1 {D} -", "a:1 {D} - linux/amd64={D}"),
			`images.lock:3:1: image "a:1" has other platforms here than at images.lock:2:1`,
		},
		"many faults": {many, strings.Repeat("\n", 19)},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := lock.ParseLock("images.lock", []byte(tt.in))
			if err == nil || l != nil {
				t.Fatalf("no error, want %s", tt.want)
			}
			if name == "many faults" {
				if n := strings.Count(err.Error(), "\n"); n != 19 {
					t.Errorf("%d faults, want 20", n+1)
				}
				return
			}
			if err.Error() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", err, tt.want)
			}
			var e *lock.FileError
			if !errors.As(err, &e) || e.File != "images.lock" {
				t.Errorf("%#v is no *FileError", err)
			}
		})
	}
}

// The hints of the two faults that a merge leaves say what to do.
func TestParseLockHints(t *testing.T) {
	for _, in := range []string{
		lockFile("a:1 {D} -", "a:1 {E} -"),
		lockFile("=======", "a:1 {E} -"),
	} {
		_, err := lock.ParseLock("deploy/images.lock", []byte(in))
		var e *lock.FileError
		if !errors.As(err, &e) {
			t.Fatalf("%v is no *FileError", err)
		}
		if do, with := e.AdviceData(); do != lock.DoUpdateLock || with["lock"] != "deploy/images.lock" || with["before"] == "" {
			t.Errorf("%v: advice %q %q", err, do, with)
		}
	}
}

func TestLockLookup(t *testing.T) {
	l := parseLock(t, lockFile("nginx:1 {D} {I} linux/amd64={E}", "r.io/a:1 {D} -", "r.io/a@{E} {E} -"))
	for ref, want := range map[string]string{
		"nginx:1":                            registrytest.SomeDigest,
		"docker.io/library/nginx:1":          registrytest.SomeDigest,
		"index.docker.io/nginx:1":            registrytest.SomeDigest,
		"nginx:1@" + registrytest.SomeDigest: registrytest.SomeDigest,
		"nginx:1@" + otherDigest:             "",
		"nginx@" + registrytest.SomeDigest:   "",
		"nginx:2":                            "",
		"nginx":                              "",
		"r.io/a:1":                           registrytest.SomeDigest,
		"r.io/a@" + otherDigest:              otherDigest,
		"r.io/a:1@" + otherDigest:            otherDigest,
		"r.io/a:gone@" + otherDigest:         otherDigest,
		"registry.example.com/library/a:1":   "",
	} {
		got, ok := l.Lookup(ref)
		if got.Digest != want || ok != (want != "") {
			t.Errorf("Lookup(%q) is %+v, %v", ref, got, ok)
		}
	}
	got, _ := l.Lookup("nginx:1")
	got.Platforms[0].Digest = "changed"
	if got, _ := l.Lookup("nginx:1"); got.Platforms[0].Digest != otherDigest {
		t.Error("an entry can be changed from outside")
	}
}

func TestLockSet(t *testing.T) {
	var l lock.Lock
	set := func(ref, dgst string, platforms ...string) {
		t.Helper()
		e := lock.Locked{Ref: ref, Digest: dgst, MediaType: registrytest.IndexType}
		for _, p := range platforms {
			e.Platforms = append(e.Platforms, lock.LockedPlatform{Platform: p, Digest: otherDigest})
		}
		if err := l.Set(e); err != nil {
			t.Fatal(err)
		}
	}
	set("r.io/b:1", registrytest.SomeDigest)
	set("a:1@"+registrytest.SomeDigest, registrytest.SomeDigest, "linux/arm64", "linux/amd64")
	set("r.io/b:1", otherDigest)
	set("c@"+registrytest.SomeDigest, registrytest.SomeDigest)
	want := lockFile("a:1 {D} {I} linux/amd64={E} linux/arm64={E}", "c@{D} {D} {I}", "r.io/b:1 {E} {I}")
	if diff := cmp.Diff(want, string(l.Bytes())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a:1", "c@" + registrytest.SomeDigest, "r.io/b:1"}, l.Refs()); diff != "" {
		t.Errorf("Refs (-want +got):\n%s", diff)
	}
	if !l.Remove("docker.io/library/a:1") || l.Remove("a:1") || l.Remove("a") {
		t.Error("Remove does not remove once")
	}
	if refs := l.Refs(); len(refs) != 2 {
		t.Errorf("left are %q", refs)
	}
}

func TestLockBounds(t *testing.T) {
	var text strings.Builder
	text.WriteString(lockFile())
	for i := range 100_000 {
		fmt.Fprintf(&text, "a:%d %s -\n", i, registrytest.SomeDigest)
	}
	l := parseLock(t, text.String())
	err := l.Set(lock.Locked{Ref: "b:1", Digest: registrytest.SomeDigest})
	if !errors.Is(err, digest.ErrMalformed) || !strings.HasSuffix(err.Error(), "more than 100000 images") {
		t.Errorf("Set: %v", err)
	}
	if err := l.Set(lock.Locked{Ref: "a:1", Digest: otherDigest}); err != nil {
		t.Errorf("Set of one that is there: %v", err)
	}
	text.WriteString("b:1 " + registrytest.SomeDigest + " -\n")
	if _, err := lock.ParseLock("images.lock", []byte(text.String())); err == nil || err.Error() != "images.lock:100002:1: more than 100000 images" {
		t.Errorf("ParseLock: %v", err)
	}
}

func TestLockSetFaults(t *testing.T) {
	platforms := func(ps ...lock.LockedPlatform) lock.Locked {
		return lock.Locked{Ref: "a:1", Digest: registrytest.SomeDigest, Platforms: ps}
	}
	var many []lock.LockedPlatform
	for i := range 65 {
		many = append(many, lock.LockedPlatform{Platform: fmt.Sprintf("linux/a%d", i), Digest: registrytest.SomeDigest})
	}
	for want, entry := range map[string]lock.Locked{
		`reference "a": byte 2: neither tag`:                  {Ref: "a", Digest: registrytest.SomeDigest},
		`cannot be locked: digest does not start`:             {Ref: "a:1", Digest: "x"},
		`cannot be locked as ` + otherDigest + `, it names`:   {Ref: "a:1@" + registrytest.SomeDigest, Digest: otherDigest},
		`byte 4 of the media type: character " "`:             {Ref: "a:1", Digest: registrytest.SomeDigest, MediaType: "a/b c"},
		`byte 1 of platform "linux": platform is not`:         platforms(lock.LockedPlatform{Platform: "linux", Digest: registrytest.SomeDigest}),
		`byte 1 of platform "linux/x": digest does not start`: platforms(lock.LockedPlatform{Platform: "linux/x"}),
		`cannot be locked: more than 64 platforms`:            platforms(many...),
		`byte 1 of platform "linux/a0": stands twice`:         platforms(many[0], many[0]),
	} {
		var l lock.Lock
		err := l.Set(entry)
		if !errors.Is(err, digest.ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if len(l.Refs()) != 0 {
			t.Errorf("%s: and yet it is locked", want)
		}
	}
}

// Git itself merges two branches that both add and change images.
func TestLockMerge(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("no git on this machine: merging lock files is not tested")
	}
	base := lockFile("b:1 {D} -", "m:1 {D} -", "q:1 {D} -", "x:1 {D} -")
	ours := lockFile("a:1 {D} -", "b:1 {D} -", "m:1 {E} -", "q:1 {D} -", "x:1 {D} -")
	theirs := lockFile("b:1 {D} -", "m:1 {D} -", "q:1 {D} -", "x:1 {E} -", "y:1 {D} -")
	beside := lockFile("aa:1 {D} -", "b:1 {D} -", "m:1 {D} -", "q:1 {D} -", "x:1 {D} -")
	against := lockFile("b:1 {D} -", "m:1 "+digestOf('c')+" -", "q:1 {D} -", "x:1 {D} -")
	for name, tt := range map[string]struct {
		ours, theirs string
		union, fresh bool     // fresh: there was no lock file before
		want         []string // digests of a, aa, b, m, q, x, y; or the error
		fault        string
	}{
		"apart":            {ours: ours, theirs: theirs, want: []string{"a:1 D", "b:1 D", "m:1 E", "q:1 D", "x:1 E", "y:1 D"}},
		"side by side":     {ours: ours, theirs: beside, fault: "conflict marker of a merge"},
		"both new":         {ours: lockFile("a:1 {D} -"), theirs: lockFile("b:1 {E} -"), union: true, fresh: true, want: []string{"a:1 D", "b:1 E"}},
		"with union":       {ours: ours, theirs: beside, union: true, want: []string{"a:1 D", "aa:1 D", "b:1 D", "m:1 E", "q:1 D", "x:1 D"}},
		"the same changed": {ours: ours, theirs: against, union: true, fault: `image "m:1" is ` + digestOf('c') + ` here and ` + otherDigest + ` at images.lock:`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"merge-file", "-p"}
			base := base
			if tt.fresh {
				base = ""
			}
			if tt.union {
				args = append(args, "--union")
			}
			for file, text := range map[string]string{"base": base, "ours": tt.ours, "theirs": tt.theirs} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(git, append(args, "ours", "base", "theirs")...)
			cmd.Dir = dir
			merged, err := cmd.Output() // the exit status counts conflicts
			var status *exec.ExitError
			if err != nil && !errors.As(err, &status) {
				t.Fatal(err)
			}
			l, err := lock.ParseLock("images.lock", merged)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("got %v, want %s\n%s", err, tt.fault, merged)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, merged)
			}
			var got []string
			for _, ref := range l.Refs() {
				e, _ := l.Lookup(ref)
				got = append(got, ref+" "+map[string]string{registrytest.SomeDigest: "D", otherDigest: "E"}[e.Digest])
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func manyPlatforms(n int) string {
	text := ""
	for i := range n {
		text += fmt.Sprintf(" linux/a%02d={D}", i)
	}
	return text
}

func digestOf(c rune) string { return "sha256:" + strings.Repeat(string(c), 64) }

func FuzzParseLock(f *testing.F) {
	for _, s := range []string{
		lockFile(), lockFile("a:1 {D} -"), lockFile("# c", "", "# d", "a@{D} {D} {I} linux/amd64={E}", "# e"),
		lockFile("a:1 {D} -", "docker.io/library/a:1 {D} -"), lockFile("=======", "a:1 {D} -"), "images.lock v2\n", "",
		lockFile("#a", "a:1 {D} -", "#b", "docker.io/a:1 {D} -", "", "#c", ""),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := lock.ParseLock("images.lock", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "images.lock:") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		written := l.Bytes()
		again, err := lock.ParseLock("images.lock", written)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, written)
		}
		if !bytes.Equal(again.Bytes(), written) {
			t.Fatalf("%q is written again as %q", written, again.Bytes())
		}
		for _, ref := range l.Refs() {
			one, ok := l.Lookup(ref)
			two, _ := again.Lookup(ref)
			if !ok || !cmp.Equal(one, two) {
				t.Fatalf("%q is %+v, then %+v", ref, one, two)
			}
			if !again.Remove(ref) {
				t.Fatalf("%q cannot be removed", ref)
			}
		}
	})
}

func ExampleParseLock() {
	l, err := lock.ParseLock("images.lock", []byte("images.lock v1\n"+
		"nginx:1.27 "+registrytest.SomeDigest+" -\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	entry, ok := l.Lookup("docker.io/library/nginx:1.27")
	fmt.Println(entry.Ref, entry.Digest, ok)

	// Both sides of a merge have moved the image.
	_, err = lock.ParseLock("images.lock", []byte("images.lock v1\n"+
		"nginx:1.27 "+registrytest.SomeDigest+" -\n"+
		"nginx:1.27 "+otherDigest+" -\n"))
	fmt.Println(err)
	// Output:
	// nginx:1.27 sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef true
	// images.lock:3:1: image "nginx:1.27" is sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210 here and sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef at images.lock:2:1
}
