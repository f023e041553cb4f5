package pipeline

import "testing"

// The version in a tag is what stands in the template's hole, and nothing else is one.
func TestVersionIn(t *testing.T) {
	for _, tc := range []struct{ template, tag, version string }{
		{"{version}-staging", "v1.2.3-staging", "v1.2.3"},
		{"{version}-staging", "v1.2.3-rc.1-staging", "v1.2.3-rc.1"},
		{"{version}-staging", "v1.2.3-dev", ""},
		{"{version}-staging", "-staging", ""},
		{"staging/{version}", "staging/v1", "v1"},
		{"staging/{version}", "staging/v1/x", ""},
		{"a{version}a", "a", ""},
		{"{version}", "HEAD", ""},
		{"{version}", "v1.2.3-rc.1", "v1.2.3-rc.1"},
		{"{version}", "v1.2.3-dev", ""},
		{"v{version}", "v1.2.3-dev", ""},
		{"{version}-dev", "v1.2.3-dev", "v1.2.3"},
	} {
		// What another environment has said more of is its own; one elsewhere has nothing here.
		all := []Place{{Tag: tc.template}, {Tag: "{version}"}, {Tag: "{version}-dev"}, {Tag: "{version}-rc.1", Repository: "../other"}, {Branch: "main"}}
		version, ok := Place{Tag: tc.template}.VersionIn(tc.tag, all)
		if ok != (tc.version != "") || ok && version != tc.version {
			t.Errorf("%s in %s: %q, %t", tc.tag, tc.template, version, ok)
		}
	}
}
