package inside

import "testing"

func TestOf(t *testing.T) {
	for _, c := range []struct {
		part, path, rest string
		ok               bool
	}{
		{"", "a.b", "a.b", true},
		{"services.web", "services.web.image.tag", ".image.tag", true},
		{"services.web", "services.webshop.image", "", false},
		{"elements[env=prod]", "elements[1].imageTag", ".imageTag", true},
		{`a.b\.c`, `a.b\.c.d`, ".d", true},
		{"a.b", "a", "", false},
	} {
		if rest, ok := Of(c.part, c.path); rest != c.rest || ok != c.ok {
			t.Errorf("%s in %s: got %q, %v", c.path, c.part, rest, ok)
		}
	}
}
