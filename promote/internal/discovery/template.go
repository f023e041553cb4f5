package discovery

import (
	"path"
	"slices"
	"strings"
)

const (
	serviceHole     = "{service}"
	environmentHole = "{environment}"
)

// reading is one way to see an environment in a path.
type reading struct {
	template    string // the path with {environment} wherever its text stands
	environment string // the text, which may be of two path elements: prod/eu
	// guess tells that it is less sure: a whole folder's name is taken for an
	// environment although a part of it is no usual word, as acme-prod, or there are
	// two words for one, as in production/values-prod.yaml.
	guess bool
}

// extension is the part of a file's name that says its format.
func extension(name string) string {
	switch ext := path.Ext(name); ext {
	case ".yaml", ".yml", ".json", ".env", ".properties":
		return ext
	}
	return ""
}

// readings finds all ways to see an environment in the path of a file or a folder.
func readings(file string, folder bool) []reading {
	elements := strings.Split(file, "/")
	folders := len(elements) // that many elements are folders
	if !folder {
		folders--
	}
	var out []reading
	add := func(r reading) {
		if !slices.ContainsFunc(out, func(o reading) bool { return o.environment == r.environment && o.template == r.template }) {
			out = append(out, r)
		}
	}
	seen := 0
	for i, e := range elements {
		stem := strings.TrimSuffix(e, extension(e))
		for _, s := range environmentsIn(stem) {
			seen++
			text := stem[s.start:s.end]
			if s.start == 0 && s.end == len(stem) && i+1 < len(elements) {
				if r, ok := nested(elements, i); ok {
					add(r)
				}
			}
			add(reading{template: replaceAll(elements, text), environment: text})
			if len(text) < len(stem) && i < folders {
				add(reading{template: replaceAll(elements, stem), environment: stem, guess: true})
			}
		}
	}
	if seen > 1 {
		if r, ok := twoWords(elements); ok {
			add(r)
		}
	}
	return out
}

// twoWords reads the first environment of a path, and takes words of the same stage
// behind it for other names of it.
func twoWords(elements []string) (reading, bool) {
	out := slices.Clone(elements)
	first, found, other := span{}, "", false
	for i, e := range elements {
		stem := strings.TrimSuffix(e, extension(e))
		for _, s := range slices.Backward(environmentsIn(stem)) {
			switch {
			case found == "":
				first, found = s, stem[s.start:s.end]
				out[i] = e[:s.start] + environmentHole + e[s.end:]
			case s.rank == first.rank:
				other = true
				out[i] = out[i][:s.start] + "*" + out[i][s.end:]
			}
		}
	}
	return reading{strings.Join(out, "/"), found, true}, other
}

// nested reads an environment in two elements: the second is a region.
func nested(elements []string, i int) (reading, bool) {
	below := strings.TrimSuffix(elements[i+1], extension(elements[i+1]))
	if !allRegions(below) {
		return reading{}, false
	}
	hole := environmentHole + strings.TrimPrefix(elements[i+1], below)
	rest := slices.Concat(elements[:i], []string{hole}, elements[i+2:])
	return reading{template: strings.Join(rest, "/"), environment: elements[i] + "/" + below}, true
}

// replaceAll puts the hole wherever a text stands as an environment, or as a whole
// element.
func replaceAll(elements []string, text string) string {
	out := make([]string, len(elements))
	for i, e := range elements {
		out[i] = e
		stem := strings.TrimSuffix(e, extension(e))
		if stem == text {
			out[i] = environmentHole + e[len(stem):]
			continue
		}
		for _, s := range slices.Backward(environmentsIn(stem)) {
			if stem[s.start:s.end] == text {
				out[i] = out[i][:s.start] + environmentHole + out[i][s.end:]
			}
		}
	}
	return strings.Join(out, "/")
}

// slot is a place in a template whose text may be the name of a service.
type slot struct {
	element   int
	pre, post string
}

// wild stands for the text of a slot in a pattern. It is in no path.
const wild = "\x00"

// slotsOf takes a template apart: a pattern that templates of one form share, the
// slots in it and the texts that this one has there.
func slotsOf(template string, folder bool) (pattern string, slots []slot, texts []string) {
	elements := strings.Split(template, "/")
	out := slices.Clone(elements)
	for i, e := range elements {
		var pre, text, post string
		switch last := i == len(elements)-1; {
		case last && !folder:
			pre, text, post = core(e, extension(e))
		case strings.Contains(e, environmentHole):
			pre, text, post = core(e, "")
		case !structure[e] && !aside[e]:
			text = e
		}
		if text != "" {
			out[i] = pre + wild + post
			slots, texts = append(slots, slot{i, pre, post}), append(texts, text)
		}
	}
	return strings.Join(out, "/"), slots, texts
}

// core takes what says only what a file is off its name: web in
// web-values-{environment}.yaml. It is empty where nothing else is left.
func core(name, ext string) (pre, text, post string) {
	stem := strings.TrimSuffix(name, ext)
	words := tokens(stem)
	is := func(t token) bool {
		word := stem[t.start:t.end]
		return word == environmentHole || word == "*" || parts[strings.ToLower(word)]
	}
	for len(words) > 0 && is(words[0]) {
		words = words[1:]
	}
	for len(words) > 0 && is(words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		return name, "", ""
	}
	start, end := words[0].start, words[len(words)-1].end
	text = stem[start:end]
	if strings.Contains(text, environmentHole) || wholeNames[text] || len(text) < len(stem) && structure[text] {
		return name, "", ""
	}
	return stem[:start], text, stem[end:] + ext
}

// fill puts a text in a slot of a template's elements.
func (s slot) fill(elements []string, text string) { elements[s.element] = s.pre + text + s.post }
