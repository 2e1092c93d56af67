package gen

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wsss/checkpoints/files"
	"wsss/checkpoints/jobs"
	"wsss/configs"
	"wsss/data"
	"wsss/data/words"
)

// RunOptions says what Run makes, and where.
type RunOptions struct {
	Dataset data.Dataset
	Split   string
	Method  Method
	Name    string // the method's registered name
	Weak    data.WeakKind
	Fuse    configs.Fuse
	OutDir  string

	// ConfigHash identifies everything that the labels depend on
	// (configs.Config.GenHash): images labelled under the same hash are
	// skipped, others made again. Required.
	ConfigHash string
	Config     string            // text of the config, kept in the manifest
	Weights    map[string]string // weight file → SHA-256, for provenance
	Versions   map[string]string // module or program → version, for provenance

	// Checks labels changed images too, for the signs of quality of these names
	// (configs.Gen.Checks). Methods that read files by image id are not asked:
	// their files stay the same.
	Checks []string

	Hashes *files.Hashes // remembers hashes of the data between runs; may be nil

	// Env is what the method was made from: GrabCut is made from it where
	// somebody corrected prompts and the method takes none.
	Env Env

	// Others are the method again, each on a device of its own. Images go to
	// the one that has the fewest; which one it is changes nothing.
	Others []Method

	// Job, where it is not nil, divides the split with the other processes of a
	// job. It goes on after images that fail, and returns when all of the split
	// is done, here or elsewhere.
	Job *Job

	Workers   int                   // images in flight; 0 = one per CPU
	Shard     Shard                 // the part of the split to do
	ByShape   bool                  // images of one size follow each other, for an engine that compiles for each
	KeepGoing bool                  // go on after an image that fails
	Progress  func(done, total int) // called after each image, one call at a time; may be nil
	Learning  func(done, total int) // the same while the method learns from the split (Learner); may be nil
}

// Summary counts what a run did.
type Summary struct {
	Images    int // of the shard
	Generated int
	Skipped   int // done before, by this or another process
	Failed    int
	Masks     int // in the generated images
	Noted     int // masks among them that carry a note
	Empty     int // generated images without a mask

	Corrected  int // generated images of which a person corrected something
	Unlabelled int // left out, as they have none of the weak labels; they get no label
	Rejected   int // of these, those that a person rejected
	Changes    Changes
	Grown      bool // the split has other images than when the folder was last worked on
	Times      Times
}

// Failure is an image that could not be labelled.
type Failure struct {
	ID  string
	Err error
}

func (f Failure) Error() string { return fmt.Sprintf("%s: %v", f.ID, f.Err) }

func (f Failure) Unwrap() error { return f.Err }

// FailedError lists the images that failed in a run that kept going, in the
// order of the split.
type FailedError struct{ Failures []Failure }

// mostNamed bounds the lines of the error of a run in which many images failed.
const mostNamed = 1000

func (e *FailedError) Error() string {
	msg := words.Plural(len(e.Failures), "image") + " failed:"
	for i, f := range e.Failures {
		if i == mostNamed {
			return msg + fmt.Sprintf("\n  and %d more", len(e.Failures)-i)
		}
		msg += "\n  " + f.Error()
	}
	return msg
}

