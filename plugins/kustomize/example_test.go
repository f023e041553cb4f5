package kustomize_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// A function without a program around it.
func ExampleHost_Processor() {
	list := &framework.ResourceList{
		FunctionConfig: yaml.MustParse("apiVersion: kubepromote.dev/v1alpha1\nkind: VerifyImages\n"),
		Items: []*yaml.RNode{yaml.MustParse(`
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: web, image: "web:v1"}]}
`)},
	}
	host := &kustomize.Host{}
	err := host.Processor(context.Background()).Process(list)
	var refused *kustomize.Refused
	if errors.As(err, &refused) {
		fmt.Println(refused.Answer())
	}
	for _, line := range kustomize.Lines(list.Results) {
		fmt.Println(line)
	}
	// Output:
	// no
	// Pod shop/web: spec.containers[0].image: image "web:v1" is not pinned by digest
	// hint: PinImages, or kubectl promote resolve web:v1
}
