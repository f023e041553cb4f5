package kustomize

import (
	"embed"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// configVersion is the apiVersion of all configurations.
const configVersion = group + "/" + version

const (
	group   = "kubepromote.dev"
	version = "v1alpha1"
)

// The kinds.
const (
	kindPinImages      = "PinImages"
	kindSetImages      = "SetImages"
	kindVerifyImages   = "VerifyImages"
	kindPromotionGuard = "PromotionGuard"
	kindImageInventory = "ImageInventory"
)

// Kinds lists the kinds of functions that there are.
func Kinds() []string {
	return []string{kindPinImages, kindSetImages, kindVerifyImages, kindPromotionGuard, kindImageInventory}
}

// IsFunction tells whether a configuration is of one of the kinds. Another version
// of the group is one as well: it is for [Host.Processor] to refuse.
func IsFunction(apiVersion, kind string) bool {
	g, _, _ := strings.Cut(apiVersion, "/")
	return g == group && kind != "Pipeline" && kind != "VerificationPolicy"
}

//go:embed definitions
var definitions embed.FS

// definition gives the KRMFunctionDefinition of a kind as YAML, with the OpenAPI
// schema of its configuration; ok is false for a kind that there is not.
func definition(kind string) (text string, ok bool) {
	if !slices.Contains(Kinds(), kind) {
		return "", false
	}
	data, err := definitions.ReadFile("definitions/" + strings.ToLower(kind) + ".yaml")
	return string(data), err == nil
}

// schemaOf reads the schema of a kind's configuration; field is where the kind stands.
func schemaOf(field, kind string) (*spec.Schema, error) {
	text, ok := definition(kind)
	if !ok {
		return nil, &fieldError{field, "there is no function " + quoted(kind), spelling.Meant(kind, Kinds())}
	}
	schema, err := framework.SchemaFromFunctionDefinition(resid.NewGvk(group, version, kind), text)
	if err != nil {
		return nil, &fieldError{field, err.Error(), ""}
	}
	return schema, nil
}
