package policy

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

func readKeys(keys map[string]string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if k, ok := keys[path]; ok {
			return []byte(k), nil
		}
		return nil, fmt.Errorf("open %s: %w", path, os.ErrNotExist)
	}
}

// withKey is a policy that is right but for its key.
func withKey(key string) string {
	return sigtest.Head + "spec:\n  unmatched: reject\n  rules:\n    - images: ['**']\n      authorities:\n" +
		"        - name: release\n          key: " + key + "\n"
}

// WithImage is a policy that is right but for its pattern.
func withImage(pattern string) string {
	return strings.Replace(withKey("{file: good.pub}"), "'**'", pattern, 1)
}

// problem is a policy and the whole text of the error.
type problem struct{ name, in, want string }

func TestPolicyErrors(t *testing.T) {
	checkProblems(t, []problem{
		{"empty", "", "p.yaml:1:1: is empty"},
		{"comment", "# nothing\n", "p.yaml:1:1: is empty"},
		{"a list", "- a\n", "p.yaml:1:1: the policy must be a mapping, not a list"},
		{"syntax", "a: [\n", "p.yaml:1:1: not valid YAML: did not find expected node content"},
		{"anchor", "a: *b\n", "p.yaml:1:1: not valid YAML: unknown anchor 'b' referenced"},
		{"too large", strings.Repeat("#", 1<<20+1), "p.yaml:1:1: is larger than 1 MiB"},
		{"two documents", withKey("{file: good.pub}") + "---\na: 1\n",
			"p.yaml:11:1: file has more than one document\nhint: put every policy into a file of its own"},
		{"aliases", "a: &a x\nb: [" + strings.Repeat("*a, ", 33) + "]\n", "p.yaml:1:1: has 33 aliases, and 32 are the most"},
		{"all missing", "{}", "p.yaml:1:1: the policy has no field \"apiVersion\"\nhint: apiVersion: kubepromote.dev/v1alpha1\n" +
			"p.yaml:1:1: the policy has no field \"kind\"\nhint: kind: VerificationPolicy\n" +
			"p.yaml:1:1: the policy has no field \"spec\""},
		{"other kind", "apiVersion: example.com/v1\nkind: ImagePolicy\nspec: {unmatched: allow, rules: x}\n",
			"p.yaml:1:13: apiVersion \"example.com/v1\" is not known here\nhint: apiVersion: kubepromote.dev/v1alpha1\n" +
				"p.yaml:2:7: kind \"ImagePolicy\" is not known here\nhint: kind: VerificationPolicy\n" +
				"p.yaml:3:33: rules must be a list, not a string"},
		{"unknown and doubled", sigtest.Head + "kind: VerificationPolicy\nmetadata: {labels: {}, name: 7}\nspec:\n  unmatched: warn\n  rule: []\n  rules: []\n",
			"p.yaml:3:1: field \"kind\" is in the policy already\n" +
				"p.yaml:4:12: unknown field \"labels\" in metadata\nhint: known here: name\n" +
				"p.yaml:4:30: name must be a string, not a number\n" +
				"p.yaml:6:14: unmatched is \"warn\", and must be reject or allow\n" +
				"p.yaml:7:3: unknown field \"rule\" in spec\nhint: did you mean \"rules\"?\n" +
				"p.yaml:8:10: rules is an empty list"},
		{"no unmatched", sigtest.Head + "spec:\n  rules:\n  - images:\n    authorities: []\n    authority: x\n",
			"p.yaml:4:3: spec has no field \"unmatched\"\nhint: unmatched: reject\n" +
				"p.yaml:5:12: images must be a list, not nothing\n" +
				"p.yaml:6:18: authorities is an empty list\n" +
				"p.yaml:7:5: unknown field \"authority\" in a rule\nhint: did you mean \"authorities\"?"},
		{"authorities", sigtest.Head + "spec:\n  unmatched: reject\n  rules:\n  - images: [true, '']\n    authorities:\n" +
			"    - {name: a, key: {file: good.pub}}\n    - {name: a, keys: {file: good.pub}}\n    - key: {file: good.pub}\n    - x\n",
			"p.yaml:6:14: a pattern must be a string, not true or false\n" +
				"p.yaml:6:20: a pattern is empty\n" +
				"p.yaml:9:14: authority \"a\" is in this rule already\n" +
				"p.yaml:9:23: keys must be a list, not a mapping\n" +
				"p.yaml:10:7: an authority has no field \"name\"\n" +
				"p.yaml:11:7: an authority must be a mapping, not a string"},
		{"contains itself", sigtest.Head + "spec: &s\n  unmatched: reject\n  rules: *s\n", "p.yaml:4:3: values stand more than 64 deep"},
		{"merge", sigtest.Head + "metadata: &m {name: x}\nspec:\n  unmatched: reject\n  rules: *m\n  <<: *m\n",
			"p.yaml:6:10: rules must be a list, not a mapping\np.yaml:7:3: unknown field \"<<\" in spec\nhint: known here: mode, unmatched, trustedRoot, rules"},
	})
}

