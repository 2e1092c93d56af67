// Package store makes object storage look like folders to package files: S3 and
// what speaks its protocol, Google Cloud Storage, Azure Blob Storage. Linking it
// is enough: it registers s3, gs and azblob.
//
//	s3://bucket/prefix?region=eu-west-1&endpoint=https://…&use_path_style=true
//	gs://bucket/prefix
//	azblob://container/prefix?storage_account=…
//
// Listings are paged; reads and writes are streamed through local files; what is
// written appears whole or not at all. An operation that the store refuses for
// now (503, a lost connection, a minute without a byte) is tried again, a few
// times. Credentials come from the drivers' own chain (environment, files of the
// provider's tools, the machine's role) and stand in no address, error or file
// of wsss.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"

	"wsss/checkpoints/files"
)

// Driver opens the buckets of a scheme.
type Driver struct {
	// Options are what an address may hold behind its "?".
	Options []string
	Open    func(ctx context.Context, bucket string, options url.Values) (*blob.Bucket, error)
}

// Register makes addresses of a scheme known.
func Register(scheme string, d Driver) {
	s := &store{scheme: scheme, driver: d, buckets: map[string]*bucket{}, local: newCache()}
	stores = append(stores, s)
	files.Register(scheme, s)
}

var stores []*store

// Clean removes the local copies of this process. Those of a killed one are
// removed by the next that makes some.
func Clean() {
	for _, s := range stores {
		if s.local.done != nil {
			s.local.done()
		}
	}
}

// byURL opens buckets by gocloud's own addresses.
func byURL(scheme string) func(context.Context, string, url.Values) (*blob.Bucket, error) {
	return func(ctx context.Context, name string, q url.Values) (*blob.Bucket, error) {
		return blob.OpenBucket(ctx, addressOf(scheme, name, q).String())
	}
}

// addressOf is gocloud's address of a bucket.
func addressOf(scheme, name string, q url.Values) *url.URL {
	return &url.URL{Scheme: scheme, Host: name, RawQuery: q.Encode()}
}

// store is the buckets of one scheme. It is a files.Remote.
type store struct {
	scheme string
	driver Driver
	local  *cache

	mu      sync.Mutex
	buckets map[string]*bucket
	mounts  []mount
}

// mount is a place that a config names.
type mount struct {
	path     string
	readOnly bool
}

// bucket is an opened bucket.
type bucket struct {
	*blob.Bucket
	options string // of its address
	reached atomic.Bool
}

// Mount is files.Remote's.
func (s *store) Mount(address string, readOnly bool) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%q is no address: want %s://bucket/prefix", cutQuery(address), s.scheme)
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("an address of %s://… holds no name or password: credentials come from the environment, the provider's files or the machine's role", s.scheme)
	case u.Host == "" || u.Opaque != "":
		return fmt.Errorf("%q names no bucket: want %s://bucket/prefix", cutQuery(address), s.scheme)
	case u.Fragment != "":
		return fmt.Errorf("%q: # is not allowed in an address", cutQuery(address))
	}
	for key := range u.Query() {
		if !slices.Contains(s.driver.Options, key) {
			return fmt.Errorf("%q: the option %q is unknown: allowed are %s", cutQuery(address), key, strings.Join(s.driver.Options, ", "))
		}
	}
	b, err := s.open(u.Host, u.Query())
	if err != nil {
		return err
	}
	if err := s.look(b, s.scheme+"://"+u.Host); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mounts = append(s.mounts, mount{path.Clean(s.scheme + ":/" + u.Host + "/" + u.Path), readOnly})
	return nil
}

// look is an error where a bucket cannot be reached; one that once could is not asked
// again.
func (s *store) look(b *bucket, where string) error {
	if b.reached.Load() {
		return nil
	}
	ok := false
	err := s.try("look at", where, func(ctx context.Context) (err error) { ok, err = b.IsAccessible(ctx); return err })
	if err == nil && !ok {
		err = fmt.Errorf("%s: there is no such bucket, or these credentials may not see it", where)
	}
	b.reached.Store(err == nil)
	return err
}

func cutQuery(address string) string {
	bare, _, _ := strings.Cut(address, "?")
	if at := strings.LastIndexByte(bare, '@'); at >= 0 { // a password may stand before it
		bare = "…" + bare[at:]
	}
	return bare
}

// open gives a bucket, opened with these options or, where they are none, as it
// was before.
func (s *store) open(name string, options url.Values) (*bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.buckets[name]
	text := options.Encode()
	switch {
	case have != nil && (text == "" || text == have.options):
		return have, nil
	case have != nil && have.options != "":
		return nil, fmt.Errorf("%s://%s is used with two sets of options, %s and %s: one run needs one", s.scheme, name, have.options, text)
	}
	b, err := s.driver.Open(context.Background(), name, options)
	if err != nil {
		return nil, s.fault("open", s.scheme+"://"+name, err)
	}
	s.buckets[name] = &bucket{Bucket: b, options: text}
	return s.buckets[name], nil
}

