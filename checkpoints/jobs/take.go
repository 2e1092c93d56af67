package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"wsss/checkpoints/files"
)

// Part is a range of items to work on: From up to To, without To.
type Part struct {
	From, To int
	// Help is a part that another process works on from its front. It is done
	// from its back, up to the first item that is finished already; Finish is not
	// called for it.
	Help bool

	key   string
	gen   int // of its lease
	start int // first item of its chunk
}

func (p Part) lease() string { return leaseName(p.key, p.gen) }

func leaseName(key string, gen int) string { return fmt.Sprintf("%s.%d", key, gen) }

// Next takes a part to work on. It waits where all are taken and some may come
// back; ok is false when everything is done. Call it from one goroutine.
func (j *Job) Next(ctx context.Context) (p Part, ok bool, err error) {
	wait := min(j.beat(), time.Second)
	for {
		if err := ctx.Err(); err != nil {
			return p, false, err
		}
		i, err := j.fresh()
		front := 0
		if err == nil && i < 0 {
			var waiting bool
			if i, front, p.Help, waiting, err = j.returned(); err == nil && waiting {
				if err = pause(ctx, wait); err == nil {
					wait = min(2*wait, j.beat())
					continue
				}
			}
		}
		if err != nil || i < 0 {
			return p, false, err
		}
		p.start, p.To = j.chunk(i)
		p.From = p.start + front
		p.key = chunkKey(i)
		p.gen = j.board.of(p.key).gen
		lease := p.lease()
		if p.Help {
			lease = ""
		}
		j.at(fmt.Sprintf("%d..%d", p.start, p.To-1), lease, front)
		_ = j.tell() // the next beat says it again
		return p, true, nil
	}
}

// Take takes chunk i, whoever has it: for parts that somebody outside hands out.
func (j *Job) Take(i int) (Part, error) {
	p := Part{key: chunkKey(i)}
	p.From, p.To = j.chunk(i)
	p.start = p.From
	j.at(fmt.Sprintf("part %d of %d", i, j.Chunks()), "", 0)
	for {
		if err := j.list(); err != nil {
			return p, err
		}
		if ok, err := j.lease(p.key, j.board.of(p.key).gen+1); ok || err != nil {
			p.gen = j.board.of(p.key).gen
			_ = j.tell()
			return p, err
		}
	}
}