func TestPolicyKeyErrors(t *testing.T) {
	checkProblems(t, []problem{
		{"no key", withKey("{}"), at + "key needs one of file, data and kms\nhint: key: {file: cosign.pub}"},
		{"both", withKey("{file: a, data: b}"), at + "key needs one of file, data and kms\nhint: key: {file: cosign.pub}"},
		{"KMS", withKey("{file: awskms://x}"), atFile + "key \"awskms://x\" is not a file\nhint: cosign public-key --key awskms://x --outfile cosign.pub"},
		{"KMS without support", withKey("{kms: awskms:///alias/x}"), "p.yaml:9:22: this program is built without support for key services such as \"awskms\"\n" +
			"hint: cosign public-key --key awskms:///alias/x --outfile cosign.pub"},
		{"no file", withKey("{file: x.pub}"), atFile + "key file cannot be read: open x.pub: file does not exist"},
		{"empty key", withKey("{file: empty.pub}"), atFile + noPEM},
		{"text", withKey("{file: text.pub}"), atFile + noPEM},
		{"text in place", withKey("{data: text}"), atFile + noPEM},
		{"cut", withKey("{file: cut.pub}"), atFile + "key cannot be parsed: asn1: syntax error: truncated tag or length"},
		{"two keys", withKey("{file: two.pub}"), atFile + "key has more than one PEM block\nhint: one authority for each key"},
		{"sigstore key", withKey("{file: cosign.key}"), atFile + private},
		{"cosign key", withKey("{file: old.key}"), atFile + private},
		{"EC key", withKey("{file: ec.key}"), atFile + plain},
		{"RSA key", withKey("{file: rsa.key}"), atFile + plain},
		{"PKCS 8 key", withKey("{file: pkcs8.key}"), atFile + plain},
		{"certificate", withKey("{file: cert.pem}"), atFile + "key is a certificate, not a public key\nhint: openssl x509 -in certificate.pem -noout -pubkey"},
		{"PKCS 1", withKey("{file: pkcs1.pub}"), atFile + "key cannot be parsed: asn1: syntax error: truncated tag or length"},
		{"token", withKey("{file: 'pkcs11:token=x'}"), atFile + "key \"pkcs11:token=x\" is not a file\nhint: cosign public-key --key pkcs11:token=x --outfile cosign.pub"},
		{"DER", withKey("{file: good.der}"), atFile + "key is in DER form, and not in PEM form\nhint: openssl pkey -pubin -inform DER -in key.der -out cosign.pub"},
		{"ssh", withKey("{data: ssh-ed25519 AAAA}"), atFile + "key is in the form of ssh, and not in PEM form\nhint: ssh-keygen -e -m PKCS8 -f key.pub"},
		{"weak", withKey("{file: weak.pub}"), atFile + "key is weak: RSA with 1024 bits, at least 2048 are needed\n" + makes},
		{"odd", withKey("{file: odd.pub}"), atFile + "key is not supported: RSA with 2560 bits, not 2048, 3072 or 4096\n" + makes},
		{"P-224", withKey("{file: p224.pub}"), atFile + "key is not supported: ECDSA on the curve P-224\n" + makes},
		{"X25519", withKey("{file: x25519.pub}"), atFile + "key is not supported: *ecdh.PublicKey\n" + makes},
		{"large", withKey("{file: large.pub}"), atFile + "key is over 64 KiB"},
	})
}

