package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash"
	"strings"
)

// fewData is up to how many bytes are not compressed: most of the time would go
// there, and what is stored becomes small when git packs it anew.
const fewData = 2 << 20

// The types of objects, as packs have them
// (https://git-scm.com/docs/gitformat-pack).
const (
	typeCommit = 1
	typeTree   = 2
	typeBlob   = 3
)

var typeNames = map[byte]string{typeCommit: "commit", typeTree: "tree", typeBlob: "blob"}

// objectSet is objects that are to be written.
type objectSet struct {
	newHash func() hash.Hash
	objects []packObject
	known   map[string]bool
	size    int
}

type packObject struct {
	kind byte
	data []byte
}

func (r *Repo) newObjects() *objectSet {
	return &objectSet{newHash: r.newHash, known: map[string]bool{}}
}

// add gives the object's name, in binary.
func (s *objectSet) add(kind byte, data []byte) []byte {
	id := objectName(s.newHash(), kind, data)
	if !s.known[string(id)] {
		s.known[string(id)] = true
		s.objects = append(s.objects, packObject{kind, data})
		s.size += len(data)
	}
	return id
}

// pack gives the objects in git's form of a pack.
func (s *objectSet) pack() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(s.size + 32*len(s.objects))
	b.WriteString("PACK")
	b.Write(binary.BigEndian.AppendUint32(nil, 2))
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s.objects))))
	level := zlib.BestSpeed
	if s.size < fewData {
		level = zlib.NoCompression
	}
	z, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		return nil, err
	}
	for _, o := range s.objects {
		b.Write(packHeader(o))
		z.Reset(&b)
		if _, err := z.Write(o.data); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
	}
	h := s.newHash()
	h.Write(b.Bytes())
	b.Write(h.Sum(nil))
	return b.Bytes(), nil
}

// packHeader is the type in three bits, and the size in groups of seven, the
// first of which has four.
func packHeader(o packObject) []byte {
	size := len(o.data)
	first := o.kind<<4 | byte(size&15)
	if size >>= 4; size == 0 {
		return []byte{first}
	}
	return binary.AppendUvarint([]byte{first | 0x80}, uint64(size))
}

// writePack has git put the objects into the repository.
func (r *Repo) writePack(ctx context.Context, s *objectSet) error {
	pack, err := s.pack()
	if err != nil {
		return &Error{Op: "git index-pack", Msg: bare(err), Err: err}
	}
	_, err = r.run(ctx, call{op: "git index-pack", stdin: bytes.NewReader(pack), env: reading(),
		args: append(durableObjects(), "index-pack", "--stdin")})
	return err
}

// storedAsTheyAre tells that git has no filter for any of the files.
func (r *Repo) storedAsTheyAre(ctx context.Context, paths []string) (bool, error) {
	out, err := r.run(ctx, call{op: "git check-attr", stdin: strings.NewReader(strings.Join(paths, "\x00") + "\x00"),
		args: []string{"check-attr", "--stdin", "-z", "filter", "ident", "working-tree-encoding"}, env: reading()})
	if err != nil {
		return false, err
	}
	// path, attribute, value, and so on
	fields := strings.Split(string(out), "\x00")
	for i := 2; i < len(fields); i += 3 {
		if fields[i] != "unspecified" && fields[i] != "unset" {
			return false, nil
		}
	}
	return true, nil
}
