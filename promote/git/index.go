package git

import (
	"bytes"
	"encoding/binary"
	"hash"
	"sort"
	"strconv"
)

// fileStat is what git's index keeps of a file's state, so that git need not read
// the file again to know that it is as it was.
type fileStat struct {
	ctime, ctimeNano, mtime, mtimeNano uint32
	dev, ino, mode, uid, gid, size     uint32
}

// runs tells whether the file's owner may execute it.
func (s fileStat) runs() bool { return s.mode&0o100 != 0 }

// index is git's index as it stands in its file, without the checksum at the end
// (https://git-scm.com/docs/gitformat-index). Versions 2 to 4 are served. What is
// exchanged has the size of what it replaces: all else keeps its bytes and place.
type index struct {
	data    []byte
	newHash func() hash.Hash
	sum     int          // bytes of a hash
	entries []indexEntry // in the order of the names
	top     *directory   // the directories in which something is exchanged
	leaves  map[string]*leaf
}

// indexEntry is a file. Its mode and the name of its blob are read where they are.
type indexEntry struct {
	at   int // in the data
	name []byte
	// special is set where the entry is not simply a file that is to be there.
	special bool
}

const (
	indexHeader = 12
	indexMode   = 24 // in an entry
	indexUser   = 28
	indexHash   = 40
	flagStage   = 0x3000 // of a conflict
	flagAssume  = 0x8000 // the file is to be taken for unchanged
	flagExtends = 0x4000 // there are more flags
	maxDepth    = 4096   // directories in each other
	maxName     = 4096   // bytes, as long as paths may be
)

// readIndex reads an index, and gives the directories what git remembers of them.
// It gives nil for an index of a form that is not served here.
func readIndex(data []byte, newHash func() hash.Hash, top *directory) *index {
	x := &index{newHash: newHash, sum: newHash().Size(), top: top}
	end := len(data) - x.sum
	if end < indexHeader || string(data[:4]) != "DIRC" || !bytes.Equal(x.hash(data[:end]), data[end:]) {
		return nil
	}
	x.data = data[:end]
	at, ok := x.readEntries()
	if !ok {
		return nil
	}
	for rest := x.data[at:]; len(rest) > 0; rest = x.data[at:] {
		if len(rest) < 8 || uint64(binary.BigEndian.Uint32(rest[4:])) > uint64(len(rest)-8) {
			return nil
		}
		from := at + 8
		at = from + int(binary.BigEndian.Uint32(rest[4:]))
		switch string(rest[:4]) {
		case "TREE":
			if _, _, next, ok := x.readCache(from, at, top, 0); !ok || next != at {
				return nil
			}
		case "REUC", "UNTR", "FSMN", "EOIE", "IEOT":
		default:
			return nil // link and sdir have entries elsewhere
		}
	}
	return x
}

func (x *index) hash(b []byte) []byte {
	h := x.newHash()
	h.Write(b)
	return h.Sum(nil)
}

// readEntries tells where the entries end.
func (x *index) readEntries() (at int, ok bool) {
	version, count := binary.BigEndian.Uint32(x.data[4:]), binary.BigEndian.Uint32(x.data[8:])
	fixed := indexHash + x.sum + 2
	if version < 2 || version > 4 || uint64(count)*uint64(fixed+2) > uint64(len(x.data)) {
		return 0, false
	}
	x.entries = make([]indexEntry, 0, count)
	at = indexHeader
	var before []byte
	for range count {
		entry := x.data[at:]
		if len(entry) < fixed+2 {
			return 0, false
		}
		flags, named := binary.BigEndian.Uint16(entry[fixed-2:]), fixed
		more := version >= 3 && flags&flagExtends != 0
		if more {
			named += 2
		}
		name, size, ok := entryName(entry, named, before, version)
		if !ok || len(name) > maxName {
			return 0, false
		}
		x.entries = append(x.entries, indexEntry{at, name, more || flags&(flagStage|flagAssume) != 0})
		before = name
		at += size
	}
	return at, true
}

// entryName gives an entry's name, which begins at named, and the entry's size.
// From version 4 on, a name tells what it has in common with the one before.
func entryName(entry []byte, named int, before []byte, version uint32) (name []byte, size int, ok bool) {
	rest := entry[named:]
	if version >= 4 {
		cut, n := offset(rest)
		if n == 0 || cut > len(before) {
			return nil, 0, false
		}
		end := bytes.IndexByte(rest[n:], 0)
		if end < 0 {
			return nil, 0, false
		}
		keep := before[:len(before)-cut]
		return append(keep[:len(keep):len(keep)], rest[n:n+end]...), named + n + end + 1, true
	}
	end := bytes.IndexByte(rest, 0)
	if end < 0 {
		return nil, 0, false
	}
	size = (named + end + 8) &^ 7 // zero bytes up to a multiple of eight, one at least
	return rest[:end], size, size <= len(entry)
}

// offset reads a number as packs have it for offsets, and tells how many bytes it
// has; none is an error.
func offset(b []byte) (value, n int) {
	for n < len(b) && n < 4 {
		value |= int(b[n] & 0x7f)
		n++
		if b[n-1]&0x80 == 0 {
			return value, n
		}
		value = (value + 1) << 7
	}
	return 0, 0
}

