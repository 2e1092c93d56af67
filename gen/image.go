package gen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/crash"
	"wsss/data/stages"
)

// perPixel is the memory in bytes, for each pixel of a photo, that making its
// label takes besides what a method bounds by itself: the photo, maps of
// distances and masks.
const perPixel = 24

// one labels one image unless that is done already. claimed is false when
// another process is at it.
func (r *runner) one(ctx context.Context, id string, claim claimFunc) (claimed bool, err error) {
	if r.job != nil && !r.job.Holds(r.part) {
		return true, nil // another process does it
	}
	png, sidecar := r.paths(id)
	found := r.state(id)
	if found != isDone {
		if !claim(ctx, id) {
			return false, nil
		}
		defer r.claims.release(id)
	}
	var did Summary
	if found != isDone && r.claims.exclusive { // it may have been waited for
		found = r.state(id)
	}
	if found == isOld { // where it stays so, it is looked at again next time
		did.Changes.Old = 1
		if err := r.adopt(id, sidecar); err != nil {
			return true, err
		}
		found = isDone
	}
	if found == isDone {
		did.Skipped = 1
	} else if err = r.label(ctx, id, found, &did); err == nil {
		did.Generated = 1
		did.Changes.count(found)
	} else if ctx.Err() == nil {
		did.Failed = 1
		if errors.Is(err, ErrRejected) {
			did.Rejected = 1
		}
		if errors.Is(err, ErrUnlabelled) {
			did.Failed, did.Unlabelled, err = 0, 1, nil
		}
		// What an earlier configuration left must not pass for this one's.
		err = errors.Join(err, ignoreMissing(files.Remove(sidecar)), ignoreMissing(files.Remove(png)))
	}
	r.count(did)
	if err == nil {
		r.finished(id)
	}
	return true, err
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

func (r *runner) paths(id string) (png, sidecar string) {
	base := filepath.Join(r.OutDir, id) // checked by unique
	return base + ".png", base + ".json"
}

// state tells whether the image has a label of this configuration, these
// weights and the data as they are, whole: the sidecar is written last and holds
// the PNG's checksum, so a PNG that another run or a failing disk changed is
// made again. Data that cannot be read is for label to tell of.
func (r *runner) state(id string) state {
	png, sidecar := r.paths(id)
	raw, err := readBounded(sidecar)
	if errors.Is(err, fs.ErrNotExist) {
		return isNew
	}
	var m made
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return isDamaged
	}
	now, err := r.origin(id)
	if err != nil {
		return isRelabelled
	}
	if found := r.compare(m, now); found != isDone && found != isOld {
		return found
	} else if raw, err = readBounded(png); err != nil || files.SHA256Of(raw) != m.SHA256 {
		return isDamaged
	} else {
		return found
	}
}

func (r *runner) origin(id string) (Origin, error) {
	return originOf(r.Dataset, id, r.Weak, r.table, r.Method, r.Hashes)
}

// adopt notes in a sidecar of an earlier version what the data behind its label
// is now, so that changes from now on are noticed.
func (r *runner) adopt(id, sidecar string) error {
	raw, err := readBounded(sidecar)
	if err != nil {
		return err
	}
	var s Sidecar
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("%s: %w", sidecar, err)
	}
	now, err := r.origin(id)
	if err != nil {
		return err
	}
	s.Origin, s.Inputs = &now, nil
	return files.WriteJSON(sidecar, s)
}

// label makes and writes one image's label. A panic of the dataset or method
// becomes an error.
func (r *runner) label(ctx context.Context, id string, found state, did *Summary) (err error) {
	defer crash.Catch(&err)
	watch := time.Now()
	lap := func() time.Duration {
		took := time.Since(watch)
		watch = watch.Add(took)
		return took
	}
	origin, err := r.origin(id) // before the data is read: a change from now on is noticed
	if err != nil {
		return err
	}
	clock := &stages.Clock{}
	ctx = stages.With(ctx, clock)
	want := data.WantImage
	if r.Weak != data.WeakNone {
		want |= data.WantWeak
	}
	defer data.Hold(r.Dataset, id, perPixel)()
	sample, err := r.Dataset.Load(id, want)
	if err != nil {
		return err
	}
	if err := sample.Weak.CheckBoxes(sample.Image.Rect.Size(), r.Dataset.Classes()); err != nil {
		return fmt.Errorf("labels of %s: %w", id, err)
	}
	did.Times.Decode = lap()
	made, err := r.produce(ctx, sample)
	if err != nil {
		return err
	}
	did.Times.Fuse = made.fusing
	making := lap() - made.fusing
	label, masks := made.label, made.masks
	signs := assess(label, masks, sample.Weak)
	if made.corrected == "" {
		if err := r.check(ctx, sample, label, signs); err != nil {
			return err
		}
	}
	did.Times.split(making+lap(), clock.Times())
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.write(id, found, origin, label, masks, signs, made.corrected); err != nil {
		return err
	}
	did.Times.Write = lap()
	did.Masks = len(masks)
	if len(masks) == 0 {
		did.Empty = 1
	}
	if made.corrected != "" {
		did.Corrected = 1
	}
	for _, m := range masks {
		if m.Note != "" {
			did.Noted++
		}
	}
	return nil
}

func (r *runner) fuse(size image.Point, masks []Mask) (*data.LabelMap, error) {
	for i, m := range masks {
		if (m.Class < 0 || m.Class >= r.classes.Len()) && m.Class != data.Ignore {
			return nil, fmt.Errorf("method %s made mask %d of class %d: allowed are 0..%d", r.Name, i, m.Class, r.classes.Len()-1)
		}
	}
	return r.fuser.Fuse(size, masks)
}

// write commits a label: the PNG, then the sidecar. An old sidecar goes first,
// or it would vouch for the new PNG if we were killed in between. found is what
// there was.
func (r *runner) write(id string, found state, origin Origin, label *data.LabelMap, masks []Mask, signs Signs, corrected string) error {
	png, sidecar := r.paths(id)
	var buf bytes.Buffer
	if err := data.EncodeLabelMap(&buf, label); err != nil {
		return err
	}
	if found != isNew {
		if err := ignoreMissing(files.Remove(sidecar)); err != nil {
			return err
		}
	}
	if err := files.WriteAtomic(png, func(w io.Writer) error { _, err := w.Write(buf.Bytes()); return err }); err != nil {
		return err
	}
	side := newSidecar(id, label, files.SHA256Of(buf.Bytes()), r.source, r.classes, masks)
	side.Origin, side.Quality, side.Corrected = &origin, signs, corrected
	return files.WriteJSON(sidecar, side)
}

// check adds the signs that tell how the label changes with the image.
func (r *runner) check(ctx context.Context, s *data.Sample, label *data.LabelMap, signs Signs) error {
	if len(r.inputs) > 0 {
		return nil
	}
	for _, name := range r.Checks {
		changed, back := views[name](s)
		masks, err := r.generate(ctx, changed)
		if err != nil {
			return fmt.Errorf("check %s: %w", name, err)
		}
		other, err := r.fuse(changed.Image.Rect.Size(), masks)
		if err != nil {
			return fmt.Errorf("check %s: %w", name, err)
		}
		signs[name] = LabelAgreement(label, back(other))
		signs.rate()
	}
	return nil
}

// count adds one image's work to the summary and reports progress.
func (r *runner) count(did Summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	addCounts(&r.summary, did)
	r.tell(did)
}
