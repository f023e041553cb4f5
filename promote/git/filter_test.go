package git

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

// filters are those of the tests: they encrypt in another way each time, change the ends
// of lines alone, keep a secret out, lay a text out, change the order or the version.
var filters = map[string]string{
	"filter.crypt.clean":     `head -c 9 /dev/urandom | base64; tr a-z0-9 b-za1-90`,
	"filter.crypt.smudge":    `tail -n +2 | tr b-za1-90 a-z0-9`,
	"filter.secret.clean":    `sed "s/password: .*/password: \$PASSWORD/"`,
	"filter.form.clean":      `sed "s/^  */    /"`,
	"filter.nested.clean":    `sed "s/^  newTag/      newTag/"`,
	"filter.sorted.clean":    `sort`,
	"filter.ends.clean":      `sed "s/$/\r/"`,
	"filter.version.clean":   `sed s/v2/v9/`,
	"filter.back.clean":      `sed s/v2/v9/`,
	"filter.back.smudge":     `sed s/v9/v2/`,
	"filter.gone.clean":      `sed /newTag/d`,
	"filter.other.clean":     `sed "s/name: web/name: evil/"`,
	"filter.broken.clean":    `exit 1`,
	"filter.broken.required": `true`,
}

// A commit held another version than its record said where a clean filter of Git made one
// of it, and the version under another key where one moved or indented lines of YAML. Only
// what is as planned, or hidden from everybody as by LFS and git-crypt, is right.
func TestCommitThroughFilters(t *testing.T) {
	t.Parallel()
	const before, after = "# $Id$\n  name: web\n  newTag: v1\n  password: 123\n", "# $Id$\n  name: web\n  newTag: v2\n  password: 123\n"
	for attribute, want := range map[string]string{
		"ident": "", "filter=crypt": "", "ident filter=ends": "", "filter=none": "",
		"filter=secret": "committed otherwise", "filter=form": "committed otherwise", "filter=nested": "committed otherwise", "filter=sorted": "committed otherwise",
		"filter=version": "committed otherwise", "filter=back": "committed otherwise", "filter=gone": "committed otherwise", "filter=other": "committed otherwise",
		"filter=broken": "git hash-object: ",
	} {
		r := newRepo(t, nil)
		for key, value := range filters {
			gitIn(t, r.Root(), "config", key, value)
		}
		put(t, r.Root(), map[string]string{"f.yaml": before})
		if attribute != "filter=other" && attribute != "filter=broken" {
			put(t, r.Root(), map[string]string{".gitattributes": "*.yaml " + attribute + "\n"})
		}
		gitIn(t, r.Root(), "add", "-A")
		gitIn(t, r.Root(), "commit", "-q", "-m", "first")
		put(t, r.Root(), map[string]string{".gitattributes": "*.yaml " + attribute + "\n"})
		head := headOf(t, r)
		d := promote.Delivery{Head: head, Message: "m", Files: []promote.File{{Path: "f.yaml", Old: []byte(before), Data: []byte(after)}}}
		hash, err := r.Commit(t.Context(), d)
		if want == "" {
			if err != nil || hash != headOf(t, r) {
				t.Errorf("%s: %s, %v", attribute, hash, err)
			}
			continue
		}
		var written *promote.NotCommitted
		if err == nil || !strings.Contains(err.Error(), want) || errors.As(err, &written) {
			t.Errorf("%s: %v", attribute, err)
		}
		if headOf(t, r) != head || get(t, r.Root(), "f.yaml") != before {
			t.Errorf("%s: something was written", attribute)
		}
	}
}

// A filter that changes one short line, and takes it back for whoever looks at it through
// git, seemed to hide the text.
func TestHidden(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		blob, text string
		want       bool
	}{
		"one line":     {`{"images":[{"newTag":"v9"}]}`, `{"images":[{"newTag":"v2"}]}`, false},
		"no word":      {"v9", "v2", false},
		"indented":     {"images:\n    newTag: v2\n", "images:\n  newTag: v2\n", false},
		"LFS":          {pointer + "oid sha256:0a\nsize 9\n", "digest: sha256:0b\nversion: 1\n", true},
		"binary":       {"\x00GITCRYPT\x00\x80\x01", "newTag: v2\n", true},
		"base64":       {"bmV3VGFnOiB2Mgo=\n", "newTag: v2\n", true},
		"nothing kept": {"", "newTag: v2\n", true},
	} {
		if got := hides([]byte(test.blob), []byte(test.text)); got != test.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
