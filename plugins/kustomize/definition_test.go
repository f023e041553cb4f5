package kustomize

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	k8syaml "sigs.k8s.io/yaml"
)

// functions has a value of each kind.
func functions() map[string]any {
	return map[string]any{
		kindPinImages: pinImages{}, kindSetImages: setImages{}, kindVerifyImages: verifyImages{},
		kindPromotionGuard: promotionGuard{}, kindImageInventory: imageInventory{},
	}
}

// The schema and the Go type of each kind have the same fields, of the same types.
func TestSchemasAgreeWithTypes(t *testing.T) {
	for _, kind := range Kinds() {
		s, err := schemaOf("kind", kind)
		if err != nil {
			t.Fatal(err)
		}
		typ, ok := reflect.TypeOf(functions()[kind]).FieldByName("Spec")
		if !ok {
			t.Fatalf("%s has no Spec", kind)
		}
		specSchema := s.Properties["spec"]
		compare(t, kind+".spec", typ.Type, &specSchema)
	}
}

func compare(t *testing.T, path string, typ reflect.Type, s *spec.Schema) {
	t.Helper()
	switch typ.Kind() {
	case reflect.String, reflect.Bool:
		want := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean"}[typ.Kind()]
		if !s.Type.Contains(want) {
			t.Errorf("%s is a %s, in the schema %v", path, want, s.Type)
		}
	case reflect.Slice:
		if !s.Type.Contains("array") {
			t.Fatalf("%s is a list, in the schema %v", path, s.Type)
		}
		compare(t, path+"[]", typ.Elem(), s.Items.Schema)
	case reflect.Struct:
		var names []string
		for _, f := range reflect.VisibleFields(typ) {
			if f.Anonymous {
				continue
			}
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
			p, ok := s.Properties[name]
			if !ok {
				t.Errorf("%s.%s is not in the schema", path, name)
				continue
			}
			compare(t, path+"."+name, f.Type, &p)
			if required := slices.Contains(s.Required, name); required == strings.Contains(options, "omitempty") {
				t.Errorf("%s.%s: required in the schema: %v, omitempty in Go the same", path, name, required)
			}
		}
		for name := range s.Properties {
			if !slices.Contains(names, name) {
				t.Errorf("%s.%s is in the schema alone", path, name)
			}
		}
	default:
		t.Errorf("%s: nothing is known of %s", path, typ)
	}
}

func TestDefinitions(t *testing.T) {
	for _, kind := range Kinds() {
		text, ok := definition(kind)
		if !ok {
			t.Fatalf("no definition of %s", kind)
		}
		var d framework.KRMFunctionDefinition
		if err := k8syaml.UnmarshalStrict([]byte(text), &d); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if d.Spec.Group != group || d.Spec.Names.Kind != kind || d.Spec.Versions[0].Name != version || d.Spec.Versions[0].Runtime.Exec.Path != "promote-fn" {
			t.Errorf("%s: %+v", kind, d.Spec)
		}
	}
	for _, kind := range []string{"", "pinimages", "Pipeline", "../pinimages"} {
		if _, ok := definition(kind); ok {
			t.Errorf("there is a definition of %q", kind)
		}
	}
}
