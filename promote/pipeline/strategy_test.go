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
	} {
		version, ok := Place{Tag: tc.template}.VersionIn(tc.tag)
		if ok != (tc.version != "") || ok && version != tc.version {
			t.Errorf("%s in %s: %q, %t", tc.tag, tc.template, version, ok)
		}
	}
}
