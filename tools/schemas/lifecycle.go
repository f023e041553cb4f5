package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	groupName = regexp.MustCompile(`(?m)^const GroupName = "([^"]*)"|^var SchemeGroupVersion = schema\.GroupVersion\{Group: "([^"]*)"`)
	lifecycle = regexp.MustCompile(`func \(in \*(\w+)\) APILifecycle(Deprecated|Removed|Replacement)\(\)[^{]*\{\s*return (.*)`)
	gvk       = regexp.MustCompile(`Group: "([^"]*)", Version: "([^"]*)", Kind: "([^"]*)"`)
)

// lifecycles gives when each API of k8s.io/api is deprecated and removed, a line each:
// GROUP/VERSION/KIND, two versions, and what stands in its place.
func lifecycles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "zz_generated.prerelease-lifecycle.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: %d files, %v", dir, len(files), err)
	}
	var lines []string
	for _, file := range files {
		register, err := os.ReadFile(filepath.Join(filepath.Dir(file), "register.go"))
		if err != nil {
			return nil, err
		}
		group := groupName.FindSubmatch(register)
		if group == nil {
			return nil, fmt.Errorf("%s: names no group", file)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		lives := make(map[string]map[string]string)
		for _, m := range lifecycle.FindAllStringSubmatch(string(data), -1) {
			kind, what, value := m[1], m[2], strings.TrimSpace(m[3])
			if lives[kind] == nil {
				lives[kind] = make(map[string]string)
			}
			if to := gvk.FindStringSubmatch(value); what == "Replacement" && to != nil {
				value = strings.Join(to[1:], "/")
			}
			lives[kind][what] = strings.ReplaceAll(value, ", ", ".")
		}
		prefix := string(group[1]) + "/" + filepath.Base(filepath.Dir(file)) + "/"
		for kind, l := range lives {
			if l["Deprecated"] != "" && !strings.HasSuffix(kind, "List") {
				lines = append(lines, prefix+kind+"\t"+l["Deprecated"]+"\t"+l["Removed"]+"\t"+l["Replacement"])
			}
		}
	}
	slices.Sort(lines)
	return lines, nil
}
