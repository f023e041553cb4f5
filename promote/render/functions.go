package render

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/yaml"
)

// ourFunctions is how the API version of this project's functions begins. Kustomize does
// not read them itself.
const ourFunctions = "kubepromote.dev/"

// factory reads configurations of functions as kustomize does.
var factory = sync.OnceValue(func() *resmap.Factory {
	return resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory())
})

// resourcesOf reads objects as kustomize does, which looks at its schemas for their scope:
// not while a build that is alone with its own puts them back.
func resourcesOf(data []byte) (resmap.ResMap, error) {
	defer useSchemas(false)()
	return factory().NewResMapFromBytes(data)
}

// configured looks at the functions that an entry of generators, transformers or validators
// stands for: whether they are of this project, and that they name nothing to be fetched.
// What other kinds there are, kustomize knows itself, or refuses as it may run none.
func (s *source) configured(n *node, entry string, stack []string) error {
	if m, err := resourcesOf([]byte(entry)); err == nil {
		return n.functionsOf(n.file, m)
	}
	at := path.Join(n.dir, entry)
	switch k, err := s.at(at); {
	case err != nil:
		return err
	case k == isDir:
		return s.functionsIn(n, entry, at, stack)
	case k != isFile:
		return nil // which kustomize tells
	}
	return s.functionsAt(n, at)
}

// functionsAt looks at the functions in a file.
func (s *source) functionsAt(n *node, at string) error {
	data, err := s.bytes(at)
	if err != nil {
		return err
	}
	m, err := resourcesOf(data)
	if err != nil {
		return nil //nolint:nilerr // kustomize tells
	}
	return n.functionsOf(at, m)
}

// functionsIn looks at the functions that a directory gives.
func (s *source) functionsIn(n *node, entry, at string, stack []string) error {
	if slices.Contains(stack, at) {
		return &promote.Error{Msg: n.file + ": " + fault.OneLine(entry) + " has itself as its functions: a cycle"}
	}
	child, err := s.visit(at, stack)
	if err != nil {
		return err
	}
	n.configs = append(n.configs, child)
	return s.given(n, child)
}

// given looks at the functions that are the resources of a kustomization. It must give them
// as they are written: what they are after patches and the like is not known before, nor
// what is fetched for them then.
func (s *source) given(n, child *node) error {
	plain := types.Kustomization{TypeMeta: child.k.TypeMeta, MetaData: child.k.MetaData, Resources: child.k.Resources, Components: child.k.Components}
	is, err1 := kyaml.Marshal(child.k)
	as, err2 := kyaml.Marshal(plain)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if string(is) != string(as) {
		return &promote.Error{Msg: child.file + ": gives functions for " + n.file + " and changes them, and what they name then is not known before",
			Hint: "list them there as resources alone"}
	}
	for _, entry := range child.k.Resources {
		at := path.Join(child.dir, entry)
		k, err := s.at(at)
		if err == nil && k == isFile {
			err = s.functionsAt(n, at)
		}
		if err != nil {
			return err
		}
	}
	for _, below := range slices.Concat(child.resources, child.components) {
		if err := s.given(n, below); err != nil {
			return err
		}
	}
	return nil
}

// functionsOf notes the functions that an entry gives.
func (n *node) functionsOf(where string, m resmap.ResMap) error {
	for _, r := range m.Resources() {
		if strings.HasPrefix(r.GetApiVersion(), ourFunctions) {
			n.functions = true
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			return &promote.Error{Msg: where + ": a function cannot be read", Err: err}
		}
		var config map[string]any
		if err := kyaml.Unmarshal(text, &config); err != nil {
			return &promote.Error{Msg: where + ": a function cannot be read", Err: err}
		}
		if name := fetches(r.GetKind(), config); name != "" {
			return fetched(fmt.Sprintf("%s: %s: ", where, fault.OneLine(r.GetKind())), name)
		}
	}
	return nil
}

// readingNone are kinds of kustomize's own that read no file. What they have is for objects,
// where an address is nothing to fetch.
var readingNone = []string{"AnnotationsTransformer", "HashTransformer", "ImageTagTransformer", "LabelTransformer", "NamespaceTransformer",
	"PrefixTransformer", "ReplicaCountTransformer", "SuffixTransformer"}

// fetches gives a text in a configuration that kustomize may take for an address, or "".
func fetches(kind string, config map[string]any) string {
	if slices.Contains(readingNone, kind) {
		return ""
	}
	for key, v := range config {
		if key == "metadata" || key == "options" { // labels and annotations
			continue
		}
		if name := address(v); name != "" {
			return name
		}
	}
	return ""
}

func address(v any) string {
	switch v := v.(type) {
	case string:
		_, file, _ := strings.Cut(v, "=") // of a generator, behind its key
		switch {
		case remote(v):
			return v
		case remote(file):
			return file
		}
	case []any:
		for _, e := range v {
			if name := address(e); name != "" {
				return name
			}
		}
	case map[string]any:
		for _, e := range v {
			if name := address(e); name != "" {
				return name
			}
		}
	}
	return ""
}
