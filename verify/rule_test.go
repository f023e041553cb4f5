package verify

import (
	"crypto"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// signBy attaches a signature as a bundle for each key.
func (b *bench) signBy(t *testing.T, keys ...sigtest.Signer) {
	t.Helper()
	for _, k := range keys {
		b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, k, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))))
	}
}

func TestRequire(t *testing.T) {
	a, b, c := sigtest.NewSigner(t, "p256"), sigtest.NewSigner(t, "p256"), sigtest.NewSigner(t, "p256")
	tests := []struct {
		name        string
		require     string
		authorities string
		signed      []sigtest.Signer
		outcome     Outcome
		reason      string
	}{
		{"any", "any", sigtest.KeyLine("a", a) + sigtest.KeyLine("b", b), []sigtest.Signer{b}, Verified, `signed by "b"`},
		{"all", "all", sigtest.KeyLine("a", a) + sigtest.KeyLine("b", b), []sigtest.Signer{a, b}, Verified, `signed by "a", "b"`},
		{"not all", "all", sigtest.KeyLine("a", a) + sigtest.KeyLine("b", b), []sigtest.Signer{a}, Rejected,
			`1 signature, by authority "a" and not by "b": made with another key`},
		{"two of three", "2", sigtest.KeyLine("a", a) + sigtest.KeyLine("b", b) + sigtest.KeyLine("c", c), []sigtest.Signer{c, a}, Verified, `signed by "a", "c"`},
		{"one of two", "2", sigtest.KeyLine("a", a) + sigtest.KeyLine("b", b), []sigtest.Signer{a}, Rejected,
			`1 signature, by 1 signer of the 2 needed of authority "a" or "b": made with another key`},
		{"the same twice", "2", sigtest.KeyLine("a", a) + sigtest.KeyLine("b", b), []sigtest.Signer{a, a}, Rejected,
			`2 signatures, by 1 signer of the 2 needed of authority "a" or "b": made with another key`},
		{"the same through two authorities", "2", sigtest.KeyLine("a", a) + sigtest.KeyLine("a2", a, b), []sigtest.Signer{a}, Rejected,
			`1 signature, by 1 signer of the 2 needed of authority "a" or "a2": made with another key`},
		{"the same for all", "all", sigtest.KeyLine("a", a, b) + sigtest.KeyLine("a2", a, c), []sigtest.Signer{a}, Rejected,
			`1 signature, one signer stands for more than one of authority "a", "a2": made with another key`},
		{"exchanged for all", "all", sigtest.KeyLine("a", a, b) + sigtest.KeyLine("a2", a), []sigtest.Signer{a, b}, Verified, `signed by "a", "a2"`},
		{"two of one authority", "2", sigtest.KeyLine("people", a, b, c), []sigtest.Signer{c, b}, Verified, `signed by "people"`},
		{"one of one authority", "2", sigtest.KeyLine("people", a, b, c), []sigtest.Signer{b, b}, Rejected,
			`2 signatures, by 1 signer of the 2 needed of authority "people": made with another key`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := newBench(t, true)
			x.image = x.Wire.Image(t, "cart")
			x.signBy(t, tt.signed...)
			got := x.with(t, rulePolicy(t, "    require: "+tt.require+"\n", tt.authorities))
			if got.Outcome != tt.outcome || got.Reason != tt.reason {
				t.Errorf("got  %s: %s\nwant %s: %s", got.Outcome, got.Reason, tt.outcome, tt.reason)
			}
		})
	}
}

// Two identities behind one regular expression are two people, and one person is
// one, with however many certificates.
func TestRequireIdentities(t *testing.T) {
	s := sigtest.NewInstance(t)
	p := parseRule(t, "    require: 2\n", "    - {name: people, keyless: {issuer: "+sigtest.TestIssuer+", subjectRegexp: '.*@example\\.com'}}\n", s.TrustedRoot(t))
	for _, tt := range []struct {
		subjects []string
		outcome  Outcome
	}{
		{[]string{"ann@example.com", "bob@example.com"}, Verified},
		{[]string{"ann@example.com", "ann@example.com"}, Rejected},
		{[]string{"ann@example.com", "bob@example.com.evil.org"}, Rejected},
	} {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		for _, subject := range tt.subjects {
			b.Attach(t, b.image, sigtest.BundleJSON(t, s.Attested(t, s.Issue(t, subject, sigtest.TestIssuer), sigtest.Statement(b.image.Digest, statement.SignType), sigtest.Signing{})))
		}
		if got := b.with(t, p); got.Outcome != tt.outcome {
			t.Errorf("%v: %s: %s", tt.subjects, got.Outcome, got.Reason)
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		name   string
		rule   string // %s is the repository
		signed string // docker-reference; %s as well
		reason string // "" is verified
	}{
		{"not asked", "", "elsewhere.example.com/x", ""},
		{"same", "    checkName: true\n", "%s", ""},
		{"same with tag", "    checkName: true\n", "%s:1.2", ""},
		{"other", "    checkName: true\n", "elsewhere.example.com/shop/cart", `made for the repository "elsewhere.example.com/shop/cart"`},
		{"none", "    checkName: true\n", "", "it does not say for which repository it was made"},
		{"no name", "    checkName: true\n", ":::", `made for the repository ":::"`},
		{"mapped", "    checkName: true\n    names: [{from: 'staging.example.com/**', to: 'HOST/**'}]\n", "staging.example.com/shop/cart", ""},
		{"mapped to other", "    checkName: true\n    names: [{from: 'staging.example.com/**', to: 'HOST/**'}]\n", "staging.example.com/shop/till",
			`made for the repository "staging.example.com/shop/till"`},
		{"mapped parts", "    checkName: true\n    names: [{from: 'staging.example.com/*/*-rc', to: 'HOST/*/*'}]\n", "staging.example.com/shop/cart-rc", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			signed := strings.ReplaceAll(tt.signed, "%s", b.Host+"/"+sigtest.Repo)
			text := strings.Replace(string(sigtest.Claim(b.image.Digest)), "example.com/elsewhere", signed, 1)
			b.Tag(t, b.image, b.Layer(t, b.good, []byte(text)))
			got := b.with(t, rulePolicy(t, strings.ReplaceAll(tt.rule, "HOST", b.Host), sigtest.KeyLine("release", b.good)))
			if (got.Outcome == Verified) != (tt.reason == "") || !strings.HasSuffix(got.Reason, tt.reason) {
				t.Errorf("got %s: %s", got.Outcome, got.Reason)
			}
		})
	}
}