func TestPolicyPatternErrors(t *testing.T) {
	checkProblems(t, []problem{
		{"one star", withImage("'*'"), atImage + "pattern \"*\" names no registry, so it matches nothing\nhint: index.docker.io/library/*"},
		{"short name", withImage("nginx"), atImage + "pattern \"nginx\" names no registry, so it matches nothing\nhint: index.docker.io/library/nginx"},
		{"no registry", withImage("shop/cart"), atImage + "pattern \"shop/cart\" names no registry, so it matches nothing\nhint: index.docker.io/shop/cart"},
		{"three stars", withImage("a.io/***"), atImage + "pattern \"a.io/***\" has more than two stars in a row"},
		{"upper case registry", withImage("GCR.io**"), atImage + "pattern \"GCR.io**\" has upper case letters, which no repository name has\nhint: gcr.io**"},
		{"tag", withImage("'a.io/x:1'"), atImage + "pattern \"a.io/x:1\" does not name a repository\nhint: leave out tag and digest"},
		{"digest", withImage("'a.io/x@sha256:0'"), atImage + "pattern \"a.io/x@sha256:0\" does not name a repository\nhint: leave out tag and digest"},
		{"class", withImage("'a.io/[a-z]'"), atImage + "pattern \"a.io/[a-z]\" has a character that no repository name has\n" +
			"hint: only * and ** are special, and everything else is taken as it stands"},
		{"upper case", withImage("a.io/Cart"), atImage + "pattern \"a.io/Cart\" has upper case letters, which no repository name has\nhint: a.io/cart"},
		{"empty part", withImage("a.io/x/"), atImage + "pattern \"a.io/x/\" has an empty part, so it matches nothing\nhint: a.io/x/**"},
	})
}

func checkProblems(t *testing.T, tests []problem) {
	t.Helper()
	keys := sigtest.TestKeys(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parse("p.yaml", []byte(tt.in), readKeys(keys))
			if err == nil || p != nil {
				t.Fatalf("got %v, %v", p, err)
			}
			if d := cmp.Diff(tt.want, sigtest.WithHints(err)); d != "" {
				t.Error(d)
			}
			if _, ok := errors.AsType[*problemError](err); !ok {
				t.Errorf("%T holds no *PolicyError", err)
			}
		})
	}
}

// Where withKey and withImage have their variable part.
const (
	at      = "p.yaml:9:16: "
	atFile  = "p.yaml:9:23: "
	atImage = "p.yaml:6:16: "
	noPEM   = "key is not in PEM form\nhint: a public key begins with -----BEGIN PUBLIC KEY-----"
	private = "key is a private key, and belongs neither here nor in a repository\n" +
		"hint: cosign public-key --key cosign.key --outfile cosign.pub"
	plain = "key is a private key, and belongs neither here nor in a repository\n" +
		"hint: openssl pkey -in private.pem -pubout -out cosign.pub"
	makes = "hint: cosign generate-key-pair makes a key that is supported"
)

func TestPolicyWithoutReader(t *testing.T) {
	_, err := parse("p.yaml", []byte(withKey("{file: good.pub}")), nil)
	if err == nil || sigtest.WithHints(err) != atFile+"key files cannot be read here\nhint: key: {data: ...}" {
		t.Error(err)
	}
}

