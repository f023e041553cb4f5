package imagepolicy

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/digest/tags"
)

func policyWith(spec string) string {
	return "apiVersion: image.toolkit.fluxcd.io/v1beta2\nkind: ImagePolicy\nmetadata: {name: cart, namespace: flux-system}\nspec: " + spec + "\n"
}

// What a policy says is said in the words of package digest/tags, which takes it; or
// not at all, where those would choose another tag.
func TestRule(t *testing.T) {
	for spec, want := range map[string]string{
		"{policy: {semver: {range: '>=1.0.0 <2.0.0'}}}":                                                       "semver:>=1.0.0 <2.0.0",
		"{policy: {numerical: {order: desc}}}":                                                                "numeric:desc",
		"{policy: {alphabetical: {}}}":                                                                        "alphabetical:asc",
		"{filterTags: {pattern: '^main-', extract: ''}, policy: {alphabetical: {order: asc}}}":                "regexp:^main- alphabetical:asc",
		"{filterTags: {pattern: '^main-(?P<ts>[0-9]+)$', extract: '$ts'}, policy: {numerical: {order: asc}}}": `regexp:^main-(?P<ts>[0-9]+)$ numeric:ts asc`,
		"{filterTags: {pattern: '^(?P<v>.*)-(alpine)$', extract: '${v}'}, policy: {semver: {range: 1.x}}}":    `regexp:^(?P<v>.*)-(alpine)$ semver:v 1.x`,
		"{filterTags: {pattern: '^v(.*)-alpine$', extract: '$1'}, policy: {semver: {range: 1.x}}}":            `regexp:^v(.*)-alpine$ semver:1.x`,
		"{filterTags: {pattern: '^v(.*)-alpine$'}, policy: {semver: {range: 1.x}}}":                           "", // all of the tag, and not the group
		"{filterTags: {pattern: '^v(.*)-(.*)$', extract: '$2'}, policy: {semver: {range: 1.x}}}":              "",
		"{filterTags: {pattern: '^(?P<a>.)(?P<b>.)$', extract: '$a-$b'}, policy: {semver: {range: 1.x}}}":     "",
		"{filterTags: {pattern: 'a b'}, policy: {semver: {range: 1.x}}}":                                      "",
		"{filterTags: {pattern: '('}, policy: {semver: {range: 1.x}}}":                                        "",
		"{policy: {}}":                       "",
		"{policy: {semver: {}}}":             "",
		"{imageRepositoryRef: {name: cart}}": "",
	} {
		var s Set
		s.parse("p.yaml", []byte(policyWith(spec)))
		if len(s.Policies) != 1 || s.Policies[0].Rule != want || s.Policies[0].Name != "flux-system:cart" {
			t.Errorf("%s: %+v, want %q", spec, s.Policies, want)
		}
		if want != "" {
			if _, err := tags.ParseSelector(want); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRead(t *testing.T) {
	automation := func(name, spec string) string {
		return "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {name: " + name + ", namespace: flux-system}\nspec: " + spec + "\n"
	}
	tree := fstest.MapFS{
		"clusters/policies.yaml": {Data: []byte(policyWith("{policy: {semver: {range: 1.x}}}") + "---\nkind: ConfigMap\n---\n" +
			strings.Replace(policyWith("{policy: {numerical: {}}}"), "name: cart, namespace: flux-system", "name: web", 1))},
		"clusters/auto.yaml":  {Data: []byte(automation("apps", "{update: {path: ./apps/dev}}") + automation("off", "{suspend: true}") + automation("all", "{}"))},
		"clusters/other.yaml": {Data: []byte(strings.Replace(automation("theirs", "{update: {path: ../../etc}}"), "flux-system", "theirs", 1))},
		"broken.yaml":         {Data: []byte("# image.toolkit.fluxcd.io/\na: [")},
		"README.md":           {Data: []byte(policyWith("{}"))},
	}
	s, err := Read(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	want := &Set{
		Policies: []Policy{{"clusters/policies.yaml", "flux-system:cart", "semver:1.x"}, {"clusters/policies.yaml", ":web", "numeric:asc"}},
		Automations: []Automation{{"clusters/auto.yaml", "flux-system", "apps", "apps/dev"}, {"clusters/auto.yaml", "flux-system", "all", "."},
			{"clusters/other.yaml", "theirs", "theirs", "etc"}},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
	for marker, want := range map[string]string{"flux-system:cart": "semver:1.x", "any:web": "numeric:asc", "other:cart": "", "": ""} {
		if p, _ := s.Policy(marker); p.Rule != want {
			t.Errorf("policy %q: %+v", marker, p)
		}
	}
	for _, tc := range [][3]string{
		{"flux-system:cart", "apps/dev/cart.yaml", "apps"}, {"flux-system:cart", "apps/devel/cart.yaml", "all"},
		{"theirs:cart", "apps/dev/cart.yaml", ""}, {"theirs:cart", "etc/cart.yaml", "theirs"},
	} {
		if a, _ := s.Writer(tc[0], tc[1]); a.Name != tc[2] {
			t.Errorf("%v: %+v", tc, a)
		}
	}
}

// Whatever stands in a file, what is found can be used.
func FuzzParse(f *testing.F) {
	f.Add([]byte(policyWith("{filterTags: {pattern: '^v(.*)-alpine$', extract: '$1'}, policy: {semver: {range: 1.x}}}")))
	f.Add([]byte("apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {name: a}\nspec: {update: {path: ../..}}\n---\n&a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Set
		s.parse("p.yaml", data)
		for _, p := range s.Policies {
			if !strings.Contains(p.Name, ":") {
				t.Errorf("%+v", p)
			}
		}
		for _, a := range s.Automations {
			if strings.HasPrefix(a.Path, "..") || strings.HasPrefix(a.Path, "/") || a.Path == "" {
				t.Errorf("%+v", a)
			}
		}
	})
}
