package kustomize

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// kindKey is the key of a ConfigMap that names the function.
const kindKey = "kind"

// fromConfigMap makes a configuration of a ConfigMap, as kpt fn eval -- KEY=VALUE
// and kustomize's users of plain configuration have it: the key kind names the
// function, the others are the fields of spec. Lists are separated by commas or
// white space; an image of SetImages is NAME=NEW:TAG@DIGEST, as for kubectl
// promote set.
func fromConfigMap(m *yaml.RNode) (*yaml.RNode, error) {
	data := m.GetDataMap()
	kind := data[kindKey]
	if kind == "" {
		return nil, &fieldError{"data.kind", "is missing, and no function is named", "kind: " + strings.Join(Kinds(), ", ")}
	}
	schema, err := schemaOf("data.kind", kind)
	if err != nil {
		return nil, err
	}
	fields := schema.Properties["spec"].Properties
	names := slices.Sorted(maps.Keys(fields))
	var errs []error
	spec := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if name == kindKey {
			continue
		}
		p, known := fields[name]
		if !known {
			errs = append(errs, &fieldError{"data." + name, "unknown field", spelling.Meant(name, names)})
			continue
		}
		value, fault := fromText(data[name], &p)
		if fault != "" {
			errs = append(errs, &fieldError{"data." + name, fault, ""})
		}
		spec[name] = value
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	metadata := map[string]any{}
	if name := m.GetName(); name != "" {
		metadata["name"] = name
	}
	if namespace := m.GetNamespace(); namespace != "" {
		metadata["namespace"] = namespace
	}
	config, err := yaml.FromMap(map[string]any{"apiVersion": configVersion, "kind": kind, "metadata": metadata, "spec": spec})
	if err != nil {
		return nil, &fieldError{"data", err.Error(), ""}
	}
	return config, nil
}

// fromText reads the text of a ConfigMap as the type that a field has.
func fromText(text string, s *spec.Schema) (value any, fault string) {
	switch typeOf(s) {
	case yamlfile.Boolean:
		if text != "true" && text != "false" {
			return nil, "is " + quoted(text) + ", and must be true or false"
		}
		return text == "true", ""
	case yamlfile.List:
		words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
		list := []any{}
		for _, w := range words {
			if typeOf(s.Items.Schema) == yamlfile.Mapping {
				entry, fault := imageEntry(w)
				if fault != "" {
					return nil, fault
				}
				list = append(list, entry)
				continue
			}
			list = append(list, w)
		}
		return list, ""
	}
	return text, ""
}

// imageEntry reads NAME=NEW:TAG@DIGEST, NAME:TAG or NAME@DIGEST.
func imageEntry(text string) (entry map[string]any, fault string) {
	name, value, renamed := strings.Cut(text, "=")
	if !renamed {
		value = text
	}
	r := splitRef(value)
	if !renamed {
		name = r.repository
	}
	if name == "" || r.tag+r.digest == "" && (!renamed || r.repository == "") {
		return nil, quoted(text) + " is malformed: want NAME=NEW:TAG@DIGEST, NAME=NEW, NAME:TAG or NAME@DIGEST"
	}
	entry = map[string]any{"name": name}
	if renamed && r.repository != "" && r.repository != "*" {
		entry["newName"] = r.repository
	}
	if r.tag != "" {
		entry["newTag"] = r.tag
	}
	if r.digest != "" {
		entry["digest"] = r.digest
	}
	return entry, ""
}