// cachedTree is what git remembers of a directory: the name of the tree that its
// entries make.
type cachedTree struct {
	at    int // of the name
	count int // of entries, with those of the directories below; negative if there is no name
	below map[string]*cachedTree
}

// readCache reads what git remembers of a directory and of those below, and tells
// where it ends.
func (x *index) readCache(at, end int, dir *directory, depth int) (c *cachedTree, name string, next int, ok bool) {
	head, rest, _ := bytes.Cut(x.data[at:end], []byte{0})
	line, rest, ok := bytes.Cut(rest, []byte{'\n'})
	entries, below, _ := bytes.Cut(line, []byte{' '})
	count, err := strconv.Atoi(string(entries))
	subtrees, err2 := strconv.Atoi(string(below))
	next = end - len(rest)
	if !ok || err != nil || err2 != nil || depth > maxDepth {
		return nil, "", 0, false
	}
	c = &cachedTree{at: next, count: count}
	if count >= 0 {
		if next += x.sum; next > end {
			return nil, "", 0, false
		}
	}
	if dir != nil {
		dir.cached = c
		c.below = make(map[string]*cachedTree)
	}
	for range subtrees {
		var inner *directory
		if dir != nil {
			name, _, _ := bytes.Cut(x.data[next:end], []byte{0})
			inner = dir.below[string(name)]
		}
		sub, name, after, ok := x.readCache(next, end, inner, depth+1)
		if !ok {
			return nil, "", 0, false
		}
		if dir != nil {
			c.below[name] = sub
		}
		next = after
	}
	return c, string(head), next, true
}

func (x *index) nameOf(c *cachedTree) []byte { return x.data[c.at : c.at+x.sum] }

// readTree puts the tree of a directory together from the entries, if that has the
// name that it should have.
func (x *index) readTree(dir *directory) bool {
	if x == nil {
		return false
	}
	c := dir.cached
	if c == nil || c.count < 0 || !bytes.Equal(x.nameOf(c), dir.was) {
		return false // something is staged here
	}
	first := sort.Search(len(x.entries), func(i int) bool { return string(x.entries[i].name) >= dir.path })
	if c.count > len(x.entries)-first {
		return false
	}
	var tree []byte
	for i := first; i < first+c.count; {
		e := x.entries[i]
		rest, ok := bytes.CutPrefix(e.name, []byte(dir.path))
		if !ok {
			return false
		}
		name, _, deeper := bytes.Cut(rest, []byte{'/'})
		if !deeper {
			entry := x.data[e.at:]
			tree = appendEntry(tree, binary.BigEndian.Uint32(entry[indexMode:]), name, entry[indexHash:indexHash+x.sum])
			i++
			continue
		}
		sub := c.below[string(name)]
		if sub == nil || sub.count <= 0 || sub.count > first+c.count-i {
			return false
		}
		tree = appendEntry(tree, 0o40000, name, x.nameOf(sub))
		i += sub.count
	}
	if !bytes.Equal(objectName(x.newHash(), typeTree, tree), dir.was) {
		return false
	}
	dir.tree = tree
	return true
}

// appendEntry adds an entry to a tree.
func appendEntry(tree []byte, mode uint32, name, id []byte) []byte {
	tree = append(strconv.AppendUint(tree, uint64(mode), 8), ' ')
	tree = append(append(tree, name...), 0)
	return append(tree, id...)
}

// exchange puts the new blobs into the entries, without the files' state, and the
// new trees into what git remembers. It is false where the index has not what the
// head has.
func (x *index) exchange() bool {
	x.leaves = x.top.leaves(map[string]*leaf{})
	found := 0
	for _, e := range x.entries {
		f := x.leaves[string(e.name)]
		if f == nil {
			continue
		}
		entry := x.data[e.at:]
		mode := strconv.FormatUint(uint64(binary.BigEndian.Uint32(entry[indexMode:])), 8)
		if e.special || mode != f.mode || !bytes.Equal(entry[indexHash:indexHash+x.sum], f.was) {
			return false
		}
		copy(entry[indexHash:], f.now)
		f.at = e.at
		found++
	}
	return found == len(x.leaves) && x.exchangeTrees(x.top)
}

// exchangeTrees is false where git remembers another tree than the head's.
func (x *index) exchangeTrees(dir *directory) bool {
	if c := dir.cached; c != nil && c.count >= 0 {
		if !bytes.Equal(x.nameOf(c), dir.was) {
			return false
		}
		copy(x.nameOf(c), dir.now)
	}
	for _, below := range dir.below {
		if !x.exchangeTrees(below) {
			return false
		}
	}
	return true
}

// finish gives the index as its file has it, with the state of the files. Where
// that is zero git reads the file the next time. The result is errNotMade where a
// file has become executable, or is no longer.
func (x *index) finish(stats map[string]fileStat) ([]byte, error) {
	for name, f := range x.leaves {
		s := stats[name]
		if s.runs() != (f.mode == "100755") {
			return nil, errNotMade
		}
		entry := x.data[f.at:]
		for i, v := range []uint32{s.ctime, s.ctimeNano, s.mtime, s.mtimeNano, s.dev, s.ino} {
			binary.BigEndian.PutUint32(entry[4*i:], v)
		}
		for i, v := range []uint32{s.uid, s.gid, s.size} {
			binary.BigEndian.PutUint32(entry[indexUser+4*i:], v)
		}
	}
	return append(x.data, x.hash(x.data)...), nil
}
