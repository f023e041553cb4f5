package rest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Said takes out of an answer what it says went wrong. Forges have their texts in
// a few fields, as text, in lists, and by the names of what is wrong. The text is
// foreign: it may be long and have line breaks.
func Said(body []byte) string {
	const most = 64 << 10
	var doc any
	if len(body) > most || json.Unmarshal(body, &doc) != nil {
		return ""
	}
	var texts []string
	collect(doc, "", 0, &texts)
	texts = slices.DeleteFunc(texts, func(s string) bool { return strings.TrimSpace(s) == "" })
	return strings.Join(slices.Compact(texts), "; ")
}

func collect(v any, field string, depth int, texts *[]string) {
	const deepest, most = 6, 20
	if depth > deepest || len(*texts) >= most {
		return
	}
	switch v := v.(type) {
	case string:
		if field != "" {
			v = field + " " + v
		}
		*texts = append(*texts, v)
	case []any:
		for _, e := range v {
			collect(e, field, depth+1, texts)
		}
	case map[string]any:
		known := false
		for _, name := range []string{"message", "error", "error_description", "errors", "vetoes", "summaryMessage", "detail"} {
			if inner, ok := v[name]; ok {
				known = true
				collect(inner, "", depth+1, texts)
			}
		}
		if known {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if _, isList := v[name].([]any); isList { // GitLab's {"base": ["is invalid"]}
				collect(v[name], name, depth+1, texts)
			}
		}
	}
}