// Run labels the images of a split: for each one <OutDir>/<id>.png, an indexed
// PNG, and <OutDir>/<id>.json, its Sidecar. Workers images are in memory at a
// time, however many there are. Files appear whole or not at all, and their
// bytes depend neither on the number of workers, processes or shards nor on
// how often the run was killed and begun again.
//
// Several processes may work on one folder. Where the file system has locks
// none does what another is doing, and each returns when all is done.
//
// Images without the weak labels that the method works from are left out; it
// is an error where all are.
//
// Run stops at the first image that fails with a Failure; with
// KeepGoing it does the others and returns a *FailedError. When ctx ends, Run
// leaves the folder as a later run can take it up, and returns ctx's error.
// The Summary is right in every case.
func Run(ctx context.Context, o RunOptions) (Summary, error) {
	r, ids, err := prepare(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	defer r.claims.close()
	if r.job == nil {
		err = r.work(ctx, ids)
	} else {
		err = r.workJob(ctx, ids)
		r.job.Leave(err)
	}
	return r.summary, err
}

// runner is a run in progress.
type runner struct {
	RunOptions
	fuser    Fuser
	prompter func() (Prompter, error)
	classes  data.Classes
	table    string // hash of the class table
	source   Provenance
	inputs   map[string]string // folders that the method reads, for the manifest
	all      []string          // ids of the whole split
	claims   *claims
	job      *jobs.Job // nil without RunOptions.Job
	part     jobs.Part // of the job, at present
	front    *front    // … and how far it is

	devices data.Balance
	looked  atomic.Int64 // nanoseconds since 1970: when the manifest was last looked at

	mu      sync.Mutex // guards summary and calls of Progress
	summary Summary
	at      place
}

// prepare checks the options, makes the output folder and describes it.
func prepare(ctx context.Context, o RunOptions) (*runner, []string, error) {
	for _, c := range o.Checks {
		if views[c] == nil {
			return nil, nil, fmt.Errorf("gen.checks: %q is unknown: allowed are flip, scale", c)
		}
	}
	r, ids, err := o.runner()
	if err != nil {
		return nil, nil, err
	}
	if err := files.MkdirAll(o.OutDir); err != nil {
		return nil, nil, err
	}
	if err := refuseForeign(o.OutDir); err != nil {
		return nil, nil, err
	}
	if r.claims, err = openClaims(o.OutDir); err != nil {
		return nil, nil, err
	}
	if err := r.describe(ctx); err != nil {
		r.claims.close()
		return nil, nil, err
	}
	if err := errors.Join(r.join(ctx, ids), r.learn(ctx)); err != nil {
		if r.job != nil {
			r.job.Leave(err)
		}
		r.claims.close()
		return nil, nil, err
	}
	r.summary.Images = len(ids)
	return r, ids, nil
}

// runner checks the options and lists the images of the shard. It writes
// nothing.
func (o RunOptions) runner() (*runner, []string, error) {
	if o.ConfigHash == "" {
		return nil, nil, errors.New("gen: the run has no config hash, so finished images could not be told from old ones")
	}
	fuser, err := NewFuser(o.Fuse, o.Dataset.Classes())
	if err != nil {
		return nil, nil, err
	}
	if err := data.CheckWeak(o.Dataset, o.Weak); err != nil {
		return nil, nil, fmt.Errorf("gen.weak = %q: %w", o.Weak, err)
	}
	all, err := o.Dataset.IDs(o.Split)
	if err != nil {
		return nil, nil, err
	}
	classes := o.Dataset.Classes()
	r := &runner{RunOptions: o, fuser: fuser, classes: classes, table: hashOf(classes.Names), all: all, source: Provenance{
		Method: o.Name, Weak: o.Weak, ConfigHash: o.ConfigHash, Fuse: o.Fuse, Weights: o.Weights, Versions: o.Versions,
	}}
	r.prompter = r.prompters()
	if in, ok := o.Method.(Reader); ok {
		if r.inputs, err = in.Inputs(); err != nil {
			return nil, nil, err
		}
	}
	ids, err := r.unique(o.Shard.Of(all))
	return r, ids, err
}

// describe writes the folder's manifest.
func (r *runner) describe(ctx context.Context) error {
	files.SweepAll(r.OutDir) // what killed processes left half written
	if !r.claims.wait(ctx, ManifestName) {
		return ctx.Err()
	}
	defer r.claims.release(ManifestName)
	about := r.source
	about.Inputs = r.inputs
	now := Manifest{
		Provenance: about, Dataset: r.Dataset.Name(), Split: r.Split, Images: len(r.all),
		Classes: r.classes.Names, Config: r.Config,
	}
	before, err := ReadManifest(r.OutDir)
	if err == nil && before.Split == r.Split {
		r.summary.Grown = before.Images != len(r.all)
	}
	if err == nil && hashOf(before) == hashOf(now) { // another process of the same run wrote it
		return nil
	}
	return files.WriteJSON(filepath.Join(r.OutDir, ManifestName), now)
}

// lookEvery is the time between two looks at the manifest.
var lookEvery = 10 * time.Second

// replaced is an error where another configuration began to fill the folder
// meanwhile: its labels and ours would be mixed.
func (r *runner) replaced() error {
	last, now := r.looked.Load(), time.Now().UnixNano()
	if now-last < int64(lookEvery) || !r.looked.CompareAndSwap(last, now) {
		return nil
	}
	m, err := ReadManifest(r.OutDir)
	if err != nil || m.ConfigHash == r.ConfigHash {
		return nil
	}
	return fmt.Errorf("%s: a run of another config began here meanwhile (%s from %s, config %s; this one has %s) and replaces these labels: choose another out for one of the two",
		files.Address(r.OutDir), m.Method, m.Weak, m.ConfigHash, r.ConfigHash)
}

// manifestID is the id whose sidecar would have the manifest's name.
var manifestID = strings.TrimSuffix(ManifestName, ".json")

// CheckID refuses ids that name no file, and those whose label would overwrite a file
// of the run's own.
func CheckID(id string) error {
	if id == "" || strings.Contains(id, ".") && filepath.Clean(id) == "." { // "a/.." too
		return fmt.Errorf("image id %q names no file", id)
	}
	if id == manifestID {
		return fmt.Errorf("image id %q: its sidecar would overwrite the run's %s", id, ManifestName)
	}
	return nil
}

// unique drops repeated ids and refuses those that are no file name, or that
// would name the manifest.
func (r *runner) unique(ids []string) ([]string, error) {
	seen := make(map[string]bool, len(ids))
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if err := files.CheckInside(r.OutDir, id); err != nil {
			return nil, err
		}
		if err := CheckID(id); err != nil {
			return nil, err
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out, nil
}

// refuseForeign protects label folders that were not made by Run, such as the
// true masks, from being written over.
func refuseForeign(dir string) error {
	manifest := filepath.Join(dir, ManifestName)
	if _, err := files.Stat(manifest); err == nil {
		return nil
	}
	entries, err := files.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) == ".png" }) {
		return err
	}
	// Looked for after the PNGs: another process may just have begun here, and
	// it writes its manifest before its first PNG.
	if _, err := files.Stat(manifest); err == nil {
		return nil
	}
	return fmt.Errorf("%s holds PNGs but no %s: they were not made by a run, and are not written over; choose another folder", dir, ManifestName)
}