// at takes a path apart: its bucket and key.
func (s *store) at(name string) (*bucket, string, error) {
	rest := strings.TrimPrefix(path.Clean(name), s.scheme+":/")
	host, key, _ := strings.Cut(rest, "/")
	if host == "" || host == "." || host == ".." {
		return nil, "", fmt.Errorf("%s names no bucket", name)
	}
	b, err := s.open(host, nil)
	return b, key, err
}

// cached tells whether what is below a path may be answered from a copy.
func (s *store) cached(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest, readOnly := -1, false
	for _, m := range s.mounts {
		if (name == m.path || strings.HasPrefix(name, m.path+"/")) && len(m.path) >= longest {
			readOnly = m.readOnly && (len(m.path) > longest || readOnly)
			longest = len(m.path)
		}
	}
	return readOnly
}

// info is a file or a folder of a store.
type info struct {
	name string
	size int64
	mod  time.Time
	etag string
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.mod }
func (i info) IsDir() bool        { return i.dir }
func (i info) Sys() any           { return version(i.etag) }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// Stat is files.Remote's.
func (s *store) Stat(name string) (fs.FileInfo, error) {
	name = path.Clean(name)
	keep := s.cached(name)
	if keep {
		if i, ok := s.local.stat(name); ok {
			return i, nil
		}
	}
	b, key, err := s.at(name)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return info{name: path.Base(name), dir: true}, nil
	}
	var a *blob.Attributes
	err = s.try("stat", name, func(ctx context.Context) (err error) { a, err = b.Attributes(ctx, key); return err })
	if errors.Is(err, fs.ErrNotExist) {
		below := false
		err2 := s.pages(name, b, key+"/", "", 1, func([]*blob.ListObject) bool { below = true; return false })
		if err2 != nil {
			return nil, err2
		}
		if below {
			return info{name: path.Base(name), dir: true}, nil
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	i := info{name: path.Base(name), size: a.Size, mod: a.ModTime, etag: a.ETag}
	if keep {
		s.local.keepStat(name, i)
	}
	return i, nil
}

// ReadDir is files.Remote's.
func (s *store) ReadDir(name string) ([]fs.DirEntry, error) {
	name = path.Clean(name)
	b, key, err := s.at(name)
	if err != nil {
		return nil, err
	}
	if key != "" {
		key += "/"
	}
	var list []fs.DirEntry
	found := key == ""
	err = s.pages(name, b, key, "/", pageSize, func(page []*blob.ListObject) bool {
		for _, o := range page {
			found = true
			base := strings.TrimSuffix(o.Key[len(key):], "/")
			if base == "" || base == "." || base == ".." { // a folder's own marker, or what no path can name
				continue
			}
			list = append(list, fs.FileInfoToDirEntry(info{name: base, size: o.Size, mod: o.ModTime, dir: o.IsDir}))
		}
		return true
	})
	if err == nil && !found {
		err = &fs.PathError{Op: "readdir", Path: files.Address(name), Err: fs.ErrNotExist}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, err
}

// pageSize is how many names a listing asks for at a time.
const pageSize = 1000

// pages goes through a listing until more says that it is enough.
func (s *store) pages(name string, b *bucket, prefix, delimiter string, size int, more func([]*blob.ListObject) bool) error {
	token := blob.FirstPageToken
	for len(token) > 0 {
		var page []*blob.ListObject
		var next []byte
		err := s.try("list", name, func(ctx context.Context) (err error) {
			page, next, err = b.ListPage(ctx, token, size, &blob.ListOptions{Prefix: prefix, Delimiter: delimiter})
			return err
		})
		if err != nil {
			return err
		}
		if len(page) > 0 && !more(page) {
			return nil
		}
		token = next
	}
	return nil
}

// Remove is files.Remote's.
func (s *store) Remove(name string) error {
	b, key, err := s.at(name)
	if err != nil {
		return err
	}
	s.local.drop(path.Clean(name))
	return s.try("remove", name, func(ctx context.Context) error { return b.Delete(ctx, key) })
}

// Open is files.Remote's.
func (s *store) Open(name string) (*os.File, error) {
	name = path.Clean(name)
	if !s.cached(name) {
		l, err := s.fetch(name)
		return l.File, err
	}
	still := func(size int64, mod time.Time) bool {
		s.local.dropStat(name)
		info, err := s.Stat(name)
		return err == nil && info.Size() == size && info.ModTime().Equal(mod)
	}
	return s.local.open(name, func() (local, error) { return s.fetch(name) }, still)
}
