package objects

import (
	"fmt"
	"strings"
)

// listKey are the fields by which the elements of a list are told apart.
type listKey []string

// listKeys are tried in their order. They are the keys that Kubernetes' own API merges
// lists by (x-kubernetes-list-map-keys and patchMergeKey of its OpenAPI), and those that
// make objects of other groups readable.
var listKeys = []listKey{
	{"name"}, {"kind", "name"}, {"mountPath"}, {"devicePath"}, {"containerPort", "protocol"}, {"port", "protocol"}, {"key", "operator", "effect"},
	{"topologyKey", "whenUnsatisfiable"}, {"type"}, {"host"}, {"path"}, {"ip"}, {"uid"}, {"key"}, {"secretKey"},
}

// keyOf gives the key of two lists of mappings, or nil: each element has its first field,
// and no two elements of a list have the same.
func keyOf(lists ...[]any) listKey {
	for _, key := range listKeys {
		if key.tells(lists) {
			return key
		}
	}
	return nil
}

func (k listKey) tells(lists [][]any) bool {
	for _, list := range lists {
		seen := make(map[string]bool, len(list))
		for _, v := range list {
			step := k.step(v)
			if step == "" || seen[step] {
				return false
			}
			seen[step] = true
		}
	}
	return true
}

// step is an element as paths have it; "" where it cannot be written so.
func (k listKey) step(v any) string {
	m := v.(map[string]any)
	var parts []string
	for n, field := range k {
		s, ok := scalar(m[field])
		if !ok && n == 0 || strings.ContainsAny(s, "[],") {
			return ""
		}
		if ok {
			parts = append(parts, field+"="+s)
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func number(n int) string { return fmt.Sprintf("[%d]", n) }
