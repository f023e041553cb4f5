// Package hydrate lays rendered objects out as files: one for each object, in folders by
// service and namespace, the same bytes for the same object. That is what rendered branches
// have, and what a pull request shows line by line.
package hydrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"sigs.k8s.io/yaml"
)

// Options say what may be written.
type Options struct {
	// AllowSecrets lets Secrets be written with their values, which anybody can read then
	// who can read the files.
	AllowSecrets bool
}

// Files are the objects of a service as files, sorted by their paths:
// SERVICE/NAMESPACE/KIND-NAME.yaml, without NAMESPACE for objects that name none. Where two
// objects would be one file, the group stands behind the kind. An object that has no name, or
// one that is none of a file, is an error, and so is a Secret with values.
func Files(service string, all []objects.Object, o Options) ([]promote.File, error) {
	all = objects.Flatten(all)
	shared := make(map[string]int)
	for n := range all {
		shared[strings.ToLower(pathOf(service, &all[n], false))]++
	}
	var files []promote.File
	taken := make(map[string]bool)
	for n := range all {
		one := &all[n]
		if err := check(one, o); err != nil {
			return nil, err
		}
		at := pathOf(service, one, shared[strings.ToLower(pathOf(service, one, false))] > 1)
		if taken[strings.ToLower(at)] {
			return nil, &promote.Error{Msg: fmt.Sprintf("%s%s is rendered twice", place(one), one), Hint: "kubectl promote build " + service}
		}
		taken[strings.ToLower(at)] = true
		data, err := text(one)
		if err != nil {
			return nil, &promote.Error{Msg: fmt.Sprintf("%s%s cannot be written: %s", place(one), one, fault.OneLine(err.Error())), Err: err}
		}
		files = append(files, promote.File{Path: at, Data: data})
	}
	slices.SortFunc(files, func(a, b promote.File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func pathOf(service string, o *objects.Object, group bool) string {
	kind := o.Kind
	if group && o.Group() != "" {
		kind += "." + o.Group()
	}
	return path.Join(service, o.Namespace, kind+"-"+o.Name+".yaml")
}

// text is an object as YAML, its keys sorted.
func text(o *objects.Object) ([]byte, error) {
	data, err := json.Marshal(o.Fields)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(bytes.TrimSpace(data))
}

// fit are the parts of names of files that mean the same everywhere. Names of roles may have
// colons.
var fit = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$`) })

func check(o *objects.Object, opts Options) error {
	switch {
	case o.Name == "":
		return &promote.Error{Msg: fmt.Sprintf("%s%s has no name, and so no file: each apply makes another", place(o), o.Kind), Hint: "give it a name in place of generateName"}
	case !fit().MatchString(o.Kind) || !fit().MatchString(o.Name) || o.Namespace != "" && !fit().MatchString(o.Namespace) || o.Group() != "" && !fit().MatchString(o.Group()):
		return &promote.Error{Msg: fmt.Sprintf("%s%q makes no name of a file", place(o), fault.Shorten(o.String()))}
	case o.Kind == "Secret" && o.Group() == "" && !opts.AllowSecrets && (len(objects.Map(o.Fields["data"])) > 0 || len(objects.Map(o.Fields["stringData"])) > 0):
		return &promote.Error{Msg: fmt.Sprintf("%s%s has values in plain text, which would stand in Git", place(o), o), Hint: "write it as a SealedSecret or an ExternalSecret"}
	}
	return nil
}

// place is where an object comes from, as messages begin with it.
func place(o *objects.Object) string {
	if at := o.Place(nil).String(); at != "" {
		return fault.OneLine(at) + ": "
	}
	return ""
}
