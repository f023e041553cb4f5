package location

import "testing"

// What is written in a file is no command for git to run, and no secret for all to read.
func TestRepository(t *testing.T) {
	for text, want := range map[string]struct {
		url bool
		why string
	}{
		"origin":                                   {},
		"../infra":                                 {},
		"git@git.example.com:shop/infra.git":       {url: true},
		"https://ann@git.example.com/shop/infra":   {url: true},
		"https://ann:secret@git.example.com/infra": {true, "has a password, which everybody can read"},
		"ext://sh -c x":                            {true, "is no URL"},
		"ftp://git.example.com/infra.git":          {true, `is "ftp://git.example.com/infra.git", which is no URL of a repository`},
		"https://-oProxyCommand=x/infra.git":       {true, `is "https://-oProxyCommand=x/infra.git", which is no URL of a repository`},
	} {
		if isURL, why, _ := Repository(text); isURL != want.url || why != want.why {
			t.Errorf("%s: %v, %q", text, isURL, why)
		}
	}
	if PlainURL("git@git.example.com:shop/infra.git") != PlainURL("https://bot@GIT.example.com/shop/infra/") {
		t.Error("one repository is two")
	}
}
