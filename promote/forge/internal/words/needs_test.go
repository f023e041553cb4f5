package words

import (
	"strings"
	"testing"
)

// Whatever is asked of whichever forge, there is something to say when a token is refused.
func TestNeeds(t *testing.T) {
	for _, kind := range []string{"github", "gitlab", "gitea", "bitbucket", "bitbucket-server", "azure-devops", "unheard-of"} {
		for n := NeedRead; n <= NeedDeploy; n++ {
			if said := Needs(kind, n); !strings.HasPrefix(said, "the token needs ") || len(said) < len("the token needs x") {
				t.Errorf("%s, %d: %q", kind, n, said)
			}
		}
	}
	if said := Needs("github", NeedStatus); said != "the token needs the permission commit statuses: write (or the scope repo:status)" {
		t.Error(said)
	}
}
