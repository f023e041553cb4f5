package overlay_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
)

const envFile = "# images of shop\n" +
	"export WEB_IMAGE=r.io/shop/web:v1 # the shop\n" +
	"CART_TAG=\"v1\"\r\n" +
	"CART_IMAGE='r.io/shop/cart'\n" +
	"API_IMAGE_TAG: \"1.20\"\n" +
	"SIDE=r.io/side@" + oneDigest + "\n" +
	"DATABASE=localhost:5432\nURL=https://r.io/x:80\nVARIABLE_IMAGE=${REGISTRY}/x:v1\n" +
	"ALONE_TAG=v3"

func TestLines(t *testing.T) {
	const above = "its repository is not in this file (API_IMAGE_TAG.repository would name it)"
	known := []string{
		"WEB_IMAGE r.io/shop/web r.io/shop/web:v1",
		"CART_TAG r.io/shop/cart r.io/shop/cart:v1",
		"API_IMAGE_TAG API_IMAGE_TAG API_IMAGE_TAG:1.20; " + above,
		"SIDE r.io/side r.io/side@" + oneDigest,
	}
	for _, name := range []string{"overrides/staging.env", ".env", "x/.env.staging", "a.properties"} {
		f, err := overlay.Parse(name, []byte(envFile))
		if err != nil {
			t.Fatal(err)
		}
		if name == "a.properties" {
			continue // export and comments are no part of it
		}
		if d := cmp.Diff(known, shown(f)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	f, err := overlay.Options{Images: []overlay.ImagePath{{Path: "ALONE_TAG", Name: "alone"}, {Path: "API_IMAGE_TAG", Repository: "r.io/api"}, {Path: "DATABASE"}, {Path: "NONE"}}}.Parse(".env", []byte(envFile))
	if err != nil {
		t.Fatal(err)
	}
	want := append(append(known[:2:2], "API_IMAGE_TAG r.io/api r.io/api:1.20", known[3]),
		"DATABASE localhost localhost:5432", "ALONE_TAG alone alone:v3; "+notInFile)
	if d := cmp.Diff(want, shown(f)); d != "" {
		t.Error(d)
	}
	edit, err := f.Set(overlay.Change{Path: "WEB_IMAGE", Tag: overlay.To("v2")}, overlay.Change{Path: "CART_TAG", Tag: overlay.To("v2"), Digest: overlay.To(oneDigest)},
		overlay.Change{Path: "API_IMAGE_TAG", Tag: overlay.To("1.20")}, overlay.Change{Path: "SIDE", Digest: overlay.To(twoDigest)}, overlay.Change{Path: "ALONE_TAG", Tag: overlay.To("1.30")})
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.NewReplacer("web:v1", "web:v2", `"v1"`, `"v2@`+oneDigest+`"`, oneDigest, twoDigest, "=v3", "=1.30").Replace(envFile)
	if d := cmp.Diff(edited, string(edit.After.Bytes())); d != "" || len(edit.Changes) != 4 {
		t.Errorf("%d changes: %s", len(edit.Changes), d)
	}
}

func TestOneLine(t *testing.T) {
	const unknown = "; " + notInFile
	at := []overlay.ImagePath{{Path: ".", Repository: "r.io/web"}}
	for _, tc := range []struct {
		name, src string
		images    []overlay.ImagePath
		want      []string
		edited    string
	}{
		{"image-tags/production/publisher", "v1393\n", nil, []string{". . .:v1393" + unknown}, "2.10\n"},
		{"image-tags/production/publisher", "v1393\n", at, []string{". r.io/web r.io/web:v1393"}, "2.10\n"},
		{"tag", "1.20", at, []string{". r.io/web r.io/web:1.20"}, "2.10"},
		{"tag.txt", " 1.20 \r\n\r\n", at, []string{". r.io/web r.io/web:1.20"}, " 2.10 \r\n\r\n"},
		{"tag", "\ufeffv1\n", nil, []string{". . .:v1" + unknown}, "\ufeff2.10\n"},
		{"image", "r.io:5000/web:v1\n", at, []string{". r.io:5000/web r.io:5000/web:v1"}, "r.io:5000/web:2.10\n"},
		{"image", "web:v1\n", nil, []string{". web web:v1"}, "web:2.10\n"},
		{"image", oneDigest + "\n", at, []string{". r.io/web r.io/web@" + oneDigest}, ""},
		{"words", "not a tag\n", nil, nil, ""},
		{"tag.yaml", "v1\n", nil, nil, ""},
		{"tag", "image: v1\n", nil, []string{"image v1 v1"}[:0], ""},
		{"two", "v1\nv2\n", nil, nil, ""},
		{"comment", "v1 # why\n", nil, nil, ""},
		{"quoted", "'v1'\n", nil, nil, ""},
		{"nothing", "\n", nil, nil, ""},
		{"json", `"v1"`, nil, nil, ""},
	} {
		f, err := overlay.Options{Images: tc.images}.Parse(tc.name, []byte(tc.src))
		if err != nil {
			t.Errorf("%q: %v", tc.src, err)
			continue
		}
		got := shown(f)
		if len(tc.want) == 0 && len(got) == 0 {
			continue
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%q: %s", tc.src, d)
		}
		if tc.edited == "" {
			continue
		}
		edit, err := f.Set(overlay.Change{Path: ".", Tag: overlay.To("2.10")})
		if err != nil {
			t.Errorf("%q: %v", tc.src, err)
		} else if got := string(edit.After.Bytes()); got != tc.edited {
			t.Errorf("%q becomes %q, not %q", tc.src, got, tc.edited)
		}
	}
	if _, err := overlay.Parse("kustomization", []byte("v1")); err != nil {
		t.Error(err)
	}
	if _, err := overlay.Parse("Kustomization", []byte("v1\n")); err == nil {
		t.Error("a kustomization of one word is read")
	}
}

func TestValuesOfTextFiles(t *testing.T) {
	for _, tc := range []struct{ name, src, arg, want, err string }{
		{".env", "A=x # c\nB=y\n", "A=v2", "A=v2 # c\nB=y\n", ""},
		{".env", "A=x", "A=two words", "A=two words", ""},
		{".env", "A=x\n", `A="1"`, "A=1\n", ""},
		{".env", "export A=x\r\n", "A=two words", "export A=\"two words\"\r\n", ""},
		{".env", "A=x\n", "B=y", "A=x\nB=y\n", ""},
		{".env", "", "B=y", "B=y\n", ""},
		{".env", "# none", "B=y", "# none\nB=y", ""},
		{".env", "A=x\n", "B.c=y", "", `.env:1:1: B.c cannot be added to a file of lines`},
		{".env", "A=x\n", "A=a\nB=b", "", `.env:1:3: "a\nB=b" cannot be written here as it is`},
		{".env", "A=\"x\ny\"\n", "A=z", "", ".env:1:3: this value goes on over several lines"},
		{".env", "A=x\nA=y\n", "A=z", "", `.env:2:1: duplicate key "A", first at line 1`},
		{"a.properties", "a.b: x\nc=d\n", `a\.b=y z`, "a.b: y z\nc=d\n", ""},
		{"a.properties", "a.b: x\n", `c\.d=y`, "a.b: x\nc.d: y\n", ""},
		{"VERSION", "1.2.3\n", ".=1.2.4", "1.2.4\n", ""},
		{"VERSION", "7\n", ".=8", "8\n", ""},
		{"VERSION", "7\n", ".=two words", "two words\n", ""},
		{"VERSION", "7\n", ".=a: b", "", `VERSION:1:1: "a: b" cannot be written here as it is`},
		{"VERSION", "7\n", ".= 8", "", `VERSION:1:1: " 8" cannot be written here as it is`},
		{"VERSION", "7\n", "x=8", "", "VERSION:1:1: x leads nowhere: the document is a scalar and has no x"},
	} {
		t.Run(tc.name+" "+tc.arg, func(t *testing.T) {
			v, err := overlay.ParseValue(tc.arg)
			if err != nil {
				t.Fatal(err)
			}
			v.Create = true
			f, err := overlay.Parse(tc.name, []byte(tc.src))
			var edit *overlay.Edit
			if err == nil {
				edit, err = f.Edit(overlay.Request{Values: []overlay.ValueChange{v}})
			}
			switch {
			case tc.err != "":
				if err == nil || err.Error() != tc.err {
					t.Errorf("got %v, want %s", err, tc.err)
				}
			case err != nil:
				t.Error(err)
			case string(edit.After.Bytes()) != tc.want:
				t.Errorf("got %q, want %q", edit.After.Bytes(), tc.want)
			}
		})
	}
}

// FuzzTextFiles sets each value and each pin of whatever parses. Whatever the text:
// setting nothing gives the same bytes; an edit that is not refused changes that value
// alone, and no byte before or behind it; and it changes nothing when it is made again.
func FuzzTextFiles(f *testing.F) {
	names := []string{".env", "a.properties", "VERSION"}
	for _, src := range []string{envFile, "v1\n", "r.io/web:v1@" + oneDigest, "a.b: x\nc d\n", "A=a\\\nb\n", "A='x\ny'\r\n", "\ufeffA=x"} {
		for i := range names {
			f.Add([]byte(src), "v2", uint8(i))
			f.Add(bytes.ReplaceAll([]byte(src), []byte("\n"), []byte("\r\n")), " it's #1", uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, text string, name uint8) {
		file, err := overlay.Parse(names[int(name)%len(names)], src)
		if err != nil {
			return
		}
		if same, err := file.Set(); err != nil || !bytes.Equal(same.After.Bytes(), src) {
			t.Fatalf("no change is no identity: %v", err)
		}
		for i, p := range file.Pins() {
			if i < 20 {
				fuzzFormatPin(t, file, p)
			}
		}
		before := append(file.Scalars("*"), file.Scalars(".")...)
		for i, s := range before {
			if i < 20 {
				fuzzScalar(t, file, before, i, overlay.ValueChange{Path: s.Path, Text: `"` + text + `"`}, text)
			}
		}
	})
}

func fuzzScalar(t *testing.T, file *overlay.File, before []overlay.Scalar, i int, v overlay.ValueChange, text string) {
	edit, err := file.Edit(overlay.Request{Values: []overlay.ValueChange{v}})
	if err != nil {
		return
	}
	after := append(edit.After.Scalars("*"), edit.After.Scalars(".")...)
	if len(after) != len(before) {
		t.Fatalf("%d values become %d\n%s", len(before), len(after), edit.Diff())
	}
	for j := range after {
		want := before[j].Text
		if j == i {
			want = text
		}
		if after[j].Text != want || after[j].Path != before[j].Path {
			t.Fatalf("%s is %q, not %q\n%s", after[j].Path, after[j].Text, want, edit.Diff())
		}
	}
	again, err := edit.After.Edit(overlay.Request{Values: []overlay.ValueChange{v}})
	if err != nil || again.Changed() {
		t.Fatalf("a second time: %v\n%s", err, again.Diff())
	}
	old, now := file.Bytes(), edit.After.Bytes()
	longest := len(before[i].Text) + 2
	start := 0
	for start < len(old) && start < len(now) && old[start] == now[start] {
		start++
	}
	end := 0
	for end < len(old)-start && end < len(now)-start && old[len(old)-1-end] == now[len(now)-1-end] {
		end++
	}
	if len(old)-start-end > longest {
		t.Fatalf("%d bytes are replaced\n%s", len(old)-start-end, edit.Diff())
	}
}
