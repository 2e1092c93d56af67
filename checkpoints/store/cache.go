package store

import (
	"container/list"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"wsss/checkpoints/files"
)

// EnvCache names the bound of the local copies, MiB; 2048 where it is not set.
const EnvCache = "WSSS_STORE_CACHE"

// trusted is how long a copy stands for the file without asking again.
var trusted = 30 * time.Second

// cache keeps local copies of files that a run only reads, up to a number of
// bytes, the longest unused go first. An image is opened several times for one
// label: for its hash, its size, its pixels.
type cache struct {
	most int64

	once sync.Once
	dir  string
	done func() // holds the folder's lock, by which others know that we live
	err  error

	fetching [64]sync.Mutex // by hash of the name: one reads a file, others wait for it

	mu    sync.Mutex
	bytes int64
	items map[string]*list.Element // by name
	bad   map[string]damage        // by name
	used  list.List                // of *item, the last used first
	stats map[string]statted
}

type item struct {
	name, file string
	size       int64
	mod        time.Time // of the file in the store
	at         time.Time // when it was known to be that
}

// damage is why a file could not be read that the store has, but not whole.
type damage struct {
	err error
	at  time.Time
}

type statted struct {
	info
	at time.Time
}

func newCache() *cache {
	most := int64(2048)
	if n, err := strconv.ParseInt(os.Getenv(EnvCache), 10, 40); err == nil && n >= 0 {
		most = n
	}
	return &cache{most: most << 20, items: map[string]*list.Element{}, bad: map[string]damage{}, stats: map[string]statted{}}
}

// create makes a local file. Its folder is removed with the process, or by a
// later one where this is killed.
func (c *cache) create() (*os.File, error) {
	c.once.Do(func() {
		c.dir, c.done, c.err = files.TempDir(filepath.Join(os.TempDir(), "wsss-store"))
	})
	if c.err != nil {
		return nil, c.err
	}
	return os.CreateTemp(c.dir, "*")
}

// open opens the local copy of a file. It is fetched first where there is none, or
// where the store's file has changed since: a copy that was compared less than
// trusted ago counts as current, of others still is asked, which compares size and
// time with the store.
func (c *cache) open(name string, fetch func() (local, error), still func(size int64, mod time.Time) bool) (*os.File, error) {
	h := fnv.New32a()
	h.Write([]byte(name))
	turn := &c.fetching[h.Sum32()%uint32(len(c.fetching))]
	turn.Lock()
	defer turn.Unlock()
	if f := c.find(name, still); f != nil {
		return f, nil
	}
	if err := c.damaged(name); err != nil {
		return nil, err
	}
	l, err := fetch()
	if errors.Is(err, errDamaged) {
		c.mu.Lock()
		c.bad[name] = damage{err, time.Now()}
		c.mu.Unlock()
	}
	if err == nil && l.kept != "" {
		if info, err := l.Stat(); err == nil {
			c.keep(item{name, l.kept, info.Size(), l.mod, time.Now()})
		}
	}
	return l.File, err
}

// damaged is why a file could not be read a moment ago: a tar file of a thousand
// images is not read six times for each of them.
func (c *cache) damaged(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, known := c.bad[name]; known && time.Since(d.at) < trusted {
		return d.err
	}
	delete(c.bad, name)
	return nil
}

func (c *cache) find(name string, still func(size int64, mod time.Time) bool) *os.File {
	c.mu.Lock()
	e := c.items[name]
	var it item
	if e != nil {
		it = *e.Value.(*item)
	}
	c.mu.Unlock()
	if e == nil {
		return nil
	}
	good := time.Since(it.at) < trusted
	if !good && still(it.size, it.mod) {
		good, it.at = true, time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[name] != e { // removed meanwhile, to make room for others
		return nil
	}
	if good {
		if f, err := os.Open(it.file); err == nil {
			e.Value.(*item).at = it.at
			c.used.MoveToFront(e)
			return f
		}
	}
	c.remove(e)
	return nil
}

func (c *cache) keep(it item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[it.name]; e != nil {
		c.remove(e)
	}
	c.items[it.name] = c.used.PushFront(&it)
	c.bytes += it.size
	for c.bytes > c.most && c.used.Len() > 0 {
		c.remove(c.used.Back())
	}
}

// remove forgets a copy; who has it open keeps it. c.mu is held.
func (c *cache) remove(e *list.Element) {
	it := e.Value.(*item)
	c.used.Remove(e)
	delete(c.items, it.name)
	c.bytes -= it.size
	os.Remove(it.file)
}

func (c *cache) dropStat(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.stats, name)
}

func (c *cache) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.stats, name)
	delete(c.bad, name)
	if e := c.items[name]; e != nil {
		c.remove(e)
	}
}

func (c *cache) stat(name string) (info, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.stats[name]
	return s.info, ok && time.Since(s.at) < trusted
}

// mostStats bounds what is remembered of files' sizes.
const mostStats = 100_000

func (c *cache) keepStat(name string, i info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.stats) >= mostStats {
		clear(c.stats)
	}
	c.stats[name] = statted{i, time.Now()}
}
