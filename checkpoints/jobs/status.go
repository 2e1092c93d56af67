package jobs

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wsss/checkpoints/files"
)

// State is how far a job is, as its files tell.
type State struct {
	Plan
	Done    int // items in finished chunks
	Workers []Seen
	Failed  []Failure // of finished chunks, in the order of the items
	Open    int       // chunks that are not finished
}

// Seen is a process of a job. It lives where its file is young by the clock of
// the store, which also gave the age.
type Seen struct {
	Worker
	Lives bool
}

// PerSecond is the speed of the processes that live, together.
func (s *State) PerSecond() float64 {
	sum := 0.0
	for _, w := range s.Workers {
		if w.Lives {
			sum += w.PerSecond()
		}
	}
	return sum
}

// PerThousand is the time of all processes together for a thousand items, of
// those that they did, failed ones too; 0 before the first.
func (s *State) PerThousand() time.Duration {
	items, seconds := 0, 0.0
	for _, w := range s.Workers {
		items += w.Done + w.Failed
		seconds += w.Seconds
	}
	if items == 0 {
		return 0
	}
	return time.Duration(1000 * seconds / float64(items) * float64(time.Second))
}

// Remaining is the time that the rest takes at this speed; 0 where nothing is
// left or nobody works.
func (s *State) Remaining() time.Duration {
	speed := s.PerSecond()
	if speed == 0 {
		return 0
	}
	return time.Duration(float64(s.Items-s.Done) / speed * float64(time.Second))
}

// Status reads how far a job is. It opens only the files of
// processes and of chunks in which something failed.
func Status(dir string) (*State, error) {
	s, err := chunks(dir)
	if err == nil {
		s.Workers, err = workers(dir, s.Plan)
	}
	return s, err
}

// Failed lists what failed in the finished chunks of a job, in the order of the items.
func Failed(dir string) ([]Failure, error) {
	s, err := chunks(dir)
	if err != nil {
		return nil, err
	}
	return s.Failed, nil
}

// chunks is a job's State but for its processes.
func chunks(dir string) (*State, error) {
	p, err := readPlan(dir)
	if err != nil {
		return nil, err
	}
	s := &State{Plan: p}
	b, err := readBoard(dir)
	if err != nil {
		return nil, err
	}
	for i := range p.Chunks() {
		e := b.of(chunkKey(i))
		if !e.done {
			s.Open++
			continue
		}
		from, to := p.chunk(i)
		s.Done += to - from
		if !e.some {
			continue
		}
		failed, err := readFailed(dir, chunkKey(i))
		if err != nil {
			return nil, err
		}
		s.Failed = append(s.Failed, failed...)
	}
	return s, nil
}

func readFailed(dir, key string) ([]Failure, error) {
	path := filepath.Join(dir, chunkDir, key+someSuffix)
	raw, err := files.ReadLimited(path, maxRecord)
	if errors.Is(err, fs.ErrNotExist) { // begun anew just now
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r result
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("%s: not the result of a chunk: %w", path, err)
	}
	return r.Failed, nil
}

// workers reads the files of all processes, by name. Their ages are by the
// store's clock; where the store cannot be written, the youngest is of now.
func workers(dir string, p Plan) ([]Seen, error) {
	entries, err := files.ReadDir(filepath.Join(dir, workerDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []Seen
	var times []time.Time
	now, _ := files.Clock(filepath.Join(dir, workerDir))
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		w, err := readWorker(dir, name)
		info, err2 := e.Info()
		if errors.Join(err, err2) != nil {
			continue // gone, or no file of ours
		}
		list = append(list, Seen{Worker: w})
		times = append(times, info.ModTime())
		if info.ModTime().After(now) {
			now = info.ModTime()
		}
	}
	for i := range list {
		list[i].Lives = !list[i].Ended && now.Sub(times[i]) < p.expire()
	}
	slices.SortFunc(list, func(a, b Seen) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// Retry gives back the chunks in which something failed, for whoever joins; it
// returns how many items had.
func Retry(dir string) (int, error) {
	p, err := readPlan(dir)
	if err != nil {
		return 0, err
	}
	b, err := readBoard(dir)
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range p.Chunks() {
		key := chunkKey(i)
		e := b.of(key)
		if !e.some {
			continue
		}
		failed, err := readFailed(dir, key)
		if err != nil {
			return n, err
		}
		n += len(failed)
		// A lease of nobody first: else the living owner would be asked for it.
		err = files.CreateNew(filepath.Join(dir, chunkDir, fmt.Sprintf("%s.%d", key, e.gen+1)), []byte("\n"))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return n, err
		}
		for _, suffix := range []string{someSuffix, doneSuffix} {
			if err := files.Remove(filepath.Join(dir, chunkDir, key+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return n, err
			}
		}
	}
	return n, nil
}

// Busy tells which job below a folder is at work on something of another hash,
// "" for none: it is not finished, and one of its processes lives.
func Busy(dir, hash string) (string, error) {
	names, err := List(dir)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		p, err := readPlan(filepath.Join(dir, name))
		if err != nil || p.Hash == hash {
			continue // not begun yet, or no job
		}
		s, err := Status(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		if s.Open > 0 && slices.ContainsFunc(s.Workers, func(w Seen) bool { return w.Lives }) {
			return name, nil
		}
	}
	return "", nil
}

// List names the jobs below a folder, sorted.
func List(dir string) ([]string, error) {
	entries, err := files.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && nameRule.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}
