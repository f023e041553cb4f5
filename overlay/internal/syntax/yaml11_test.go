package syntax

import (
	"fmt"
	"testing"

	"go.yaml.in/yaml/v3"
	sigs "sigs.k8s.io/yaml"
)

// A plain 1.10 was taken for the text that it looks like, while Helm, which reads it
// by sigs.k8s.io/yaml and prints it from a template, deploys 1.1.
func TestReadAsHelmDoes(t *testing.T) {
	for _, text := range []string{
		"1.10", "1.27", "15", "0787849", "0777", "4651090", "1e3", "1E3", "553640e6", "12345e-2", "1e999", "on", "Off", "yes", "NO", "y", "n", "Y",
		"true", "True", "TRUE", "false", "oN", "0x1F", "0X1f", "0o17", "0b101", "0b", "-0b1", "1_000", "1_000.5", "_1", "1_", "1.", "1.e3", ".5", "._5", "+1", "-1.50",
		"12:30:45", "190:20:30", "2024-01-15", "2024-1-5", "2024-01-15T10:00:00Z", "20240115103000", "18446744073709551615", "20240115103000123456789",
		"~", "null", "Null", ".inf", "-.Inf", ".nan", "v1", "1.2.3", "1.10-rc", "0x", "0xg", "08", "00", "1.1.0", "1e", "e1", "<<", "=", "1__0", "0_7", "0x_f",
		"!!float 1.10", "!!int 017", "!!str 1.10", `"1.10"`, "'on'", "!!bool yes",
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte("v: "+text), &doc); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		kind, value := ReadAs(doc.Content[0].Content[1])
		var helm struct{ V any }
		wantKind, want := "", ""
		if err := sigs.Unmarshal([]byte("V: "+text), &helm); err != nil {
			t.Logf("%s: %v", text, err) // such as .inf, which JSON has not
			continue
		}
		switch v := helm.V.(type) {
		case bool:
			wantKind, want = "boolean", fmt.Sprint(v)
		case float64:
			wantKind, want = "number", fmt.Sprint(v)
		}
		if kind != wantKind || value != want {
			t.Errorf("%s: got %s %s, Helm has %T %v", text, kind, value, helm.V, helm.V)
		}
	}
}
