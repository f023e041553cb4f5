package syntax

import (
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// plainText tells what may stand unquoted in block and in flow context as far as
// its characters go: it begins with none of YAML's indicators and holds nothing
// that ends or splits a scalar. Deliberately narrower than YAML.
func plainText(s string) bool {
	const first, others = "_./+^$(", "_./@:+~^$*%()=;<>!?&|\\ -"
	for i := 0; i < len(s); i++ {
		c, also := s[i], others
		if i == 0 {
			also = first
		}
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return s != ""
}

// notString lists the plain scalars that YAML 1.1 or YAML 1.2 reads as something
// other than a string.
var notString = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(` + strings.Join([]string{
		`~|null|y|yes|n|no|on|off|true|false|=|<<`,
		`[-+]?[0-9][0-9_]*`,                            // decimal, and octal in 1.1
		`[-+]?0b[01_]+|[-+]?0o?[0-7_]+`,                // binary, octal
		`[-+]?0x[0-9a-f_]+`,                            // hexadecimal
		`[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`, // sexagesimal
		`[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)(e[-+]?[0-9]+)?`,
		`[-+]?\.inf|\.nan`,
		`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?`, // date and time
	}, "|") + `)$`)
})

// Ambiguous tells whether a plain scalar of this text is something other than a
// string in YAML 1.1 or in YAML 1.2.
func Ambiguous(text string) bool {
	// In a number, underscores may stand anywhere; the parser drops them first. It
	// also has forms of its own, such as 0b-1, so it is asked as well.
	return text == "" || notString().MatchString(text) || notString().MatchString(strings.ReplaceAll(text, "_", "")) ||
		(&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag() != "!!str"
}

// PlainSafe tells whether a value means the same string in every YAML version
// and in every context when it is written without quotes.
func PlainSafe(value string) bool {
	return plainText(value) &&
		!strings.HasSuffix(value, " ") && !strings.HasSuffix(value, ":") &&
		!strings.Contains(value, ": ") && !strings.HasPrefix(value, "...") &&
		!Ambiguous(value)
}

// render writes a value in the style of the one it stands beside or replaces:
// quotes stay, and a plain value gets double quotes where it needs some. It
// returns the style used.
func render(value string, like yaml.Style) (string, yaml.Style) {
	switch {
	case like&yaml.SingleQuotedStyle != 0 && printable(value):
		return "'" + strings.ReplaceAll(value, "'", "''") + "'", yaml.SingleQuotedStyle
	case like&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 && PlainSafe(value):
		return value, 0
	}
	return doubleQuoted(value), yaml.DoubleQuotedStyle
}

func printable(value string) bool {
	for _, r := range value {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return false
		}
	}
	return true
}

func doubleQuoted(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case !printable(string(r)):
			const hex = "0123456789abcdef"
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[r>>shift&0xf])
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
