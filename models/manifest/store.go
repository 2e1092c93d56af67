package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/models/foundation/zoo"
)

// Env names the folder of model files, instead of the user's cache folder.
const Env = "WSSS_MODELS"

const lockName = "models.lock.json"

// Store is a folder of model files: <dir>/<model>/<file>, and a lock file with
// the hashes of those that the manifest gives none for.
type Store struct {
	dir string
	mu  sync.Mutex // guards the lock file within this process

	// endpoint replaces https://huggingface.co in tests.
	endpoint string
}

// record is what the lock file keeps of a file.
type record struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// Modified, nanoseconds: a file that still has it is not hashed again on
	// every use; Verify hashes it all the same.
	Modified int64 `json:"modified"`
}

// Open returns the store in dir; "" is $WSSS_MODELS, else the user's cache
// folder. Nothing is made before it is needed.
func Open(dir string) (*Store, error) {
	if dir == "" {
		dir = os.Getenv(Env)
	}
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no folder for model files: set %s (%w)", Env, err)
		}
		dir = filepath.Join(cache, "wsss", "models")
	}
	return &Store{dir: dir}, nil
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Path is where a file of a model lies or should lie.
func (s *Store) Path(m Model, f File) string { return filepath.Join(s.dir, m.Name, f.Name()) }

// File returns the path of a model's file, checked against its hash. The error
// for a missing file names the command that gets it, or the folder to put it
// into.
func (s *Store) File(ctx context.Context, model, role string) (string, error) {
	m, err := Find(model)
	if err != nil {
		return "", err
	}
	f, err := m.file(role)
	if err != nil {
		return "", err
	}
	path := s.Path(m, f)
	if f.Embed != "" {
		return path, s.unpack(f, path)
	}
	if _, err := os.Stat(path); err != nil {
		return "", missing(m, f, path)
	}
	for _, other := range m.Files { // external data must lie beside its model
		if strings.HasPrefix(other.Role, role+"-") {
			if _, err := os.Stat(s.Path(m, other)); err != nil {
				return "", missing(m, other, s.Path(m, other))
			}
		}
	}
	return path, s.check(ctx, m, f, false)
}

// Resolve is the path of a file that a config names, else of the one with this
// role of a model of the manifest, which must be of the family. dir is the
// folder of model files; "" the usual one.
func Resolve(dir, file, model, family, role string) (string, error) {
	if file != "" {
		return file, nil
	}
	m, err := Find(model)
	if err != nil {
		return "", fmt.Errorf("gen.options: %w", err)
	}
	if m.Family != family {
		return "", fmt.Errorf("gen.options: model %s is of family %s, wanted is %s", model, m.Family, family)
	}
	store, err := Open(dir)
	if err != nil {
		return "", err
	}
	return store.File(context.Background(), model, role)
}

// weightsRole is the role of a file that a training, or a class activation map,
// may begin with.
const weightsRole = "weights"

// IsInitial tells whether a training may begin with a model.
func IsInitial(m Model) bool {
	_, err := m.file(weightsRole)
	return err == nil
}

// InitialWeights is the weight file that a training begins with: init itself, or
// the file of a model of the manifest where init is the name of one.
func InitialWeights(ctx context.Context, init string) (string, error) {
	m, err := Find(init)
	if err != nil {
		return init, nil // a file: whoever opens it says what is wrong with it
	}
	if !IsInitial(m) {
		var families []string
		for _, other := range known() {
			if IsInitial(other) && !slices.Contains(families, other.Family) {
				families = append(families, other.Family)
			}
		}
		return "", fmt.Errorf("model %s is of family %s, wanted is %s, or a weight file", init, m.Family, strings.Join(families, " or "))
	}
	store, err := Open("")
	if err != nil {
		return "", err
	}
	return store.File(ctx, init, weightsRole)
}

// AbsentError is a file of a model that is not here, and how to get it.
type AbsentError struct{ path, how string }

// Is tells that it is fs.ErrNotExist, too.
func (*AbsentError) Is(target error) bool { return target == fs.ErrNotExist }

func (e *AbsentError) Error() string {
	return fmt.Sprintf("%s is missing: %s, or name another file", e.path, e.how)
}

func missing(m Model, f File, path string) error {
	how := fmt.Sprintf("run `wsss models pull %s`, or put the file there", m.Name)
	switch {
	case f.Local != "" && m.Make != "":
		how = fmt.Sprintf("it is made by `%s` (%s); put it there", m.Make, m.Origin())
	case f.Local != "":
		how = fmt.Sprintf("get it from %s and put it there", m.Origin())
	}
	return &AbsentError{path, how}
}

