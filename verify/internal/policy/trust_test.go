package policy

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// expiredRoot is the trusted root of an instance whose authority has ended.
func expiredRoot(t testing.TB) []byte {
	t.Helper()
	key := sigtest.NewECDSA(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "old"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2021, 2, 3, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	sigtest.Must(t, err)
	cert, err := x509.ParseCertificate(der)
	sigtest.Must(t, err)
	return sigtest.MarshalRoot(t, []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: cert}}, nil, nil, nil)
}

// TestAuthorityErrors has what is wrong with authorities other than keys, each
// with its place and remedy.
func TestAuthorityErrors(t *testing.T) {
	s := sigtest.NewInstance(t)
	stranger := *s
	leafPEM := string(s.Issue(t, "a@b.c", "x").Pem())
	files := map[string][]byte{
		"root.json":    s.TrustedRoot(t),
		"old.json":     expiredRoot(t),
		"empty.json":   sigtest.MarshalRoot(t, nil, nil, nil, nil),
		"text.json":    []byte("hello"),
		"large.json":   make([]byte, maxTrustedRootSize+1),
		"leaf.pem":     []byte(leafPEM),
		"key.pem":      []byte(sigtest.NewSigner(t, "p256").Pem),
		"middle.pem":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Middle.Raw}),
		"cut.pem":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
		"bad.rego":     []byte("package main\ndeny {"),
		"no-rule.rego": []byte("package other\nx := 1"),
	}
	const (
		keyless = "keyless: {issuer: a, subject: b}"
		form    = "\nhint: trustedRoot: {file: trusted_root.json}, or {publicGood: true}"
	)
	tests := []struct{ name, authority, want string }{
		{"no root", keyless, "p.yaml:7:24: there is no trustedRoot, so nothing can be checked against a log or a timestamp" + form},
		{"key with log", "key: {file: key.pem}, transparencyLog: required", "p.yaml:7:54: there is no trustedRoot, so nothing can be checked against a log or a timestamp" + form},
		{"empty root", keyless + ", trustedRoot: {file: empty.json}", "p.yaml:7:69: trusted root names nobody to trust\nhint: " + trustHint},
		{"text as root", keyless + ", trustedRoot: {file: text.json}", "p.yaml:7:69: trusted root cannot be parsed: syntax error (line 1:1): invalid value"},
		{"large root", keyless + ", trustedRoot: {file: large.json}", "p.yaml:7:69: trusted root is over 1 MiB"},
		{"missing root", keyless + ", trustedRoot: {file: x.json}", "p.yaml:7:69: trusted root file cannot be read: no file"},
		{"two roots", keyless + ", trustedRoot: {file: root.json, publicGood: true}", "p.yaml:7:62: trustedRoot needs one of file, data and publicGood" + form},
		{"publicGood false", keyless + ", trustedRoot: {publicGood: false}", "p.yaml:7:75: publicGood can only be true" + form},
		{"no issuer", "keyless: {subject: b}, trustedRoot: {publicGood: true}", "p.yaml:7:24: keyless has neither issuer nor issuerRegexp\nhint: keyless: {issuer: https://token.actions.githubusercontent.com, subject: ...}"},
		{"no subject", "keyless: {issuer: b}, trustedRoot: {publicGood: true}", "p.yaml:7:24: keyless has neither subject nor subjectRegexp\nhint: keyless: {issuer: https://token.actions.githubusercontent.com, subject: ...}"},
		{"regexp", "keyless: {issuer: b, subjectRegexp: '('}, trustedRoot: {publicGood: true}", "p.yaml:7:51: subjectRegexp: error parsing regexp: missing closing ): `(`"},
		{"breaking out", "keyless: {issuer: b, subjectRegexp: 'a)|(?:.*'}, trustedRoot: {publicGood: true}", "p.yaml:7:51: subjectRegexp: error parsing regexp: unexpected ): `a)|(?:.*`"},
		{"long regexp", "keyless: {issuer: b, subjectRegexp: '" + strings.Repeat("a", 2001) + "'}, trustedRoot: {publicGood: true}", "p.yaml:7:51: subjectRegexp: regular expression has 2001 characters, and 2000 are the most"},
		{"no log and no timestamp", keyless + ", transparencyLog: optional, trustedRoot: {publicGood: true}",
			"p.yaml:7:66: a keyless signature needs a time, from a log or a timestamp authority\nhint: timestamp: required"},
		{"too many logs", keyless + ", transparencyLog: 2, trustedRoot: {file: root.json}", "p.yaml:7:66: 2 logs demanded, and the trusted root has 1" + form},
		{"log demand", keyless + ", transparencyLog: always, trustedRoot: {publicGood: true}", "p.yaml:7:66: transparencyLog must be required, optional or a number\nhint: transparencyLog: required"},
		{"timestamp demand", keyless + ", timestamp: 99, trustedRoot: {publicGood: true}", "p.yaml:7:60: timestamp is 99, and must be between 1 and 8"},
		{"leaf as chain", "certificate: {chain: {file: leaf.pem}, subject: a}", "p.yaml:7:43: certificate of \"\" is none of an authority\n"},
		{"no root in chain", "certificate: {chain: {file: middle.pem}, subject: a}", "p.yaml:7:43: chain has no root\nhint: add the certificate at the top, which signs itself"},
		{"key as chain", "certificate: {chain: {file: key.pem}, subject: a}", "p.yaml:7:43: PEM block of type \"PUBLIC KEY\" is no certificate\nhint: the certificates of the authority, in PEM form"},
		{"cut chain", "certificate: {chain: {file: cut.pem}, subject: a}", "p.yaml:7:43: certificate cannot be parsed: x509: malformed certificate"},
		{"no chain", "certificate: {subject: a}", "p.yaml:7:28: certificate has no field \"chain\"\nhint: certificate: {chain: {file: ca.pem}, subject: ...}"},
		{"no chain subject", "certificate: {chain: {file: middle.pem}}", "p.yaml:7:28: certificate has neither subject nor subjectRegexp"},
		{"predicate type", "key: {file: key.pem}, attestations: [{predicateType: provenance}]", "p.yaml:7:68: predicateType \"provenance\" is neither a URI nor a known name\nhint: a URI, or slsaprovenance1"},
		{"CEL", "key: {file: key.pem}, attestations: [{predicateType: vsa, cel: '1 +'}]", "p.yaml:7:78: 1:"},
		{"Rego", "key: {file: key.pem}, attestations: [{predicateType: vsa, rego: {file: bad.rego}}]", "p.yaml:7:86: bad.rego:2:"},
		{"Rego without a rule", "key: {file: key.pem}, attestations: [{predicateType: vsa, rego: {file: no-rule.rego}}]", "p.yaml:7:86: no rule decides"},
		{"age without time", "key: {file: key.pem}, attestations: [{predicateType: vsa, maxAge: 1h}]", "p.yaml:7:81: maxAge needs a time, and signatures of authority \"a\" need none\nhint: transparencyLog: required, or timestamp: required"},
		{"annotations of attestations", "key: {file: key.pem}, annotations: {a: b}, attestations: [{predicateType: vsa}]", "p.yaml:7:72: attestations have no annotations\nhint: use cel over the predicate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := sigtest.Head + "spec:\n  unmatched: reject\n  rules:\n  - {images: ['**'], authorities: [\n    {name: a, " + tt.authority + "}]}\n"
			_, err := parse("p.yaml", []byte(in), func(path string) ([]byte, error) {
				if b, ok := files[path]; ok {
					return b, nil
				}
				return nil, errors.New("no file")
			})
			if err == nil {
				t.Fatal("no error")
			}
			if got := sigtest.WithHints(err); !strings.HasPrefix(got+"\n", tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestRuleErrors(t *testing.T) {
	k := sigtest.KeyLine("a", sigtest.NewSigner(t, "p256"))
	for in, want := range map[string]string{
		"    require: 2\n":                          "p.yaml:7:14: require is 2, and the authorities have 1 signer between them",
		"    require: most\n":                       "p.yaml:7:14: require must be any, all or a number of signers\nhint: require: 2",
		"    require: 99\n":                         "p.yaml:7:14: require is 99, and must be between 1 and 64",
		"    maxAge: 1h\n":                          "p.yaml:7:13: maxAge needs a time, and signatures of authority \"a\" need none\nhint: transparencyLog: required, or timestamp: required",
		"    maxAge: soon\n":                        "p.yaml:7:13: maxAge is \"soon\", and must be a time such as 90m or 720h\nhint: maxAge: 720h",
		"    maxAge: -1h\n":                         "p.yaml:7:13: maxAge is \"-1h\", and must be a time such as 90m or 720h\nhint: maxAge: 720h",
		"    manifest: all\n":                       "p.yaml:7:15: manifest is \"all\", and must be index, platforms or either",
		"    checkName: yes\n":                      "p.yaml:7:16: checkName must be true or false, not a string",
		"    names: [{from: a.io/x, to: b.io/x}]\n": "p.yaml:7:12: names have no meaning where the signed name is not checked\nhint: checkName: true",
		"    checkName: true\n    names: [{from: a.io/x, to: 'b.io/*'}]\n": "p.yaml:8:32: names: \"a.io/x\" and \"b.io/*\" have different stars\nhint: give both the same stars in the same order",
		"    mode: audit\n": "p.yaml:7:11: mode is \"audit\", and must be enforce or warn",
	} {
		text := strings.Replace(sigtest.RuleText(in, k), "  trustedRoot: {file: root.json}\n", "", 1)
		_, err := parse("p.yaml", []byte(text), nil)
		if err == nil {
			t.Errorf("%q: no error", in)
			continue
		}
		got := strings.Split(sigtest.WithHints(err), "\np.yaml")[0]
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
}

func TestWarnings(t *testing.T) {
	for subject, warned := range map[string]bool{".*": true, "(?s).+": true, `[^\n]*`: true, ".*@example.com": false, "https://.*": false} {
		p, err := parse("p.yaml", []byte(sigtest.Head+"spec:\n  unmatched: reject\n  trustedRoot: {publicGood: true}\n  rules:\n"+
			"  - images: ['**']\n    authorities: [{name: a, keyless: {issuer: b, subjectRegexp: '"+subject+"'}}]\n"), nil)
		sigtest.Must(t, err)
		if got := len(p.Warnings) == 1 && strings.HasSuffix(p.Warnings[0].Msg, "matches everything"); got != warned {
			t.Errorf("%s: %v", subject, p.Warnings)
		}
	}
}

// A regular expression matches whole texts, however it is written.
func TestRegexpIsAnchored(t *testing.T) {
	for _, tt := range []struct {
		re, text string
		want     bool
	}{
		{"a", "a", true}, {"a", "ba", false}, {"a", "ab", false}, {"a|b", "b", true}, {"a|b", "xb", false}, {"a|b", "ax", false},
		{"^a$", "a", true}, {"(?m)^a$", "x\na\ny", false}, {".*@example.com", "x@example.com.evil.org", false}, {"a", "", false}, {"a*", "", false},
	} {
		m, err := newRegexp(tt.re)
		sigtest.Must(t, err)
		if m.Match(tt.text) != tt.want {
			t.Errorf("%s on %q is not %v", tt.re, tt.text, tt.want)
		}
	}
}

type staticTUF map[string]string

func (s staticTUF) GetTarget(name string) ([]byte, error) {
	if t, ok := s[name]; ok {
		return []byte(t), nil
	}
	return nil, errors.New("no such target\nat all")
}

func TestFetchTrustedRoot(t *testing.T) {
	good, date := PublicGoodRoot()
	if date.Before(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("date %s", date)
	}
	got, err := FetchTrustedRoot(staticTUF{"trusted_root.json": string(good)})
	if err != nil || string(got) != string(good) {
		t.Error(err)
	}
	for want, c := range map[string]staticTUF{
		"the trusted root cannot be fetched: no such target at all":                          {},
		"the trusted root that was fetched is not usable: trusted root ended on 2021-02-03":  {"trusted_root.json": string(expiredRoot(t))},
		"the trusted root that was fetched is not usable: trusted root cannot be parsed: sy": {"trusted_root.json": "x"},
	} {
		if _, err := FetchTrustedRoot(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	}
}
