package syntax

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Helm, kubectl, Argo CD and Flux read YAML 1.1 by way of sigs.k8s.io/yaml, and
// JSON behind it: numbers are float64 to a template, y, yes and on are true, and
// dates and sexagesimal numbers are strings. What is here says the same as that
// parser does; a test compares the two.

var float11 = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
})

// ReadAs tells what a scalar is to those who read YAML 1.1, where it is no string:
// "number" or "boolean", and the text that a template makes of it. For strings and
// null both are "".
func ReadAs(n *yaml.Node) (kind, text string) {
	tagged := n.Style&yaml.TaggedStyle != 0
	switch {
	case n.Kind != yaml.ScalarNode || tagged && n.ShortTag() == "!!str":
		return "", ""
	case !tagged && n.Style != 0:
		return "", ""
	}
	if b := bool11(n.Value); b != "" {
		return "boolean", b
	}
	if text := number11(n.Value); text != "" {
		return "number", text
	}
	return "", ""
}

// bool11 gives true or false where a plain scalar means that; "" for all else.
func bool11(text string) string {
	switch text {
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return "true"
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return "false"
	}
	return ""
}

// number11 gives the number that a plain scalar means, as a template prints a
// float64; "" where it is none.
func number11(text string) string {
	if text == "" || strings.IndexByte("+-.0123456789", text[0]) < 0 {
		return ""
	}
	plain := strings.ReplaceAll(text, "_", "")
	if text[0] == '.' {
		plain = text
	} else if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return printed(float64(i))
	} else if u, err := strconv.ParseUint(plain, 0, 64); err == nil {
		return printed(float64(u))
	}
	if f, err := strconv.ParseFloat(plain, 64); err == nil && float11().MatchString(plain) {
		return printed(f)
	}
	return ""
}

func printed(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// IsVersion tells a text that must be a string where it stands: under a key of
// versions, and another one once it is read as a number, as 1.10 is 1.1.
func IsVersion(key, text string) bool {
	if kind, read := ReadAs(&yaml.Node{Kind: yaml.ScalarNode, Value: text}); kind == "" || read == text {
		return false
	}
	key = strings.ToLower(key)
	for _, end := range []string{"tag", "version", "digest", "revision"} {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return false
}

// Unquote takes the double quotes off a text that is in them.
func Unquote(text string) (string, bool) {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1], true
	}
	return text, false
}

// ScalarKind tells whether those who read YAML 1.1 take a scalar for a string, number,
// boolean or null.
func ScalarKind(n *yaml.Node) string {
	kind, _ := ReadAs(n)
	switch {
	case kind != "":
		return kind
	case n.ShortTag() == "!!null":
		return "null"
	}
	return "string"
}
