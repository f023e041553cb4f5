package kustomize

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// inventoryKey is the key of the inventory's ConfigMap that holds the list, as
// JSON: an array of [inventoryEntry].
const inventoryKey = "images.json"

// inventoryMark is on the ConfigMap, so that it is known as ours when the function
// runs again.
const inventoryMark = group + "/function"

// maxInventory keeps a ConfigMap below the size that Kubernetes takes, in bytes.
const maxInventory = 1000 << 10

// inventoryEntry is one image of one object.
type inventoryEntry struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Field      string `json:"field"`
	Image      string `json:"image"`
	Digest     string `json:"digest,omitempty"`
}

// imageInventory adds a ConfigMap that says which object runs which image at
// which digest, sorted by kind, namespace, name and field.
type imageInventory struct {
	yaml.ResourceMeta `json:",inline" yaml:",inline"`

	Spec imageInventorySpec `json:"spec" yaml:"spec"`

	run
}

// imageInventorySpec says what the ConfigMap is called.
type imageInventorySpec struct {
	// Name of the ConfigMap; that of the configuration where it is empty.
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Namespace of the ConfigMap; that of the configuration where it is empty.
	Namespace string `json:"namespace,omitempty" yaml:"namespace,omitempty"`
	// Fields are paths of images that are in no pod spec.
	Fields []string `json:"fields,omitempty" yaml:"fields,omitempty"`
}

// Default implements framework.Defaulter.
func (m *imageInventory) Default() error {
	m.Spec.Name = cmp.Or(m.Spec.Name, m.Name, "image-inventory")
	m.Spec.Namespace = cmp.Or(m.Spec.Namespace, m.Namespace)
	return nil
}

// Validate implements framework.Validator.
func (m *imageInventory) Validate() error {
	for _, f := range []struct{ path, text string }{{"spec.name", m.Spec.Name}, {"spec.namespace", m.Spec.Namespace}} {
		if strings.Trim(f.text, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || strings.Trim(f.text, "-.") != f.text || len(f.text) > 253 {
			return &fieldError{f.path, quoted(f.text) + " is malformed", "lower case letters, digits, - and ."}
		}
	}
	return scope{Fields: m.Spec.Fields}.validate()
}

// Filter implements kio.Filter.
func (m *imageInventory) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	var others []*yaml.RNode
	at := -1
	for n, it := range items {
		if it.GetKind() != "ConfigMap" || it.GetApiVersion() != "v1" || it.GetName() != m.Spec.Name || it.GetNamespace() != m.Spec.Namespace {
			others = append(others, it)
			continue
		}
		if it.GetAnnotations(inventoryMark)[inventoryMark] != kindImageInventory {
			return items, &fieldError{"spec.name", "there is a ConfigMap " + quoted(m.Spec.Name) + " already, and it is no inventory", "give the inventory another name"}
		}
		at = n
	}
	if len(others) == 0 {
		return items, &fieldError{"items", "there are none to make an inventory of", "list the function in transformers: kustomize gives generators nothing"}
	}
	images, results := m.images(others, scope{Fields: m.Spec.Fields})
	if results.ExitCode() != 0 {
		return finish(items, results)
	}
	list, err := inventory(images)
	if err != nil {
		return items, err
	}
	if at >= 0 {
		old := items[at]
		if old.GetDataMap()[inventoryKey] == list {
			return items, nil
		}
		*m.changed = true
		return items, old.LoadMapIntoConfigMapData(map[string]string{inventoryKey: list})
	}
	*m.changed = true
	object, err := m.configMap(list)
	if err != nil {
		return items, err
	}
	return append(items, object), nil
}

// configMap makes the object, with its keys in the order that kustomize writes.
func (m *imageInventory) configMap(list string) (*yaml.RNode, error) {
	metadata := map[string]any{"annotations": map[string]any{inventoryMark: kindImageInventory}, "name": m.Spec.Name}
	if m.Spec.Namespace != "" {
		metadata["namespace"] = m.Spec.Namespace
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "data": map[string]any{inventoryKey: list}, "kind": "ConfigMap", "metadata": metadata,
	})
	if err != nil {
		return nil, fmt.Errorf("making the ConfigMap: %w", err)
	}
	return yaml.Parse(string(text))
}

func (e inventoryEntry) key() []string {
	return []string{e.Kind, e.Namespace, e.Name, e.APIVersion, e.Field}
}

// inventory lists images: the same text for the same images.
func inventory(images []*image) (string, error) {
	entries := []inventoryEntry{}
	for _, i := range images {
		ref := reference(i.item)
		entries = append(entries, inventoryEntry{ref.APIVersion, ref.Kind, ref.Namespace, ref.Name, i.path, i.text, i.ref().digest})
	}
	slices.SortStableFunc(entries, func(a, b inventoryEntry) int {
		return slices.Compare(a.key(), b.key())
	})
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteString("[")
	for n, e := range entries {
		if n > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n")
		if err := enc.Encode(e); err != nil {
			return "", fmt.Errorf("writing the inventory: %w", err)
		}
		b.Truncate(b.Len() - 1) // the encoder's line break
	}
	b.WriteString("\n]\n")
	if b.Len() > maxInventory {
		return "", &fieldError{"items", fmt.Sprintf("the inventory of %d images does not fit into a ConfigMap", len(entries)), "make one for each part"}
	}
	return b.String(), nil
}
