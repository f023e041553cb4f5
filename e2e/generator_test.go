package e2e

import (
	"fmt"
	"math/rand"
	"strings"
)

// generator makes kustomization files and arguments for them.
type generator struct{ *rand.Rand }

func newGenerator(seed int64) *generator {
	return &generator{rand.New(rand.NewSource(seed))}
}

// names are few, so that arguments often meet an entry.
var names = []string{"web", "a/web", "nginx", "docker.io/library/nginx", "reg.example.com:5000/team/api", "localhost:5000/x", "images.example.org/o/r/img"}

var tags = []string{"v1", "v1.2.3", "latest", "1.20", "12e4567", "0123", "on", "main-2024.01.02_5", "_"}

func digestOf(digit byte) string { return "sha256:" + strings.Repeat(string(digit), 64) }

func (g *generator) pick(from []string) string { return from[g.Intn(len(from))] }

func (g *generator) chance(percent int) bool { return g.Intn(100) < percent }

func (g *generator) digest() string { return digestOf("0123456789abcdef"[g.Intn(16)]) }

// file gives a kustomization with up to six entries, now and then with one twice.
func (g *generator) file() string {
	var b strings.Builder
	if g.chance(30) {
		b.WriteString("# what runs here\n")
	}
	if g.chance(50) {
		b.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\n")
	}
	b.WriteString("resources:\n- web.yaml\n")
	if g.chance(95) {
		g.images(&b)
	}
	if g.chance(40) {
		b.WriteString("\nnamespace: shop # the end\n")
	}
	text := b.String()
	if g.chance(5) {
		text = strings.TrimSuffix(text, "\n")
	}
	if g.chance(5) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func (g *generator) images(b *strings.Builder) {
	order := g.Perm(len(names))[:g.Intn(len(names))]
	if len(order) == 0 {
		b.WriteString(g.pick([]string{"images: []\n", "images:\n", "images: null\n"}))
		return
	}
	if g.chance(5) {
		order = append(order, order[0])
	}
	b.WriteString("images:" + g.comment() + "\n")
	indent := g.pick([]string{"", "", "  ", "    "})
	for _, i := range order {
		if g.chance(15) {
			b.WriteString("\n" + indent + "# next\n")
		}
		g.entry(b, indent, names[i])
	}
}

// entry writes a random subset of the fields, in a random order and style.
func (g *generator) entry(b *strings.Builder, indent, name string) {
	fields := []string{"name: " + g.quoted(name)}
	add := func(percent int, key, value string) {
		if g.chance(percent) {
			fields = append(fields, key+": "+value)
		}
	}
	add(50, "newName", g.quoted(g.pick(names)+"-new"))
	add(60, "newTag", g.quotedTag(g.pick(tags)))
	add(40, "digest", g.quoted(g.digest()))
	add(10, "tagSuffix", g.quoted("-arm"))
	if g.chance(30) {
		g.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	if g.chance(25) {
		fmt.Fprintf(b, "%s- {%s}%s\n", indent, strings.Join(fields, ", "), g.comment())
		return
	}
	for i, f := range fields {
		dash := "  "
		if i == 0 {
			dash = "- "
		}
		b.WriteString(indent + dash + f + g.comment() + "\n")
	}
}

func (g *generator) comment() string {
	if g.chance(15) {
		return " # why: because"
	}
	return ""
}

func (g *generator) quoted(s string) string {
	switch g.Intn(6) {
	case 0:
		return `"` + s + `"`
	case 1:
		return "'" + s + "'"
	}
	return s
}

// quotedTag quotes what would not be text without quotes.
func (g *generator) quotedTag(tag string) string {
	if strings.HasPrefix(tag, "v") || tag == "latest" || strings.HasPrefix(tag, "main") {
		return g.quoted(tag)
	}
	quote := g.pick([]string{`"`, "'"})
	return quote + tag + quote
}

// arguments gives one to three arguments, most of them well formed.
func (g *generator) arguments() []string {
	out := make([]string, 1+g.Intn(3))
	for i := range out {
		out[i] = g.argument()
	}
	return out
}

func (g *generator) argument() string {
	if g.chance(4) {
		return g.pick([]string{"=b", "web:", "web@sha256:1", "web:a b", "web:-x", "web", "=b:v1", "web=a:b:c", "web@"})
	}
	name := g.pick(append(names, "new", "new:5000/x"))
	pin := g.pin()
	switch {
	case g.chance(20) && pin != "":
		return name + pin
	case g.chance(30):
		return name + "=*" + pin
	case g.chance(10):
		return name + "=" + pin
	}
	return name + "=" + g.pick(names) + "-set" + pin
}

func (g *generator) pin() string {
	pin := ""
	switch g.Intn(4) {
	case 0:
		pin = ":*"
	case 1, 2:
		pin = ":" + g.pick(tags)
	}
	switch g.Intn(4) {
	case 0:
		pin += "@*"
	case 1:
		pin += "@" + g.digest()
	}
	return pin
}
