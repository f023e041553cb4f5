package credentials

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// maxSecretDocs bounds the documents of a file with pull secrets.
const maxSecretDocs = 100

// PullSecret is what a file with Kubernetes pull secrets holds. Make it with
// [ParsePullSecret].
type PullSecret struct {
	name    string
	entries []authEntry
}

func (s *PullSecret) all() ([]authEntry, error) { return s.entries, nil }

// secret is what is read of a Secret (v1). Fields that are not in it are errors:
// a misspelt one would mean that credentials are silently left out.
type secret struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   yaml.Node         `yaml:"metadata"`
	Immutable  bool              `yaml:"immutable"`
	Type       string            `yaml:"type"`
	Data       map[string]string `yaml:"data"`
	StringData map[string]string `yaml:"stringData"`
}

// ParsePullSecret reads Secrets of type kubernetes.io/dockerconfigjson or
// kubernetes.io/dockercfg, as YAML documents or JSON, the way "kubectl get
// secret -o yaml" prints them. name is the file's name for messages; data is
// at most 1 MiB.
//
// Keys of "auths" mean what they mean to the kubelet: a registry, with a path
// for the repositories below it, and "*" for a part of one label of the host.
// Errors have the form "name:line: what" and never a value of the file.
func ParsePullSecret(name string, data []byte) (*PullSecret, error) {
	// What the parser says quotes what it could not read.
	f := yamlfile.Parse(name, data, yamlfile.Options{Size: maxAuthFile, Documents: maxSecretDocs, Secret: true})
	s := &PullSecret{name: name}
	for i, doc := range f.Documents() {
		var one secret
		if doc.ShortTag() == "!!null" || !f.Decode(i, &one) {
			continue
		}
		entries, why := one.entries()
		if why != "" {
			f.Add(doc, "", "%s", why)
		}
		s.entries = append(s.entries, entries...)
	}
	if all := f.Faults(); len(all) > 0 {
		x := all[0]
		if x.Line == 0 {
			return nil, fault.Text(name + ": " + x.Msg)
		}
		return nil, fault.Text(fmt.Sprintf("%s:%d: %s", name, x.Line, x.Msg))
	}
	if len(s.entries) == 0 {
		return nil, fault.Text(name + ": no pull secret in it, write a Secret of type kubernetes.io/dockerconfigjson")
	}
	return s, nil
}

// entries returns the credentials of one document, or what is wrong.
func (s *secret) entries() ([]authEntry, string) {
	if s.APIVersion != "v1" || s.Kind != "Secret" {
		return nil, "not a Secret of v1"
	}
	switch s.Type {
	case "kubernetes.io/dockerconfigjson":
		config, why := s.value(".dockerconfigjson")
		if why != "" {
			return nil, why
		}
		entries, err := parseAuths(config)
		return entries, secretFault(".dockerconfigjson", err)
	case "kubernetes.io/dockercfg":
		config, why := s.value(".dockercfg")
		if why != "" {
			return nil, why
		}
		var auths map[string]json.RawMessage
		if json.Unmarshal(config, &auths) != nil {
			return nil, ".dockercfg is not a JSON object"
		}
		entries, err := readAuths(auths)
		return entries, secretFault(".dockercfg", err)
	}
	return nil, "type of the Secret is not kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg"
}

func secretFault(key string, err error) string {
	if err != nil {
		return key + ": " + err.Error()
	}
	return ""
}

// value finds a key as Kubernetes does: stringData goes before data.
func (s *secret) value(key string) ([]byte, string) {
	if text, ok := s.StringData[key]; ok {
		return []byte(text), ""
	}
	encoded, ok := s.Data[key]
	if !ok {
		return nil, "the Secret has no data for " + key
	}
	// Long values are folded over several lines.
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil {
		return nil, "data for " + key + " is not base64"
	}
	return data, ""
}
