package discovery

import (
	"slices"
	"strings"
	"testing"
)

func TestEnvironmentsIn(t *testing.T) {
	for name, want := range map[string]string{
		"production": "production", "prod-us": "prod-us", "us-east-1-prod": "us-east-1-prod", "prod_eu": "prod_eu", "ocp4-stage": "ocp4-stage",
		"values-prod": "prod", "web-values-staging": "staging", "apps.production": "production", "pre-prod": "pre-prod", "non-prod": "non-prod",
		"ring-0": "ring-0", "ring12": "ring12", "prod1": "prod1", "dev-02": "dev-02", "Prod": "Prod", "web-us-api-prod": "prod",
		"product": "", "staging-eu-west-1a": "staging-eu-west", "contest": "", "device": "", "ring": "", "test-prod": "test prod", "": "", "-": "",
	} {
		var got []string
		for _, s := range environmentsIn(name) {
			got = append(got, name[s.start:s.end])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestReadings(t *testing.T) {
	for file, want := range map[string][]string{
		"apps/web/overlays/production":                  {"apps/web/overlays/{environment}"},
		"apps/prod/web/values-prod.yaml":                {"apps/{environment}/web/values-{environment}.yaml", "apps/{environment}/web/values-*.yaml"},
		"prod/eu":                                       {"{environment}", "{environment}/eu"},
		"prod/eu.yaml":                                  {"{environment}.yaml", "{environment}/eu.yaml"},
		"clusters/prod/apps/staging/web.yaml":           {"clusters/{environment}/apps/staging/web.yaml", "clusters/prod/apps/{environment}/web.yaml"},
		"clusters/acme-prod/web.yaml":                   {"clusters/acme-{environment}/web.yaml", "clusters/{environment}/web.yaml"},
		"production/values-prod.yaml":                   {"{environment}/values-prod.yaml", "production/values-{environment}.yaml", "{environment}/values-*.yaml"},
		"apps/web/values.yaml":                          nil,
		"environments/production/production-patch.yaml": {"environments/{environment}/{environment}-patch.yaml", "environments/{environment}/*-patch.yaml"},
	} {
		var got []string
		for _, r := range readings(file, !strings.Contains(file, ".yaml")) {
			got = append(got, r.template)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
	}
}

// A template with its environment and its slots filled in is the path again.
func FuzzReadings(f *testing.F) {
	for _, file := range []string{"apps/web/overlays/prod-eu", "prod/eu/web-values-prod.yaml", "a-prod-b.c_dev.yaml", "ring-1/x.env", "pre-prod..yaml", "prod--prod/1.json"} {
		f.Add(file, true)
		f.Add(file, false)
	}
	f.Fuzz(func(t *testing.T, file string, folder bool) {
		if strings.ContainsAny(file, "{}*\x00") {
			return
		}
		for _, r := range readings(file, folder) {
			if filled := strings.ReplaceAll(r.template, environmentHole, r.environment); filled != file && !strings.Contains(r.template, "*") {
				t.Errorf("%q of %q with %q is %q", r.template, file, r.environment, filled)
			}
			pattern, slots, texts := slotsOf(r.template, folder)
			elements := strings.Split(pattern, "/")
			for i, s := range slots {
				s.fill(elements, texts[i])
			}
			if filled := strings.Join(elements, "/"); filled != r.template {
				t.Errorf("pattern %q filled with %q is %q, not %q", pattern, texts, filled, r.template)
			}
		}
	})
}
