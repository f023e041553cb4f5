package overlay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	digestA = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	badTag  = `: at most 128 letters, digits, '_', '.' and '-', the first no '.' or '-'`
	badForm = ` is malformed: want NAME=NEW:TAG@DIGEST, NAME=NEW, NAME:TAG or NAME@DIGEST`
)

func TestParseArgument(t *testing.T) {
	for _, tc := range []struct {
		arg  string
		want Change
	}{
		{"web:v2", Change{Name: "web", NewName: To(""), Tag: To("v2"), Digest: To("")}},
		{"web@" + digestA, Change{Name: "web", NewName: To(""), Tag: To(""), Digest: To(digestA)}},
		{"web:v2@" + digestA, Change{Name: "web", NewName: To(""), Tag: To("v2"), Digest: To(digestA)}},
		{"web=registry:5000/web", Change{Name: "web", NewName: To("registry:5000/web"), Tag: To(""), Digest: To("")}},
		{"registry:5000/web:v2", Change{Name: "registry:5000/web", NewName: To(""), Tag: To("v2"), Digest: To("")}},
		{"web=a:v1=b", Change{}},
		{"web=", Change{Name: "web", NewName: To(""), Tag: To(""), Digest: To("")}},
		{"web=:v2", Change{Name: "web", NewName: To(""), Tag: To("v2"), Digest: To("")}},
		{"web=*", Change{Name: "web", NewName: Value{}, Tag: To(""), Digest: To("")}},
		{"web=*:*@*", Change{Name: "web", NewName: Value{}, Tag: Value{}, Digest: Value{}}},
		{"web:*", Change{Name: "web", NewName: To(""), Tag: Value{}, Digest: To("")}},
		{"web@*", Change{Name: "web", NewName: To(""), Tag: To(""), Digest: Value{}}},
	} {
		c, err := ParseArgument(tc.arg)
		if tc.want.Name == "" {
			if err == nil {
				t.Errorf("%s: no error", tc.arg)
			}
			continue
		}
		tc.want.TagSuffix, tc.want.Create = To(""), true
		if err != nil || c != tc.want {
			t.Errorf("%s: %v\n%s", tc.arg, err, cmp.Diff(tc.want, c, cmp.AllowUnexported(Value{})))
		}
	}
}

func TestParseArgumentErrors(t *testing.T) {
	for arg, want := range map[string]string{
		"":               `""` + badForm,
		"web":            `"web"` + badForm,
		"web:":           `"web:"` + badForm,
		"web=x@":         `"web=x@"` + badForm,
		"=nginx:1":       `"=nginx:1" has no image name before "="`,
		"web:-v2":        `tag "-v2" of image "web" is malformed` + badTag,
		"web:v2:v3":      `tag "v2:v3" of image "web" is malformed` + badTag,
		"web@sha256:abc": `digest "sha256:abc" of image "web" is malformed: sha256: and 64 lower-case hexadecimal digits`,
		"a b:v2":         `image name "a b" is malformed`,
		"*:v2":           `image name "*" is malformed`,
		"web=a b:v2":     `new name "a b" of image "web" is malformed`,
		"web=x\ny:v2":    `new name "x\ny" of image "web" is malformed`,
	} {
		if _, err := ParseArgument(arg); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", arg, err, want)
		}
	}
}
