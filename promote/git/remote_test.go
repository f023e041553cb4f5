package git

import "testing"

func TestPublicURL(t *testing.T) {
	for remote, want := range map[string]string{
		"":                                    "",
		"https://git.example.com/infra.git":   "https://git.example.com/infra.git",
		"https://me:secret@git.example.com/x": "https://git.example.com/x",
		"https://git.example.com/x?token=secret#secret": "https://git.example.com/x",
		"ssh://git@git.example.com:2222/x.git":          "ssh://git.example.com:2222/x.git",
		"git@git.example.com:shop/infra.git":            "ssh://git.example.com/shop/infra.git",
		"git.example.com:/abs/infra.git":                "ssh://git.example.com/abs/infra.git",
		"/srv/git/infra.git":                            "",
		"../infra.git":                                  "",
		"./a:b":                                         "",
		`C:\infra`:                                      "",
		"file:///srv/infra.git":                         "",
		"ext::sh -c x":                                  "",
		"https://%zz":                                   "",
	} {
		if got := publicURL(remote); got != want {
			t.Errorf("%q: got %q, want %q", remote, got, want)
		}
	}
}
