package pth

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"wsss/data/pickle"
)

var (
	zipMagic = []byte("PK\x03\x04")
	// legacyMagic is the pickled number that starts the older format.
	legacyMagic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")
)

// zipStore finds storages as members PREFIX/data/KEY of an archive.
type zipStore struct {
	r       io.ReaderAt
	size    int64 // of the archive
	members map[string]*zip.File
}

// readZip reads PREFIX/data.pkl.
func readZip(r io.ReaderAt, size int64) (any, store, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, nil, err
	}
	var root *zip.File
	for _, f := range z.File {
		if f.Name == "data.pkl" || strings.HasSuffix(f.Name, "/data.pkl") {
			root = f
			break
		}
	}
	if root == nil {
		return nil, nil, errors.New("zip archive is no PyTorch checkpoint: it has no data.pkl")
	}
	prefix := strings.TrimSuffix(root.Name, "data.pkl")
	s := zipStore{r: r, size: size, members: map[string]*zip.File{}}
	for _, f := range z.File {
		if key, ok := strings.CutPrefix(f.Name, prefix+"data/"); ok {
			s.members[key] = f
		}
		if f.Name == prefix+"byteorder" {
			if order, err := readAll(f, 16); err != nil || string(order) != "little" {
				return nil, nil, fmt.Errorf("checkpoint's byte order is %q: only little is read (%v)", order, err)
			}
		}
	}
	raw, err := readAll(root, maxPickle)
	if err != nil {
		return nil, nil, err
	}
	v, _, err := newUnpickler().read(raw)
	return v, s, err
}

func readAll(f *zip.File, limit int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("%s of %d bytes: at most %d are allowed", f.Name, f.UncompressedSize64, limit)
	}
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, limit))
}

// open is store's. PyTorch stores members uncompressed, which makes them
// readable in place; a repacked archive is unpacked in memory.
func (s zipStore) open(key string, n int64) (io.ReaderAt, error) {
	f := s.members[key]
	if f == nil {
		return nil, fmt.Errorf("archive lacks the storage %q", key)
	}
	if f.UncompressedSize64 != uint64(n) {
		return nil, fmt.Errorf("storage %q has %d bytes, want %d", key, f.UncompressedSize64, n)
	}
	if f.Method == zip.Store {
		at, err := f.DataOffset()
		if err != nil {
			return nil, err
		}
		if at+n > s.size {
			return nil, fmt.Errorf("storage %q ends behind the archive", key)
		}
		return io.NewSectionReader(s.r, at, n), nil
	}
	// A deflated byte stands for at most some thousand.
	if packed := min(f.CompressedSize64, uint64(s.size)); uint64(n)/2048 > packed {
		return nil, fmt.Errorf("storage %q claims %d bytes from %d compressed ones", key, n, packed)
	}
	raw, err := readAll(f, n)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(raw), nil
}

// legacyStore finds storages one after another behind the pickles.
type legacyStore struct {
	r  io.ReaderAt
	at map[string]int64 // where a storage's element count stands
}

// readLegacy reads five pickles (magic, version, system, object, storage keys),
// then for every key an element count and the elements.
func readLegacy(r io.ReaderAt, size int64) (any, store, error) {
	raw := make([]byte, min(size, maxPickle))
	if _, err := r.ReadAt(raw, 0); err != nil && err != io.EOF {
		return nil, nil, err
	}
	in := raw[len(legacyMagic):]
	version, in, err := pickle.Reader{}.Read(in)
	if err != nil {
		return nil, nil, err
	}
	if version != int64(1001) {
		return nil, nil, fmt.Errorf("checkpoint of protocol %v: only 1001 is read", version)
	}
	system, in, err := pickle.Reader{}.Read(in)
	if err != nil {
		return nil, nil, err
	}
	if d, ok := system.(*pickle.Dict); !ok || d.Get("little_endian") != true {
		return nil, nil, errors.New("checkpoint's byte order is big: only little is read")
	}
	u := newUnpickler()
	root, in, err := u.read(in)
	if err != nil {
		return nil, nil, err
	}
	keys, in, err := pickle.Reader{}.Read(in)
	if err != nil {
		return nil, nil, err
	}
	list, ok := keys.([]any)
	if !ok {
		return nil, nil, errors.New("checkpoint lacks its list of storages")
	}
	s := legacyStore{r: r, at: map[string]int64{}}
	at := int64(len(raw) - len(in))
	for _, k := range list {
		key := text(k)
		st := u.storages[key]
		if st == nil {
			return nil, nil, fmt.Errorf("checkpoint lists a storage %q that nothing uses", key)
		}
		s.at[key] = at
		at += 8 + st.size*int64(st.dtype.Size())
		if at > size {
			return nil, nil, fmt.Errorf("checkpoint is cut off: storage %q would end at byte %d of %d", key, at, size)
		}
	}
	return root, s, nil
}

// open is store's.
func (s legacyStore) open(key string, n int64) (io.ReaderAt, error) {
	at, ok := s.at[key]
	if !ok {
		return nil, fmt.Errorf("checkpoint lacks the storage %q", key)
	}
	var count [8]byte
	if _, err := s.r.ReadAt(count[:], at); err != nil {
		return nil, err
	}
	if c := binary.LittleEndian.Uint64(count[:]); c == 0 && n > 0 || c > 0 && n%int64(c) != 0 {
		return nil, fmt.Errorf("storage %q has %d elements, which do not make %d bytes", key, c, n)
	}
	return io.NewSectionReader(s.r, at+8, n), nil
}
