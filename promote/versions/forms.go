package versions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// lines is JSON with a line for each entry.
type lines struct{}

func (lines) head() []string {
	return []string{"{", `  "apiVersion": "` + pipeline.APIVersion + `",`, `  "kind": "Versions",`, `  "versions": [`}
}

func (lines) tail() []string { return []string{"  ]", "}"} }

func (lines) line(e Entry, last bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic(err) // it has texts alone
	}
	text := "    " + strings.TrimSpace(b.String())
	if last {
		return text
	}
	return text + ","
}

func (lines) parse(line string) (Entry, error) {
	var e Entry
	dec := json.NewDecoder(strings.NewReader(strings.TrimSuffix(line, ",")))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it is no object on one line")
		}
		return e, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("something stands behind it")
	}
	if e.Service == "" || e.Environment == "" {
		return e, errors.New("it has no service, or no environment")
	}
	return e, nil
}

var kind = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"kind"\s*:\s*"Versions"`) })

func (lines) marks(data []byte) bool { return kind().Match(data) }

// markdown is a table with a line for each entry. Several images stand below one another
// in the cells of a line.
type markdown struct{}

const mark = "`kubectl promote` keeps this file, and `kubectl promote lint --fix` writes it anew."

func (markdown) head() []string {
	return []string{"# Versions", "", mark, "", "| Service | Environment | Image | Tag | Digest |", "| --- | --- | --- | --- | --- |"}
}

func (markdown) tail() []string { return nil }

const (
	below = "<br>"
	none  = "-"
)

func (markdown) line(e Entry, _ bool) string {
	var what, tags, digests []string
	for _, i := range e.Images {
		what, tags, digests = append(what, code(i.Image)), append(tags, code(i.Tag)), append(digests, code(i.Digest))
	}
	for _, a := range e.Along {
		what, tags, digests = append(what, a.Kind+" "+code(a.Name)), append(tags, code(a.Version)), append(digests, none)
	}
	cells := []string{plain(e.Service), plain(e.Environment), strings.Join(what, below), strings.Join(tags, below), strings.Join(digests, below)}
	return "| " + strings.Join(cells, " | ") + " |"
}

// plain keeps a text in its cell, and from being anything but text: all but the letters of
// references is written as in URLs.
func plain(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-/:@+=~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return none
	}
	return "`" + plain(s) + "`"
}

func (markdown) parse(line string) (e Entry, err error) {
	text, begins := strings.CutPrefix(line, "| ")
	text, ends := strings.CutSuffix(text, " |")
	cells := strings.Split(text, " | ")
	if !begins || !ends || len(cells) != 5 {
		return e, errors.New("it is no line of five cells")
	}
	what, tags, digests := strings.Split(cells[2], below), strings.Split(cells[3], below), strings.Split(cells[4], below)
	if len(what) != len(tags) || len(what) != len(digests) {
		return e, errors.New("its cells have not the same number of lines")
	}
	read := func(s string) string {
		if s == none {
			return ""
		}
		out, uerr := url.PathUnescape(strings.Trim(s, "`"))
		err = errors.Join(err, uerr)
		return out
	}
	e.Service, e.Environment = read(cells[0]), read(cells[1])
	for n := range what {
		if kind, name, ok := strings.Cut(what[n], " "); ok {
			e.Along = append(e.Along, Along{kind, read(name), read(tags[n])})
		} else {
			e.Images = append(e.Images, Image{read(what[n]), read(tags[n]), read(digests[n])})
		}
	}
	if err == nil && (e.Service == "" || e.Environment == "") {
		err = errors.New("it has no service, or no environment")
	}
	return e, err
}

func (markdown) marks(data []byte) bool { return bytes.Contains(data, []byte(mark)) }
