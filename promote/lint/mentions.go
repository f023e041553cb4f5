package lint

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
)

// The bounds of what is read to find who names a folder.
const (
	mostMentioning = 20_000
	mostMentioned  = 256 << 20
)

// mentions are the files of a repository in which a folder may be named: kustomizations,
// objects of Argo CD and Flux, workflows, scripts.
type mentions struct {
	w     *work
	files map[string][]byte
	bytes int
	// unsure tells that not all could be read.
	unsure bool
}

// mentioning reads the files of the repository, once for all folders that are asked about.
func (w *work) mentioning() *mentions {
	m := &mentions{w: w, files: make(map[string][]byte)}
	m.walk(".")
	return m
}

// prose are files that nothing is built from.
var prose = []string{".md", ".png", ".svg", ".jpg", ".gif", ".pdf", ".txt"}

func (m *mentions) walk(dir string) {
	entries, err := m.w.Tree.ReadDir(dir)
	if err != nil {
		m.unsure = true
		return
	}
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		switch {
		case m.unsure || m.w.ctx.Err() != nil:
			m.unsure = true
			return
		case e.IsDir():
			if e.Name() != ".git" && e.Name() != "node_modules" {
				m.walk(at)
			}
		case e.Type().IsRegular() && !slices.Contains(prose, path.Ext(at)):
			data, err := m.w.Tree.ReadFile(at)
			if m.bytes += len(data); err != nil || m.bytes > mostMentioned || len(m.files) >= mostMentioning {
				m.unsure = true
				return
			}
			m.files[at] = data
		}
	}
}

// of tells whether a folder may be in use: by its name anywhere outside of it, by a path
// that leads over it, or by one with a hole that it fits. That other repositories use it
// nobody can tell.
func (m *mentions) of(dir string) bool {
	if m.unsure {
		return true
	}
	for name, data := range m.files {
		if strings.HasPrefix(name, dir+"/") {
			continue
		}
		if hasWord(data, path.Base(dir)) || m.leads(data, dir) {
			return true
		}
	}
	return false
}

// hasWord finds a name that is no part of a longer one.
func hasWord(data []byte, word string) bool {
	for at := 0; ; {
		n := bytes.Index(data[at:], []byte(word))
		if n < 0 {
			return false
		}
		at += n
		end := at + len(word)
		if (at == 0 || !ofName(data[at-1])) && (end == len(data) || !ofName(data[end])) {
			return true
		}
		at++
	}
}

func ofName(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

var pathField = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bpath["']?:[ \t]*["']?([^\s"',}\]]+)`) })

// leads tells whether an object of Argo CD or Flux has a path to all that is in a folder
// around this one, or to all folders of its kind.
func (m *mentions) leads(data []byte, dir string) bool {
	if !bytes.Contains(data, []byte("argoproj.io/")) && !bytes.Contains(data, []byte("toolkit.fluxcd.io/")) {
		return false
	}
	for _, found := range pathField().FindAllSubmatch(data, -1) {
		to := string(found[1])
		if at := strings.IndexAny(to, "{*$?["); at >= 0 {
			if to = strings.TrimLeft(to[:at], "./"); to != "" && strings.HasPrefix(dir, to) {
				return true
			}
			continue
		}
		to = path.Clean(strings.TrimLeft(to, "/"))
		if to != "." && !strings.HasPrefix(dir+"/", to+"/") {
			continue
		}
		// A folder with a kustomization gives what that lists, and no more.
		if _, err := m.w.Tree.ReadAny(to, kustomization.Names); err != nil {
			return true
		}
	}
	return false
}