func TestPolicyAliases(t *testing.T) {
	in := sigtest.Head + "metadata: {name: images}\nspec:\n  unmatched: allow\n  rules:\n" +
		"  - images: [a.io/x]\n    authorities: &all\n    - &r {name: release, key: {file: good.pub}}\n" +
		"  - images: [a.io/y]\n    authorities: *all\n  - images: [a.io/z]\n    authorities: [*r]\n"
	p, err := parse("p.yaml", []byte(in), readKeys(sigtest.TestKeys(t)))
	sigtest.Must(t, err)
	if p.Name != "images" || !p.Allow || len(p.Rules) != 3 {
		t.Errorf("%+v", p)
	}
	for _, r := range p.Rules {
		if len(r.Authorities) != 1 || r.Authorities[0].Name != "release" || len(r.Authorities[0].Signers) == 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestPatterns(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"registry.example.com/shop/**",
			[]string{"registry.example.com/shop/cart", "registry.example.com/shop/a/b", "REGISTRY.example.com/shop/cart",
				"registry.example.com:443/shop/cart", "registry.example.com./shop/cart", "registry.example.com:0443/shop/cart",
				"registry.example.com.:443/shop/cart"},
			[]string{"registry.example.com/shop", "registry.example.com/shopping/cart", "registry.example.com:5000/shop/cart",
				"registryxexample.com/shop/cart", "evil.com/registry.example.com/shop/cart"}},
		{"registry.example.com/shop/*", []string{"registry.example.com/shop/cart"}, []string{"registry.example.com/shop/a/b"}},
		{"Registry.example.com:443/*/cart", []string{"registry.example.com/shop/cart"}, []string{"registry.example.com/cart"}},
		{"*.example.com/**", []string{"a.example.com/x"}, []string{"example.com/x", "a.example.com.evil.com/x"}},
		{"**", []string{"nginx", "a.io/b/c"}, nil},
		{"**/cart", []string{"a.io/b/cart"}, []string{"a.io/b/cart2", "a.io/xcart"}},
		{"docker.io/nginx", []string{"nginx", "docker.io/library/nginx", "registry-1.docker.io/library/nginx", "registry-1.docker.io/nginx",
			"Docker.io/nginx", "docker.io:443/nginx"}, []string{"shop/nginx"}},
		{"docker.io/*", []string{"nginx"}, []string{"shop/nginx"}},
		{"index.docker.io/shop/*", []string{"shop/nginx"}, []string{"nginx"}},
		{"localhost/x", nil, []string{"x"}},
		{"localhost:5000/x", []string{"localhost:5000/x", "localhost:05000/x", "localhost.:5000/x"}, []string{"localhost:5001/x"}},
	}
	for _, tt := range tests {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for _, s := range tt.yes {
			if full := canonical(t, s); !p.Match(full) {
				t.Errorf("%s does not match %s (%s)", tt.pattern, s, full)
			}
		}
		for _, s := range tt.no {
			if full := canonical(t, s); p.Match(full) {
				t.Errorf("%s matches %s (%s)", tt.pattern, s, full)
			}
		}
	}
}

// canonical is the name that patterns are compared with.
func canonical(t testing.TB, s string) string {
	t.Helper()
	r, err := name.NewRepository(s)
	sigtest.Must(t, err)
	return CanonicalName(r)
}

// parse is Parse, with the problems in one error.
func parse(name string, data []byte, readFile func(string) ([]byte, error)) (*Policy, error) {
	p, faults := Parse(name, data, readFile)
	var errs []error
	for _, e := range faults {
		e.Line, e.Col = max(e.Line, 1), max(e.Col, 1) // as importers see it
		errs = append(errs, &problemError{e})
	}
	return p, errors.Join(errs...)
}

// problemError is a problem in the form in which importers see it.
type problemError struct{ yamlfile.Fault }

func (e *problemError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

func (e *problemError) HintText() string { return e.Hint }