// at says in the status where the process is, and for whoever takes its chunk over by
// which lease it has that ("" = it has none) and how many of its items are finished.
func (j *Job) at(where, lease string, front int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.me.At, j.me.Lease, j.me.Front = where, lease, front
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// fresh takes a chunk that nobody has had, -1 where there is none: the one behind
// that which it took last, where that is free, so that a process stays within the
// same tar files.
func (j *Job) fresh() (int, error) {
	for {
		if !j.free(j.cursor) {
			j.cursor = j.place()
		}
		if j.cursor < 0 {
			return -1, nil
		}
		ok, err := j.lease(chunkKey(j.cursor), 0)
		if err != nil {
			return -1, err
		}
		if ok {
			j.cursor++
			return j.cursor - 1, nil
		}
		if err := j.list(); err != nil { // another came first: what else has been taken?
			return -1, err
		}
	}
}

// free tells whether nobody has had chunk i, as far as this process knows.
func (j *Job) free(i int) bool {
	if i < 0 || i >= j.Chunks() {
		return false
	}
	e := j.board.of(chunkKey(i))
	return e.gen < 0 && !e.done
}

// place is where to go on in the longest row of free chunks, -1 where there is none:
// at its middle, as whoever has the chunk before it comes from there.
func (j *Job) place() int {
	from, n := -1, 0
	for i := 0; i < j.Chunks(); i++ {
		start := i
		for j.free(i) {
			i++
		}
		if i-start > n {
			from, n = start, i-start
		}
	}
	if from > 0 {
		return from + n/2
	}
	return from
}

// lease makes a lease; ok is false where another process has.
func (j *Job) lease(key string, gen int) (ok bool, err error) {
	return j.claim(leaseName(key, gen), func() { j.board.taken(key, gen) })
}

// takeOver makes the lease that follows one whose owner is dead; ok is false, too,
// where the owner had finished. It may have done so, and left, behind the listing by
// which this process judged.
func (j *Job) takeOver(key string, gen int) (ok bool, err error) {
	if ok, err = j.lease(key, gen); !ok || err != nil || gen == 0 {
		return ok, err
	}
	err = j.list()
	return err == nil && !j.board.of(key).done, err
}

func (j *Job) claim(name string, note func()) (bool, error) {
	err := files.CreateNew(j.path(name), []byte(j.worker+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	note()
	return err == nil, nil
}

// list reads anew what is known of the chunks.
func (j *Job) list() error {
	start := time.Now()
	b, err := readBoard(j.dir)
	if err != nil {
		return err
	}
	b.keep(j.board)
	j.board, j.listed = b, time.Now()
	j.listing = j.listed.Sub(start)
	return nil
}

// returned takes the chunk of a dead process, of which front items are finished, or
// helps one that lives. waiting tells that there is nothing to take at present, though
// not all is done.
func (j *Job) returned() (i, front int, help, waiting bool, err error) {
	if err := j.list(); err != nil {
		return -1, 0, false, false, err
	}
	open := map[string]bool{}
	dead := map[string]bool{nobody: true} // by owner
	for i := range j.Chunks() {
		key := chunkKey(i)
		e := j.board.of(key)
		if e.done {
			continue
		}
		waiting = true
		name := nobody
		if e.gen >= 0 {
			if name, err = j.owner(leaseName(key, e.gen)); err != nil {
				return -1, 0, false, false, err
			}
		}
		if _, asked := dead[name]; !asked {
			dead[name] = j.dead(name)
		}
		if !dead[name] {
			open[key] = true
			continue
		}
		if ok, err := j.takeOver(key, e.gen+1); err != nil || ok {
			from, to := j.chunk(i)
			return i, j.front(name, leaseName(key, e.gen), to-from), false, false, err
		}
	}
	for i := range j.Chunks() { // in order, so that helpers spread
		key := chunkKey(i)
		e := j.board.of(key)
		if !open[key] || e.helped {
			continue
		}
		if ok, err := j.claim(fmt.Sprintf("%s.%d%s", key, e.gen, helpSuffix), func() { e.helped = true; j.board[key] = e }); err != nil || ok {
			return i, 0, true, false, err
		}
	}
	return -1, 0, false, waiting, nil
}

// Holds tells whether a part is still this process's, for whoever is about to do
// more of it. It asks the store only after a time in which others may have taken
// this process for dead: it was stopped, or its beats did not come through. A part to
// help with is nobody's. Call it from any goroutine.
func (j *Job) Holds(p Part) bool {
	if p.Help || !j.doubtful() {
		return true
	}
	b, err := readBoard(j.dir)
	if err != nil {
		return true // what is done twice has the same bytes
	}
	e := b.of(p.key)
	if e.gen > p.gen || e.done {
		return false
	}
	j.sure()
	return true
}

// Finish marks a part as done; failed are the items that could not be done.
func (j *Job) Finish(p Part, failed []Failure) error { return j.finish(p.key, failed) }

// Elsewhere is how many items are in chunks that are finished, as far as this
// process knows without spending more than a thousandth of its time on asking. Call
// it from the goroutine of Next.
func (j *Job) Elsewhere() int {
	if time.Since(j.listed) > max(10*time.Second, 1000*j.listing) {
		_ = j.list()
	}
	n := 0
	for i := range j.Chunks() {
		if j.board.of(chunkKey(i)).done {
			from, to := j.chunk(i)
			n += to - from
		}
	}
	return n
}

// Once does something that one process of the job does and all wait for. Where
// the one dies another takes its place. name is a plain word.
func (j *Job) Once(ctx context.Context, name string, do func() error) error {
	if j.board.of(name).done { // as the listing told that Join has just made
		return nil
	}
	for {
		if err := j.list(); err != nil {
			return err
		}
		e := j.board.of(name)
		if e.done {
			return nil
		}
		owner, err := nobody, error(nil)
		if e.gen >= 0 {
			owner, err = j.owner(fmt.Sprintf("%s.%d", name, e.gen))
		}
		ok := false
		if err == nil && j.dead(owner) {
			ok, err = j.takeOver(name, e.gen+1)
		}
		if err != nil {
			return err
		}
		if ok {
			if err := do(); err != nil {
				return err
			}
			return j.finish(name, nil)
		}
		if err := pause(ctx, min(j.beat(), time.Second)); err != nil {
			return err
		}
	}
}
