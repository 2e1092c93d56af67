package loop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/data/words"
	"wsss/train/lineage"
	"wsss/train/runlog"
)

// ErrOtherRun is wrapped where a folder holds a training of another config or of
// another folder of labels.
var ErrOtherRun = errors.New("holds another training")

// Resume takes up the newest checkpoint of the training in Dir, or begins a new
// one:
//  1. the checkpoint of another training is refused, or removed if Restart;
//  2. that of this training whose labels, photos or classes have changed since
//     is removed, with a line that says so;
//  3. any other is gone on from, its log cut to what it had then;
//  4. a validation that was cut off is made up for by Run.
//
// Restored tells whether the variables have the checkpoint's values; those of a
// finished training are not read.
func (l *Loop) Resume() (restored bool, err error) {
	l.Meta = l.New
	c, err := checkpoints.Latest(l.Dir, l.Warn)
	if errors.Is(err, checkpoints.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer c.Close()
	if same := l.Same(c.Meta); same {
		changed := Changed(l.Dir, c.Meta, l.New, l.Data, l.Log)
		if changed == "" {
			return l.goOn(c)
		}
		l.Warn(fmt.Sprintf("trained again: %s since %s was trained", changed, l.Dir))
	} else if !l.Restart {
		return false, l.Refuse(l.Dir, c.Meta)
	}
	return false, l.clear()
}

// Refuse is the error of a folder that holds another training, by a checkpoint of
// it: with the keys that differ, where these are known. It wraps ErrOtherRun.
func (i Identity) Refuse(dir string, was checkpoints.Meta) error {
	var keys []string
	if was.Seed != i.New.Seed {
		keys = append(keys, fmt.Sprintf("seed = %d, now %d", was.Seed, i.New.Seed))
	}
	if i.Changes != nil {
		keys = append(keys, i.Changes(was)...)
	}
	if len(keys) == 0 {
		keys = []string{i.Describe(was), "now " + i.Describe(i.New)}
	}
	const most = 6
	if len(keys) > most {
		keys = append(keys[:most], "…")
	}
	return fmt.Errorf("%s %w (%s): remove the folder, or choose another out", dir, ErrOtherRun, strings.Join(keys, "; "))
}

// goOn takes up a checkpoint.
func (l *Loop) goOn(c *checkpoints.Checkpoint) (restored bool, err error) {
	l.Meta, l.Step, l.From, l.Last = c.Meta, c.Meta.Step, c.Meta.Step, c.Path
	l.Meta.DataHash = l.New.DataHash
	if err := l.noteData(); err != nil {
		return false, err
	}
	if l.Meta.LogBytes, err = runlog.Repair(l.logPath(), l.Meta.LogBytes, l.Warn); err != nil {
		return false, err
	}
	if l.Step < l.Total || l.Done == nil || !l.Done() {
		if l.pending, err = l.unvalidated(); err != nil {
			return false, err
		}
	}
	if l.Finished() {
		return false, nil
	}
	if c.Meta.Backend != l.New.Backend {
		l.Warn(fmt.Sprintf("going on with backend %s what began on %s: the result is as good, but not the same to the last bit", l.New.Backend, c.Meta.Backend))
		l.Meta.Backend = l.New.Backend
	}
	l.Log(fmt.Sprintf("going on from step %d", l.Step))
	return true, l.Restore(c)
}

func (l *Loop) logPath() string { return filepath.Join(l.Dir, runlog.File) }

// openLog takes up the log at the step that the training goes on from.
func (l *Loop) openLog() error {
	if err := files.MkdirAll(l.Dir); err != nil {
		return err
	}
	if err := l.noteData(); err != nil {
		return err
	}
	var err error
	l.log, err = runlog.Open(l.logPath(), l.Meta.LogBytes)
	return err
}

// unvalidated tells whether the step that the training goes on from was saved,
// and its validation was not.
func (l *Loop) unvalidated() (bool, error) {
	if !l.validates(l.Step) {
		return false, nil
	}
	f, _, err := files.OpenRegular(l.logPath())
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewReader(io.LimitReader(f, l.Meta.LogBytes))
	for {
		line, err := lines.ReadBytes('\n')
		if l.Validated(line, l.Step) {
			return false, nil
		}
		if err != nil {
			return true, nil // the end; damage is for the reader of the log to tell
		}
	}
}

// noteData writes what is learnt into the training's folder.
func (l *Loop) noteData() error {
	if maps.Equal(lineage.Read(l.Dir), l.Data) {
		return nil
	}
	return l.Data.Write(l.Dir)
}

// Changed says how labels, photos or classes differ from those that the training
// in a folder learnt, "" where they do not. Checkpoints of earlier versions know
// only of labels: what else they learnt is taken for what there is now, and log
// is told.
func Changed(dir string, was, now checkpoints.Meta, data lineage.Record, log func(string)) string {
	if !slices.Equal(was.Model.Classes, now.Model.Classes) {
		return "the class table has changed"
	}
	record := lineage.Read(dir)
	hash := was.DataHash
	if hash == "" && record != nil {
		hash = record.Hash()
	}
	switch {
	case hash == "" && was.Images != now.Images:
		return fmt.Sprintf("%s instead of %d", words.Plural(now.Images, "image"), was.Images)
	case hash == "" && was.LabelsHash == now.LabelsHash:
		log("note: this training is from an earlier version, which did not note its photos and true masks: taken for unchanged; changes from now on are noticed")
		return ""
	case hash == data.Hash() && was.LabelsHash == now.LabelsHash:
		return ""
	}
	if record != nil {
		if text := record.Changes(data); text != "" {
			return text
		}
	}
	return "its labels have changed"
}

// clear deletes what a training wrote to its folder, and nothing else.
func (l *Loop) clear() error {
	entries, err := files.ReadDir(l.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		ours := name == runlog.File || name == lineage.File || slices.Contains(l.Files, name) ||
			strings.HasPrefix(name, "step-") && strings.HasSuffix(name, ".safetensors") ||
			strings.HasPrefix(name, ".tmp-")
		if !ours {
			continue
		}
		if err := files.Remove(filepath.Join(l.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
