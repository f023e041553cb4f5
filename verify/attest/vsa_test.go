package attest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// fullVSA has every field.
func fullVSA() VSA {
	return VSA{
		Image:       someImage,
		Verifier:    "https://kubepromote.dev/cli",
		Version:     map[string]string{"kubectl-promote": "v1.2.3"},
		Time:        someTime,
		Policy:      Resource{URI: "git+https://git.example.com/infra#kubepromote.yaml", Digest: "sha256:" + strings.Repeat("1", 64)},
		Inputs:      []Resource{{URI: "oci://registry.example.com/shop/cart", Digest: "sha256:" + strings.Repeat("2", 64)}},
		Passed:      true,
		Levels:      []string{"SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_2"},
		Environment: "staging",
		Service:     "cart",
		Repository:  "https://git.example.com/infra",
		Commit:      strings.Repeat("c", 40),
		Gates: []GateVerdict{
			{Gate: "soak", Verdict: "pass", Reason: "healthy for 10m"},
			{Gate: "freeze", Verdict: "fail", Reason: "Friday", Override: "incident 42"},
		},
	}
}

func TestNewVSA(t *testing.T) {
	s, err := NewVSA(fullVSA())
	sigtest.Must(t, err)
	want := `{
	  "_type": "https://in-toto.io/Statement/v1",
	  "subject": [{"name": "registry.example.com/shop/cart", "digest": {"sha256": "` + sigtest.SomeHex + `"}}],
	  "predicateType": "https://slsa.dev/verification_summary/v1",
	  "predicate": {
	    "verifier": {"id": "https://kubepromote.dev/cli", "version": {"kubectl-promote": "v1.2.3"}},
	    "timeVerified": "2026-03-14T15:09:26Z",
	    "resourceUri": "oci://` + someImage + `",
	    "policy": {"uri": "git+https://git.example.com/infra#kubepromote.yaml", "digest": {"sha256": "` + strings.Repeat("1", 64) + `"}},
	    "inputAttestations": [{"uri": "oci://registry.example.com/shop/cart", "digest": {"sha256": "` + strings.Repeat("2", 64) + `"}}],
	    "verificationResult": "PASSED",
	    "verifiedLevels": ["SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_2"],
	    "https://kubepromote.dev/promotion/v1": {
	      "environment": "staging", "service": "cart",
	      "repository": "https://git.example.com/infra", "commit": "` + strings.Repeat("c", 40) + `",
	      "gates": [
	        {"gate": "soak", "verdict": "pass", "reason": "healthy for 10m"},
	        {"gate": "freeze", "verdict": "fail", "reason": "Friday", "override": "incident 42"}]}}}`
	var got, expected any
	sigtest.Must(t, json.Unmarshal(s.Payload(), &got))
	sigtest.Must(t, json.Unmarshal([]byte(want), &expected))
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Error(diff)
	}
	twice, err := NewVSA(fullVSA())
	sigtest.Must(t, err)
	if string(twice.Payload()) != string(s.Payload()) {
		t.Error("two statements of the same differ")
	}
}

func TestNewVSAFailed(t *testing.T) {
	v := fullVSA()
	v.Passed, v.Levels = false, nil
	s, err := NewVSA(v)
	sigtest.Must(t, err)
	p := statement.Object(s.Predicate())
	if p.Text("verificationResult") != "FAILED" || len(p.List("verifiedLevels")) != 1 || p.List("verifiedLevels")[0] != "FAILED" {
		t.Errorf("%v", p)
	}
	err = condition.CheckPromotion(s, condition.PromotionWant{Digest: "sha256:" + sigtest.SomeHex, Environment: "staging"})
	if err == nil || err.Error() != `the result is "FAILED", not "PASSED"` {
		t.Error(err)
	}
}

