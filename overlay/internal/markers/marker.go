// Package markers reads the comments by which Flux knows what to write: one JSON
// object with the key $imagepolicy.
package markers

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Form is what a marker puts in place of its scalar.
type Form int

const (
	FormNone   Form = iota // what Flux should not write over
	FormRef                // name:tag, with @digest where there is one
	FormTag                // tag
	FormName               // repository
	FormDigest             // digest
)

// String names the form as a warning needs it.
func (w Form) String() string {
	return [...]string{"", "a whole reference", "a tag", "a repository", "a digest"}[w]
}

// Suffix is what the marker's value has behind the policy.
func (w Form) Suffix() string { return [...]string{"", "", ":tag", ":name", ":digest"}[w] }

// Marker is a comment {"$imagepolicy": "NAMESPACE:POLICY[:tag|:name|:digest]"}.
type Marker struct {
	Policy string // NAMESPACE:POLICY
	Form   Form
}

// Key is what a comment has before the policy that it names.
const Key = "$imagepolicy"

// Near tells a comment that is a marker or wants to be one.
func Near(comment string) bool {
	return strings.Contains(comment, "{") && strings.Contains(strings.ToLower(comment), "imagepolic")
}

// Parse reads a comment as kyaml's fieldmeta does, which Flux uses: all of
// it must be one JSON object of strings. problem says what a comment lacks that
// is nearly a marker.
func Parse(comment string) (m Marker, problem string) {
	if !Near(comment) {
		return m, ""
	}
	body := strings.TrimLeft(comment, "#")
	var object map[string]string
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		if strings.Contains(body, "'") {
			return m, "JSON has double quotes only"
		}
		return m, "the whole comment must be a JSON object of strings"
	}
	text, ok := object[Key]
	if !ok {
		for key := range object {
			if Near("{" + key) {
				return m, fmt.Sprintf("its key is %q, not %q", key, Key)
			}
		}
		return m, fmt.Sprintf("it has no key %q", Key)
	}
	words := strings.Split(text, ":")
	if len(words) < 2 || len(words) > 3 || words[0] == "" || words[1] == "" {
		return m, fmt.Sprintf("its value is %q, not NAMESPACE:POLICY, with :tag, :name or :digest behind it or nothing", text)
	}
	m = Marker{Policy: words[0] + ":" + words[1], Form: FormRef}
	if len(words) == 3 {
		m.Form = map[string]Form{"tag": FormTag, "name": FormName, "digest": FormDigest}[words[2]]
		if m.Form == FormNone {
			return Marker{}, fmt.Sprintf("%q is none of :tag, :name and :digest", ":"+words[2])
		}
	}
	return m, ""
}

// NotBeside is why a repository is not known that a marker alone tells of: the
// policy's image stands in an ImagePolicy, elsewhere.
func NotBeside(m Marker) string {
	return fmt.Sprintf("its repository is not in this file beside the marker of %s", m.Policy)
}
