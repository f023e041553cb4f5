package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// maxEntries bounds the layers of a manifest and the manifests of a list. An
// entry of three bytes takes 130 in memory, so the size of the text alone is no
// bound.
const maxEntries = 4096

// Document is a manifest as it came.
type Document struct {
	What      string
	Body      []byte
	MediaType types.MediaType
	Digest    v1.Hash
}

// Image parses the document as the manifest of an image.
func (d *Document) Image() (*v1.Manifest, error) {
	if !d.MediaType.IsImage() {
		return nil, fmt.Errorf("cannot read %s: it is %s and no image manifest", d.What, untrusted.Quoted(string(d.MediaType)))
	}
	m, err := ParseManifest(d.Body)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", d.What, err)
	}
	return m, nil
}

// ParseManifest parses the manifest of an image, with its layers bounded in number.
func ParseManifest(body []byte) (*v1.Manifest, error) {
	var m struct {
		v1.Manifest
		Layers json.RawMessage `json:"layers"` // in place of the one in Manifest
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	var err error
	m.Manifest.Layers, err = parseDescriptors(m.Layers)
	return &m.Manifest, err
}

// ParseList reads what an index lists. With an error it returns what came before
// it.
func ParseList(what string, body []byte) ([]v1.Descriptor, error) {
	var index struct {
		Manifests json.RawMessage `json:"manifests"`
	}
	err := json.Unmarshal(body, &index)
	if err == nil && index.Manifests == nil {
		// Not the same as an empty list: this is no answer to the question.
		err = errors.New("it has no list of manifests")
	}
	var list []v1.Descriptor
	if err == nil {
		list, err = parseDescriptors(index.Manifests)
	}
	if err != nil {
		return list, fmt.Errorf("cannot read %s: %w", what, err)
	}
	return list, nil
}

// parseDescriptors reads a list of descriptors, one after the other.
func parseDescriptors(data json.RawMessage) ([]v1.Descriptor, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); len(data) == 0 || err == nil && t == nil {
		return nil, nil
	} else if t != json.Delim('[') {
		return nil, errors.New("its entries are no list")
	}
	var list []v1.Descriptor
	for dec.More() {
		if len(list) == maxEntries {
			return list, fmt.Errorf("it has more than %d entries", maxEntries)
		}
		var d v1.Descriptor
		if err := dec.Decode(&d); err != nil {
			return list, err
		}
		list = append(list, d)
	}
	return list, nil
}

// Index gives what the document lists if it is an index; ok is false for an image.
// The type comes from the content: the one in the answer of the registry is
// bound by no digest. A text that one reader takes for an index and another for
// an image, or in which two readers find different entries, is a *mismatch, or
// what is signed and what runs could be two things.
func (d *Document) Index() (list []v1.Descriptor, ok bool, err error) {
	fields, err := statement.ParseObject(d.Body)
	if err != nil {
		return nil, false, err
	}
	if err := checkSpelling(fields); err != nil {
		return nil, false, err
	}
	_, index := fields["manifests"]
	_, config := fields["config"]
	_, layers := fields["layers"]
	kind, _ := fields["mediaType"].(string)
	switch t := types.MediaType(kind); {
	case index && (config || layers || t.IsImage()), (config || layers) && t.IsIndex():
		return nil, false, mismatch.New(mismatch.RankMalformed, "it can be read as an index and as an image")
	case !index:
		return nil, false, nil
	}
	list, err = ParseList(d.What, d.Body)
	return list, true, err
}

// checkSpelling refuses fields that are known but for the case of their letters:
// some readers take them for the known ones, and some do not.
func checkSpelling(v any) error {
	known := []string{"manifests", "config", "layers", "mediaType", "digest", "platform", "os", "architecture", "variant"}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := checkSpelling(e); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, value := range v {
			if name == "annotations" {
				continue // names in there are free
			}
			if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); i >= 0 && known[i] != name {
				return mismatch.New(mismatch.RankMalformed, fmt.Sprintf("its field %s can be read as %q", untrusted.Quoted(name), known[i]))
			}
			if err := checkSpelling(value); err != nil {
				return err
			}
		}
	}
	return nil
}