func TestNewVSAErrors(t *testing.T) {
	for want, change := range map[string]func(*VSA){
		"is no image with a digest":          func(v *VSA) { v.Image = "registry.example.com/shop/cart:1" },
		"verifier is missing":                func(v *VSA) { v.Verifier = "" },
		`"me" is no absolute URI`:            func(v *VSA) { v.Verifier = "me" },
		"policy is missing":                  func(v *VSA) { v.Policy = Resource{} },
		`policy: "x" is no absolute URI`:     func(v *VSA) { v.Policy.URI = "x" },
		`policy: "md5:1" is no digest`:       func(v *VSA) { v.Policy.Digest = "md5:1" },
		"a URI has a password in it":         func(v *VSA) { v.Repository = "https://u:secret@git.example.com/infra" },
		"time is missing":                    func(v *VSA) { v.Time = time.Time{} },
		"environment is missing":             func(v *VSA) { v.Environment = "" },
		`commit "main" is no full commit`:    func(v *VSA) { v.Commit = "main" },
		"input 1: digest is missing":         func(v *VSA) { v.Inputs = append(v.Inputs, Resource{URI: "a:b"}) },
		"there are more than 1024 inputs":    func(v *VSA) { v.Inputs = make([]Resource, 1025) },
		"there are more than 256 gates":      func(v *VSA) { v.Gates = make([]GateVerdict, 257) },
		"gate 0: name is missing":            func(v *VSA) { v.Gates[0].Gate = "" },
		"gate 0: verdict is missing":         func(v *VSA) { v.Gates[0].Verdict = "" },
		`verdict "ok" is not pass, fail`:     func(v *VSA) { v.Gates[0].Verdict = "ok" },
		`verdict of gate "soak" is wait`:     func(v *VSA) { v.Gates[0].Verdict = "wait" },
		"gate 0: reason has more than 4096":  func(v *VSA) { v.Gates[0].Reason = strings.Repeat("x", 4097) },
		"service is no valid UTF-8":          func(v *VSA) { v.Service = "\xff" },
		`"" is no level`:                     func(v *VSA) { v.Levels = []string{""} },
		`"FAILED" is no level`:               func(v *VSA) { v.Levels = []string{"FAILED"} },
		"there is another one of its track":  func(v *VSA) { v.Levels = []string{"SLSA_BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_2"} },
		"not passed, and levels in spite of": func(v *VSA) { v.Passed = false },
	} {
		v := fullVSA()
		change(&v)
		_, err := NewVSA(v)
		if err == nil || !strings.HasPrefix(err.Error(), "verification summary: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestCheckPromotion(t *testing.T) {
	s, err := NewVSA(fullVSA())
	sigtest.Must(t, err)
	good := condition.PromotionWant{Digest: "sha256:" + sigtest.SomeHex, Environment: "staging"}
	all := condition.PromotionWant{
		Digest: "sha256:" + sigtest.SomeHex, Environment: "staging", Service: "cart",
		Levels: []string{"SLSA_BUILD_LEVEL_3"}, Gates: []string{"soak"},
	}
	sigtest.Must(t, condition.CheckPromotion(s, good))
	sigtest.Must(t, condition.CheckPromotion(s, all))
	for want, change := range map[string]func(*condition.PromotionWant){
		"it is about another digest":              func(w *condition.PromotionWant) { w.Digest = "sha256:" + strings.Repeat("b", 64) },
		"about another digest":                    func(w *condition.PromotionWant) { w.Digest = "" },
		`the environment is "staging", not "dev"`: func(w *condition.PromotionWant) { w.Environment = "dev" },
		`the service is "cart", not "shop"`:       func(w *condition.PromotionWant) { w.Service = "shop" },
		`level "SLSA_BUILD_LEVEL_4"`:              func(w *condition.PromotionWant) { w.Levels = []string{"SLSA_BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_4"} },
		`gate "smoke" did not pass`:               func(w *condition.PromotionWant) { w.Gates = []string{"smoke"} },
		`gate "freeze" did not pass`:              func(w *condition.PromotionWant) { w.Gates = []string{"freeze"} },
		`was overruled: "incident 42"`:            func(w *condition.PromotionWant) { w.NoOverride = true },
		"!there is no environment":                func(w *condition.PromotionWant) { w.Environment = "" },
	} {
		w := all
		change(&w)
		err := condition.CheckPromotion(s, w)
		_, reason := errors.AsType[*mismatch.Error](err)
		text, usage := strings.CutPrefix(want, "!")
		if err == nil || reason == usage || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Statements that no NewVSA has made.
func TestCheckPromotionOfOthers(t *testing.T) {
	vsa := func(predicateType, predicate string) string {
		return strings.Replace(sigtest.Minimal, "a:b", predicateType, 1) + `,"predicate":` + predicate + "}"
	}
	ext := func(s string) string {
		return `{"verificationResult":"PASSED","` + statement.PromotionField + `":` + s + `}`
	}
	want := condition.PromotionWant{Digest: "sha256:" + sigtest.SomeHex, Environment: "staging"}
	for name, c := range map[string]struct{ payload, want string }{
		"no predicate":      {strings.Replace(sigtest.Minimal, "a:b", statement.VSAType, 1) + "}", `the result is ""`},
		"other predicate":   {vsa("https://slsa.dev/verification_summary/v0.2", ext(`{"environment":"staging"}`)), "which is no verification summary"},
		"of another tool":   {vsa(statement.VSAType, `{"verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_3"]}`), `the environment is ""`},
		"environment list":  {vsa(statement.VSAType, ext(`{"environment":["staging"]}`)), `the environment is ""`},
		"other letters":     {vsa(statement.VSAType, ext(`{"Environment":"staging"}`)), `the environment is ""`},
		"result true":       {vsa(statement.VSAType, `{"verificationResult":true}`), `the result is ""`},
		"failing gate":      {vsa(statement.VSAType, ext(`{"environment":"staging","gates":[{"gate":"soak","verdict":"fail"}]}`)), `the verdict of gate "soak" "fail"`},
		"gate of no object": {vsa(statement.VSAType, ext(`{"environment":"staging","gates":["soak"]}`)), `the verdict of gate "" ""`},
		"failed level":      {vsa(statement.VSAType, `{"verificationResult":"PASSED","verifiedLevels":["FAILED",{}],"`+statement.PromotionField+`":{"environment":"staging"}}`), "and the level FAILED"},
	} {
		s, err := statement.Parse([]byte(c.payload))
		sigtest.Must(t, err)
		if err := condition.CheckPromotion(s, want); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A gate that was overruled has not passed by being there a second time.
	twice, err := statement.Parse([]byte(vsa(statement.VSAType, ext(`{"environment":"staging","gates":[`+
		`{"gate":"soak","verdict":"fail","override":"x"},{"gate":"soak","verdict":"pass"}]}`))))
	sigtest.Must(t, err)
	if err := condition.CheckPromotion(twice, condition.PromotionWant{Digest: want.Digest, Environment: "staging", Gates: []string{"soak"}}); err == nil {
		t.Error("an overruled gate counts")
	}
	if err := condition.CheckPromotion(statement.Statement{}, want); err == nil {
		t.Error("no statement, and no error")
	}
}

func TestApproval(t *testing.T) {
	a := Approval{
		Image: someImage, Environment: "production", Service: "cart", Commit: strings.Repeat("c", 40),
		Repository: "https://git.example.com/infra", Approver: "release manager", Note: "looks good",
		Time: someTime, Expires: someTime.Add(24 * time.Hour),
	}
	s, err := NewApproval(a)
	sigtest.Must(t, err)
	if s.PredicateType() != statement.ApprovalType || s.Predicate()["note"] != "looks good" || s.Predicate()["expires"] != "2026-03-15T15:09:26Z" {
		t.Errorf("%s", s.Payload())
	}
	all := condition.ApprovalWant{Digest: "sha256:" + sigtest.SomeHex, Environment: "production", Service: "cart",
		Commit: strings.Repeat("c", 40), Now: someTime.Add(time.Hour)}
	sigtest.Must(t, condition.CheckApproval(s, all))
	for want, change := range map[string]func(*condition.ApprovalWant){
		"about another digest":         func(w *condition.ApprovalWant) { w.Digest = "sha256:" + strings.Repeat("b", 64) },
		`the environment is`:           func(w *condition.ApprovalWant) { w.Environment = "staging" },
		`the service is "cart", not`:   func(w *condition.ApprovalWant) { w.Service = "shop" },
		`the commit is`:                func(w *condition.ApprovalWant) { w.Commit = strings.Repeat("d", 40) },
		"it has expired":               func(w *condition.ApprovalWant) { w.Now = someTime.Add(24 * time.Hour) },
		"it was made in the future":    func(w *condition.ApprovalWant) { w.Now = someTime.Add(-time.Hour) },
		"there is no environment or":   func(w *condition.ApprovalWant) { w.Environment = "" },
		"no time to compare the appro": func(w *condition.ApprovalWant) { w.Now = time.Time{} },
	} {
		w := all
		change(&w)
		if err := condition.CheckApproval(s, w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	nobody := all
	nobody.Service = ""
	if err := condition.CheckApproval(s, nobody); err == nil || err.Error() != `the approval is for the service "cart", and none is given` {
		t.Error(err)
	}
	a.Service, a.Expires = "", time.Time{}
	s, err = NewApproval(a)
	sigtest.Must(t, err)
	all.Now = someTime.Add(1000 * time.Hour)
	sigtest.Must(t, condition.CheckApproval(s, all))
	all.Service = ""
	sigtest.Must(t, condition.CheckApproval(s, all))
	if err := condition.CheckApproval(someVSA(t), all); err == nil || !strings.Contains(err.Error(), "which is no approval") {
		t.Error(err)
	}
	for _, predicate := range []string{
		`{"environment":"production","service":7,"time":"2026-03-14T15:09:26Z"}`,
		`{"environment":"production","service":null,"time":"2026-03-14T15:09:26Z"}`,
		`{"environment":"production","time":"2026-03-14T15:09:26Z","expires":0}`,
		`{"environment":"production"}`,
	} {
		s, err := statement.Parse([]byte(strings.Replace(sigtest.Minimal, "a:b", statement.ApprovalType, 1) + `,"predicate":` + predicate + "}"))
		sigtest.Must(t, err)
		if err := condition.CheckApproval(s, condition.ApprovalWant{Digest: "sha256:" + sigtest.SomeHex, Environment: "production", Service: "cart", Now: someTime}); err == nil {
			t.Errorf("%s counts", predicate)
		}
	}
}

func TestNewApprovalErrors(t *testing.T) {
	for want, change := range map[string]func(*Approval){
		"is no image with a digest":     func(a *Approval) { a.Image = "" },
		"environment is missing":        func(a *Approval) { a.Environment = "" },
		"time is missing":               func(a *Approval) { a.Time = time.Time{} },
		"it expires before it is given": func(a *Approval) { a.Expires = someTime },
		"is no full commit name":        func(a *Approval) { a.Commit = "abc" },
		"is no absolute URI":            func(a *Approval) { a.Repository = "infra" },
		"note has more than 4096 bytes": func(a *Approval) { a.Note = strings.Repeat("x", 4097) },
		"approver is no valid UTF-8":    func(a *Approval) { a.Approver = "\xfe" },
	} {
		a := Approval{Image: someImage, Environment: "production", Time: someTime}
		change(&a)
		if _, err := NewApproval(a); err == nil || !strings.HasPrefix(err.Error(), "approval: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
