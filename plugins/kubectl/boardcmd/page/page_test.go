package page

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

var dataOf = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)

func hostile() *Board {
	b := &Board{Title: `</title><script>alert(1)</script>`, Next: []string{"kubectl promote '</script><img src=x>' --to x"}, Environments: []Environment{{Name: `"><svg onload=alert(1)>`}}}
	for _, text := range []string{"</script><script>alert(1)</script>", "<!--<script>", "]]>", "\u2028", `\u003c/script>`, "javascript:alert(1)", `' onclick='alert(1)`} {
		b.Rows = append(b.Rows, Row{Name: b.Text(text), Cells: []Cell{{Pin: b.Text(text + " v1"), Differs: true, Pending: []int{b.Text("#1"), b.Text("javascript:alert(1)"), b.Text(text)}}}})
	}
	return b
}

// Tags, names and messages come from whoever may push: none of them is markup.
func TestNothingBecomesMarkup(t *testing.T) {
	b := hostile()
	var out strings.Builder
	if err := Write(&out, b, false); err != nil {
		t.Fatal(err)
	}
	html := out.String()
	if n := strings.Count(strings.ToLower(html), "<script"); n != 2 {
		t.Errorf("%d scripts, not the data and the page's own", n)
	}
	for _, bad := range []string{"<img", "<svg", "<!--", "</title><"} {
		if strings.Contains(html, bad) {
			t.Errorf("%s is markup", bad)
		}
	}
	var got Board
	if err := json.Unmarshal([]byte(dataOf.FindStringSubmatch(html)[1]), &got); err != nil {
		t.Fatal(err)
	}
	for i, text := range b.Texts {
		if got.Texts[i] != text {
			t.Errorf("%q became %q", text, got.Texts[i])
		}
	}
}

// The policy lets exactly the style and the script of the page be used.
func TestPolicy(t *testing.T) {
	var out strings.Builder
	if err := Write(&out, hostile(), false); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<` + tag + `>(.*?)</` + tag + `>`).FindStringSubmatch(out.String())
		if found == nil || !strings.Contains(Policy(false), "'"+hash(found[1])+"'") {
			t.Errorf("the page's %s is not the one that its policy names", tag)
		}
	}
	for _, follows := range []bool{false, true} {
		p := Policy(follows)
		if strings.Contains(p, "unsafe") || !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "connect-src") != follows {
			t.Error(p)
		}
	}
	// What makes markup of text is in no script, nor what fetches from elsewhere in a style.
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} {
		if strings.Contains(script, bad) {
			t.Errorf("the script has %s", bad)
		}
	}
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		t.Error("the style fetches something")
	}
}