func TestAnnotations(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	text := strings.Replace(string(sigtest.Claim(b.image.Digest)), `"optional":null`, `"optional":{"stage":"prod","n":1}`, 1)
	b.Tag(t, b.image, b.Layer(t, b.good, []byte(text)))
	for annotations, reason := range map[string]string{
		"{stage: prod}":            "",
		"{stage: dev}":             `its annotation "stage" is not "dev"`,
		"{stage: prod, more: yes}": `its annotation "more" is not "yes"`,
		"{n: '1'}":                 `its annotation "n" is not "1"`,
	} {
		line := strings.Replace(sigtest.KeyLine("release", b.good), "}}\n", "}, annotations: "+annotations+"}\n", 1)
		got := b.with(t, rulePolicy(t, "", line))
		if (got.Outcome == Verified) != (reason == "") || !strings.HasSuffix(got.Reason, reason) {
			t.Errorf("%s: got %s: %s", annotations, got.Outcome, got.Reason)
		}
	}
	// An attestation is no signature whose annotations could be looked at.
	b.image = b.Wire.Image(t, "till")
	st := strings.Replace(string(sigtest.Statement(b.image.Digest, statement.SignType)), `"digest"`, `"annotations":{"stage":"prod"},"digest"`, 1)
	b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, []byte(st))))
	line := strings.Replace(sigtest.KeyLine("release", b.good), "}}\n", "}, annotations: {stage: prod}}\n", 1)
	check(t, b, b.with(t, rulePolicy(t, "", line)), Verified, `signed by "release"`)
}

// multi is an index of two images and of what a builder keeps beside them.
func (b *bench) multi(t *testing.T) (index v1.Descriptor, platforms []v1.Descriptor) {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		d := b.Wire.Image(t, arch)
		d.Platform = &v1.Platform{OS: "linux", Architecture: arch}
		platforms = append(platforms, d)
	}
	note := b.Wire.Image(t, "note")
	note.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	body := sigtest.Marshal(t, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: append(platforms, note)})
	return b.Put(t, "", types.OCIImageIndex, body), platforms
}

func TestManifest(t *testing.T) {
	tests := []struct {
		mode    string
		signed  string // index, amd64, arm64
		outcome Outcome
		reason  string
	}{
		{"index", "index", Verified, `signed by "release"`},
		{"index", "amd64 arm64", Rejected, "no signature found beside the index; manifest: platforms in the rule asks its images"},
		{"platforms", "amd64 arm64", Verified, `signed by "release"`},
		{"platforms", "index amd64", Rejected, "linux/arm64: no signature found"},
		{"either", "index", Verified, `signed by "release"`},
		{"either", "amd64 arm64", Verified, `signed by "release"`},
		{"either", "arm64", Rejected, "linux/amd64: no signature found"},
	}
	for _, tt := range tests {
		t.Run(tt.mode+" "+tt.signed, func(t *testing.T) {
			b := newBench(t, true)
			index, platforms := b.multi(t)
			for _, d := range append(platforms, index) {
				name := "index"
				if d.Platform != nil {
					name = d.Platform.Architecture
				}
				if strings.Contains(tt.signed, name) {
					b.image = d
					b.signBy(t, b.good)
				}
			}
			b.image = index
			p := rulePolicy(t, "    manifest: "+tt.mode+"\n", sigtest.KeyLine("release", b.good))
			check(t, b, b.with(t, p), tt.outcome, tt.reason)
			if tt.outcome == Verified && tt.mode != "index" && !strings.Contains(tt.signed, "index") {
				if got := b.with(t, p); len(got.Evidence) != 2 {
					t.Errorf("%d pieces of evidence for two platforms", len(got.Evidence))
				}
			}
		})
	}
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.signBy(t, b.good)
	for _, mode := range []string{"platforms", "either"} {
		check(t, b, b.with(t, rulePolicy(t, "    manifest: "+mode+"\n", sigtest.KeyLine("release", b.good))), Verified, `signed by "release"`)
		check(t, b, b.with(t, rulePolicy(t, "    manifest: "+mode+"\n", sigtest.KeyLine("release", b.bad))), Rejected,
			`1 signature, none by authority "release": made with another key`)
	}
}