// work goes through the ids: first those that nobody else works on, then the
// rest. Labels of images that are gone go first.
func (r *runner) work(ctx context.Context, ids []string) error {
	if r.Shard.Index == 0 {
		if err := r.retire(ctx); err != nil {
			return err
		}
	}
	var fails failures
	if err := r.through(ctx, r.shaped(ids), &fails); err != nil {
		return err
	}
	if n := r.summary.Unlabelled; n > 0 && n == len(ids) && n > r.summary.Rejected && r.Shard.Count <= 1 {
		return fmt.Errorf("no label in %s of split %q: %w", words.Plural(n, "image"), r.Split, Unlabelled(r.Weak))
	}
	return fails.inOrder(ids)
}

// shaped is ids in the order in which they are worked on.
func (r *runner) shaped(ids []string) []string {
	if !r.ByShape {
		return ids
	}
	list := make([]string, len(ids))
	for i, at := range data.ByShape(r.Dataset, ids, func(size image.Point) image.Point { return size }) {
		list[i] = ids[at]
	}
	return list
}

// through labels the images that nobody else works on, then the rest.
func (r *runner) through(ctx context.Context, ids []string, fails *failures) error {
	busy, err := r.pass(ctx, ids, r.claims.try, fails)
	if err == nil && len(busy) > 0 {
		_, err = r.pass(ctx, busy, r.claims.wait, fails)
	}
	return err
}

// claimFunc claims an image for this process; false means that somebody else
// has it, or that ctx ended.
type claimFunc func(ctx context.Context, id string) bool

// pass gives each id to one of the workers. It returns the ids that could not
// be claimed, and without KeepGoing the first failure in the order of ids.
func (r *runner) pass(ctx context.Context, ids []string, claim claimFunc, fails *failures) (busy []string, err error) {
	unclaimed := make([]bool, len(ids))
	err = data.ParallelContext(ctx, len(ids), data.Workers(r.Workers), nil, func(inner context.Context, _, i int) error {
		if err := r.replaced(); err != nil {
			return err
		}
		claimed, err := r.one(inner, ids[i], claim)
		unclaimed[i] = !claimed
		if err == nil || inner.Err() != nil {
			return inner.Err()
		}
		fails.add(ids[i], err)
		if r.KeepGoing {
			return nil
		}
		return Failure{ids[i], err}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if unclaimed[i] {
			busy = append(busy, id)
		}
	}
	return busy, nil
}

// failures collects what went wrong.
type failures struct {
	mu   sync.Mutex
	list []Failure
}

func (f *failures) add(id string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, Failure{id, err})
}

// inOrder is a FailedError with the failures in the order of ids, or nil.
func (f *failures) inOrder(ids []string) error {
	if len(f.list) == 0 {
		return nil
	}
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(f.list, func(a, b Failure) int { return place[a.ID] - place[b.ID] })
	return &FailedError{f.list}
}
