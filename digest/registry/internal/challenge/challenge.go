// Package challenge reads the WWW-Authenticate header (RFC 9110, section 11.6.1)
// of a registry's answer: which scheme it wants, and for bearer tokens, where
// they are given out.
package challenge

import (
	"net/http"
	"strings"
)

// maxHeader bounds the bytes of one header that are looked at. Real ones have a
// few hundred.
const maxHeader = 8 << 10

// Challenge is one way to authenticate.
type Challenge struct {
	// Scheme is in lower case: "basic", "bearer".
	Scheme string
	// Realm, Service and Scope are parameters without their quotes. For a
	// bearer challenge Realm is the URL of the token server.
	Realm, Service, Scope string
	// Error is the reason of a bearer challenge: "insufficient_scope".
	Error string
}

// Pick returns the first bearer challenge of an answer, else the first basic
// one: a registry that offers both means the same credentials by both.
func Pick(h http.Header) (Challenge, bool) {
	var basic Challenge
	for _, header := range h.Values("WWW-Authenticate") {
		for _, c := range Parse(header) {
			switch {
			case c.Scheme == "bearer":
				return c, true
			case c.Scheme == "basic" && basic.Scheme == "":
				basic = c
			}
		}
	}
	return basic, basic.Scheme != ""
}

// Parse reads all challenges of one header. What does not belong to the
// grammar ends the reading: challenges before it are returned.
func Parse(header string) []Challenge {
	if len(header) > maxHeader {
		return nil
	}
	p := parser{rest: header}
	var all []Challenge
	for {
		p.skip(" \t,")
		scheme := p.token()
		if scheme == "" {
			return all
		}
		c := Challenge{Scheme: strings.ToLower(scheme)}
		ok := p.params(&c)
		all = append(all, c)
		if !ok {
			return all
		}
	}
}

type parser struct{ rest string }

func (p *parser) skip(cutset string) { p.rest = strings.TrimLeft(p.rest, cutset) }

func (p *parser) token() string {
	n := 0
	for n < len(p.rest) && isTokenByte(p.rest[n]) {
		n++
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

// params reads the parameters of one challenge and stops before the next. It
// says whether the header may go on.
func (p *parser) params(c *Challenge) bool {
	for {
		p.skip(" \t,")
		before := p.rest
		name := p.token()
		p.skip(" \t")
		if name == "" {
			return false
		}
		if !strings.HasPrefix(p.rest, "=") {
			p.rest = before // the scheme of the next challenge
			return true
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value, ok := p.value()
		if !ok {
			return false
		}
		c.set(strings.ToLower(name), value)
	}
}

// set keeps the first of a parameter given twice.
func (c *Challenge) set(name, value string) {
	var field *string
	switch name {
	case "realm":
		field = &c.Realm
	case "service":
		field = &c.Service
	case "scope":
		field = &c.Scope
	case "error":
		field = &c.Error
	default:
		return
	}
	if *field == "" {
		*field = value
	}
}

func (p *parser) value() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) {
		v := p.token()
		return v, v != ""
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}