// What cannot be read of an index leaves it unknown, unless something else in it
// is a no.
func TestManifestUnread(t *testing.T) {
	b := newBench(t, true)
	index, platforms := b.multi(t)
	policy := func(mode string) *Policy {
		return rulePolicy(t, "    manifest: "+mode+"\n", sigtest.KeyLine("release", b.good))
	}
	b.image = platforms[1]
	b.signBy(t, b.good)
	b.image = index
	b.On(platforms[0].Digest.Hex, sigtest.Status(403))
	for _, mode := range []string{"platforms", "either"} {
		got := b.with(t, policy(mode))
		if got.Outcome != Unknown || !strings.HasPrefix(got.Reason, "linux/amd64: cannot read ") {
			t.Errorf("%s: got %s: %s", mode, got.Outcome, got.Reason)
		}
	}
	b.On(platforms[1].Digest.Hex, sigtest.Status(403))
	if got := b.with(t, policy("platforms")); got.Outcome != Rejected || got.Reason != "linux/amd64: no signature found" {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
	b.On("/referrers/"+index.Digest.String(), sigtest.Status(403))
	if got := b.with(t, policy("either")); got.Outcome != Unknown {
		t.Errorf("either: got %s: %s", got.Outcome, got.Reason)
	}
	b.On("/manifests/"+index.Digest.String(), sigtest.Status(403))
	if got := b.with(t, policy("platforms")); got.Outcome != Unknown {
		t.Errorf("index: got %s: %s", got.Outcome, got.Reason)
	}
}

func TestWarn(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.signBy(t, b.good)
	rule := func(mode string, k sigtest.Signer) string {
		return "  - images: ['**']\n    mode: " + mode + "\n    authorities:\n" + sigtest.KeyLine("release", k)
	}
	const reason = `1 signature, none by authority "release": made with another key`
	tests := []struct {
		name   string
		rules  string
		want   Outcome
		warned bool
		count  int
	}{
		{"met", rule("warn", b.good), Verified, false, 0},
		{"not met", rule("warn", b.bad), Rejected, true, 1},
		{"warn and enforce met", rule("warn", b.bad) + rule("enforce", b.good), Rejected, true, 1},
		{"enforce not met", rule("warn", b.good) + rule("enforce", b.bad), Rejected, false, 0},
		{"neither", rule("warn", b.bad) + rule("enforce", b.bad), Rejected, false, 1},
	}
	for _, tt := range tests {
		p, err := ParsePolicy("p.yaml", []byte(sigtest.Head+"spec:\n  unmatched: reject\n  rules:\n"+tt.rules), nil)
		sigtest.Must(t, err)
		got := b.with(t, p)
		if got.Outcome != tt.want || got.Warned != tt.warned || len(got.Warnings) != tt.count ||
			tt.want == Rejected && got.Reason != reason || (len(got.Evidence) > 0) != (tt.want == Verified) {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
	p, err := ParsePolicy("p.yaml", []byte(sigtest.Head+"spec:\n  mode: warn\n  unmatched: reject\n  rules:\n"+
		strings.Replace(rule("warn", b.bad), "    mode: warn\n", "", 1)), nil)
	sigtest.Must(t, err)
	b.On("/referrers/", sigtest.Status(500))
	if got := b.with(t, p); got.Outcome != Unknown || !got.Warned {
		t.Errorf("unread: %+v", got)
	}
}

// An image has to meet every rule that matches it, and is read once for all of them.
func TestTwoRules(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.signBy(t, b.good, b.more)
	rules := func(first, second sigtest.Signer) *Policy {
		text := string(sigtest.PolicyText("first", first.Pem))
		_, rule, _ := strings.Cut(string(sigtest.PolicyText("second", second.Pem)), "  rules:\n")
		p, err := ParsePolicy("p.yaml", []byte(text+rule), nil)
		sigtest.Must(t, err)
		return p
	}
	v := newVerifier(b.Wire, 10*time.Second)
	if got := v.Verify(t.Context(), rules(b.good, b.more), b.Ref(b.image))[0]; got.Reason != `signed by "first", "second"` {
		t.Errorf("%+v", got)
	}
	before := b.Requests.Load()
	v.Verify(t.Context(), rules(b.good, b.more), b.Ref(b.image))
	// The tag, the list, and two manifests with their blobs, each of them once.
	if n := b.Requests.Load() - before; n != 6 {
		t.Errorf("%d requests", n)
	}
	if got := v.Verify(t.Context(), rules(b.good, b.bad), b.Ref(b.image))[0]; got.Outcome != Rejected {
		t.Errorf("%+v", got)
	}
}
