package git

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/history"
)

// Bounds of what one commit may take of the memory.
const (
	maxCommitMessage = 16 << 20
	maxField         = 64 << 10
	maxCommitFiles   = 1 << 20
)

// logParser reads the output of git log in logFormat. It is a sequence of
// fields that end with a zero byte: the hash, the parents, the time, name, e-mail and
// message of a commit, then two for each file. There are empty fields around
// each commit, whose number depends on what follows.
type logParser struct {
	r *bufio.Reader
	// hash is the field that began the next commit, once it has been read.
	hash string
}

func newLogParser(r io.Reader) *logParser {
	if buffered, ok := r.(*bufio.Reader); ok {
		return &logParser{r: buffered}
	}
	return &logParser{r: bufio.NewReader(r)}
}

// next gives the next commit, or io.EOF.
func (p *logParser) next() (history.Commit, error) {
	var c history.Commit
	if p.hash == "" {
		hash, err := p.nonEmpty()
		if err != nil {
			return c, err
		}
		p.hash = hash
	}
	c.Hash, p.hash = p.hash, ""
	if !gitcmd.IsHash(c.Hash) {
		return c, unexpected(c.Hash)
	}
	if err := p.header(&c); err != nil {
		return c, err
	}
	return c, p.files(&c)
}

func (p *logParser) header(c *history.Commit) error {
	var fields [4]string
	for i := range fields {
		field, err := p.inside(maxField)
		if err != nil {
			return err
		}
		fields[i] = field
	}
	c.Parents = strings.Fields(fields[0])
	seconds, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return unexpected(fields[1])
	}
	c.Time = time.Unix(seconds, 0).UTC()
	c.Author, c.Email = fields[2], fields[3]
	c.Message, err = p.inside(maxCommitMessage)
	return err
}

// files reads the files of a commit, up to the next commit or the end.
func (p *logParser) files(c *history.Commit) error {
	for {
		field, err := p.nonEmpty()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.HasPrefix(field, ":") {
			p.hash = field
			return nil
		}
		file, isFile, err := parseRaw(field)
		if err != nil {
			return err
		}
		if file.Path, err = p.inside(maxField); err != nil {
			return err
		}
		if file.Path == "" || len(c.Files) == maxCommitFiles {
			return unexpected("a file without a path, or too many files")
		}
		if isFile {
			c.Files = append(c.Files, file)
		}
	}
}

// parseRaw reads ":oldmode newmode oldid newid status". A submodule is not a
// file: what it names is a commit of another repository.
func parseRaw(field string) (history.FileVersion, bool, error) {
	var v history.FileVersion
	parts := strings.Split(strings.TrimPrefix(field, ":"), " ")
	if len(parts) != 5 || !gitcmd.IsHash(parts[2]) || !gitcmd.IsHash(parts[3]) {
		return v, false, unexpected(field)
	}
	v.Old = blobOf(parts[0], parts[2])
	v.New = blobOf(parts[1], parts[3])
	return v, v.Old != "" || v.New != "", nil
}

func blobOf(mode, id string) string {
	if mode == "000000" || mode == "160000" {
		return ""
	}
	return id
}

// nonEmpty skips the empty fields between commits.
func (p *logParser) nonEmpty() (string, error) {
	for {
		field, err := p.field(maxField)
		if err != nil {
			return "", err
		}
		// A newline separates the message from the first file.
		if field = strings.TrimPrefix(field, "\n"); field != "" {
			return field, nil
		}
	}
}

// inside reads a field where the output must not end.
func (p *logParser) inside(limit int) (string, error) {
	field, err := p.field(limit)
	if errors.Is(err, io.EOF) {
		return "", unexpected("the output ends within a commit")
	}
	return field, err
}

// field reads up to the next zero byte and keeps at most limit bytes.
func (p *logParser) field(limit int) (string, error) {
	var kept []byte
	for {
		part, err := p.r.ReadSlice(0)
		whole := err == nil
		if whole {
			part = part[:len(part)-1]
		}
		if room := limit - len(kept); len(part) > room {
			part = part[:room]
		}
		kept = append(kept, part...)
		switch {
		case whole:
			return string(kept), nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(kept) > 0:
			return "", unexpected("the output ends within a field")
		}
		return "", err
	}
}

func unexpected(what string) error {
	return &Error{Op: "git log", Msg: "unexpected output: " + gitcmd.Clean(what), Err: io.ErrUnexpectedEOF}
}