// unpack writes a file of the program to path, unless it is there already.
func (s *Store) unpack(f File, path string) error {
	want, err := fs.ReadFile(zoo.Files, f.Embed)
	if err != nil {
		return err
	}
	if have, err := files.ReadLimited(path, files.MaxRecord); err == nil && string(have) == string(want) {
		return nil
	}
	return files.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write(want); return err })
}

// check compares a file with the manifest's hash, or with the one recorded at
// its first use, which this may be. A file that has not changed since it was
// last hashed is hashed again only where always is set.
func (s *Store) check(ctx context.Context, m Model, f File, always bool) error {
	if f.Build != "" { // another version may build another; its weights are checked
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path, key := s.Path(m, f), m.Name+"/"+f.Name()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	lock, err := s.readLock()
	if err != nil {
		return err
	}
	known, recorded := lock[key]
	if recorded && !always && known.Size == info.Size() && known.Modified == info.ModTime().UnixNano() {
		return nil
	}
	sum, err := hash(ctx, path)
	if err != nil {
		return err
	}
	want, why := f.SHA256, "in the manifest"
	if want == "" && recorded {
		want, why = known.SHA256, "recorded in "+filepath.Join(s.dir, lockName)+" at its first use"
	}
	if want != "" && sum != want {
		return fmt.Errorf("%s has SHA-256 %s, but %s is %s: delete the file and run `wsss models pull %s`, or delete the record if the change is meant", path, sum, want, why, m.Name)
	}
	now := record{sum, info.Size(), info.ModTime().UnixNano()}
	if recorded && known == now {
		return nil
	}
	lock[key] = now
	return files.WriteJSON(filepath.Join(s.dir, lockName), lock)
}

// FirstUse runs a check of a model whose files come from different exports,
// unless these very files passed it before; the lock file remembers that.
func (s *Store) FirstUse(ctx context.Context, m Model, check func(ctx context.Context) error) error {
	if !m.Pair {
		return nil
	}
	key := m.Name + " fits"
	passed := func() (map[string]record, record, error) {
		lock, err := s.readLock()
		if err != nil {
			return nil, record{}, err
		}
		var now record
		sums := sha256.New()
		for _, f := range m.Files {
			have := lock[m.Name+"/"+f.Name()]
			fmt.Fprintln(sums, f.Role, have.SHA256)
			now.Size += have.Size
		}
		now.SHA256 = hex.EncodeToString(sums.Sum(nil))
		return lock, now, nil
	}
	s.mu.Lock()
	lock, now, err := passed()
	s.mu.Unlock()
	if err != nil || lock[key] == now {
		return err
	}
	if err := check(ctx); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if lock, now, err = passed(); err != nil {
		return err
	}
	lock[key] = now
	return files.WriteJSON(filepath.Join(s.dir, lockName), lock)
}

func (s *Store) readLock() (map[string]record, error) {
	path := filepath.Join(s.dir, lockName)
	raw, err := files.ReadLimited(path, files.MaxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]record{}, nil
	}
	if err != nil {
		return nil, err
	}
	lock := map[string]record{}
	if err := json.Unmarshal(raw, &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lock, nil
}

// hash is the SHA-256 of a file; it stops when ctx ends.
func hash(ctx context.Context, path string) (string, error) {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// reader fails when ctx ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// State is what Verify found about a file.
type State string

// The states.
const (
	Good    State = "good"     // its hash is the manifest's or the recorded one
	Absent  State = "missing"  //
	Damaged State = "damaged"  // its hash is another
	Built   State = "built in" // comes with the program
)

// Status is one file of a model in the store.
type Status struct {
	File  File
	Path  string
	State State
	Err   error // what is wrong with a damaged file
}

// Status tells which files of a model are there, without hashing.
func (s *Store) Status(m Model) []Status {
	var list []Status
	for _, f := range m.Files {
		st := Status{File: f, Path: s.Path(m, f), State: Good}
		if f.Embed != "" {
			st.State = Built
		} else if _, err := os.Stat(st.Path); err != nil {
			st.State = Absent
		}
		list = append(list, st)
	}
	return list
}

// Verify hashes the files of a model that are there; a first hash is recorded.
func (s *Store) Verify(ctx context.Context, m Model) ([]Status, error) {
	list := s.Status(m)
	for i := range list {
		if list[i].State != Good {
			continue
		}
		if err := s.check(ctx, m, list[i].File, true); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			list[i].State, list[i].Err = Damaged, err
		}
	}
	return list, nil
}
