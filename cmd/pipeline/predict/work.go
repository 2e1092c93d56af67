package predict

import (
	"context"
	"errors"
	"fmt"
	"image"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"

	"wsss/data"
	"wsss/data/augment"
	"wsss/data/crash"
	decoder "wsss/data/photo"
	"wsss/eval/export"
	"wsss/gen"
	"wsss/models"
	"wsss/models/tiles"
)

// labelling is the work of one call.
type labelling struct {
	predictor models.Predictor
	of        func(photo Photo, size image.Point) (models.Predictor, error) // instead of it, where each photo has its own
	weak      data.WeakKind                                                 // of labels that of reads
	photos    []Photo
	cut       tiles.Options // of large photos
	maxSide   int           // see smaller
	writers   []export.Writer
	slots     chan struct{} // a place per photo that is labelled, refined or written
	refining  chan struct{} // a place per photo that is refined

	done   *finished                         // notes what is labelled; may be nil
	before int                               // photos that a stopped call has labelled
	labels func(photo Photo) ([]byte, error) // the labels that of reads, to tell whether they change

	shrunk, tiled int // photos that were labelled so

	mu         sync.Mutex
	failed     map[int]error // photos that were left out
	unlabelled []string      // photos without the labels that a method works from
}

// run labels all images. It ends early where a label cannot be written, with
// the error of the first such image in order.
func (l *labelling) run(ctx context.Context, progress func(done, total int)) error {
	reading, cancel := context.WithCancel(ctx)
	next := decodeAhead(reading, l.photos, l.stamp, l.memory())
	defer func() {
		cancel()
		for d := range next {
			d.release()
		}
	}()
	var writing sync.WaitGroup
	var first data.FirstError // of writing: of images that cannot be labelled leaveOut keeps all
	for i := range l.photos {
		d, ok := <-next
		if !ok || ctx.Err() != nil || first.Before(i) {
			if ok {
				d.release()
			}
			break
		}
		l.slots <- struct{}{}
		var rest func(ctx context.Context) (*data.LabelMap, error)
		err := crash.Do(func() (err error) { rest, err = l.begin(ctx, i, d); return err })
		if err != nil {
			d.release()
			<-l.slots
			l.leaveOut(ctx, i, err)
		} else {
			writing.Go(func() {
				defer func() { d.release(); <-l.slots }()
				l.refining <- struct{}{}
				var label *data.LabelMap
				err := crash.Do(func() (err error) { label, err = rest(ctx); return err })
				<-l.refining
				if err != nil {
					l.leaveOut(ctx, i, err)
				} else if !first.Before(i) {
					first.Add(i, crash.Do(func() error { return l.save(i, d.img, label, d.stamp) }))
				}
			})
		}
		progress(i+1, len(l.photos))
	}
	writing.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return first.Err()
}

// begin starts on a photo; what it gives ends the work beside the next photos.
func (l *labelling) begin(ctx context.Context, i int, d decoded) (func(ctx context.Context) (*data.LabelMap, error), error) {
	if d.err != nil {
		return nil, d.err
	}
	size := d.img.Rect.Size()
	if l.of != nil {
		own, err := l.of(l.photos[i], size)
		if err != nil {
			return nil, err
		}
		return models.Begin(ctx, own, d.img)
	}
	at := smaller(size, l.maxSide)
	if at != size {
		l.shrunk++
	}
	if l.cut.Cuts(at) {
		l.tiled++
	}
	return beginAt(ctx, l.predictor, d.img, at)
}

// save writes the labels of a photo in all formats, and notes that it is done.
func (l *labelling) save(i int, img *image.NRGBA, label *data.LabelMap, stamp string) error {
	for _, w := range l.writers {
		if err := w.Add(l.photos[i].ID, img, label); err != nil {
			return fmt.Errorf("%s: %w", l.photos[i].Path, err)
		}
	}
	return l.done.add(l.photos[i].ID, stamp)
}

// leaveOut notes an image that failed, unless that is because of Ctrl-C.
func (l *labelling) leaveOut(ctx context.Context, i int, err error) {
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, gen.ErrUnlabelled) {
		l.unlabelled = append(l.unlabelled, l.photos[i].Path)
		return
	}
	if l.failed == nil {
		l.failed = map[int]error{}
	}
	l.failed[i] = err
}

// leftOut lists the photos that were left out, one per line; nil where there are
// none.
func (l *labelling) leftOut() error {
	if n := len(l.unlabelled); n > 0 && n == len(l.photos) {
		return fmt.Errorf("no photo is labelled: none has %s", l.weak)
	}
	if len(l.failed) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d images are not labelled:", len(l.failed), len(l.photos))
	for _, i := range slices.Sorted(maps.Keys(l.failed)) {
		line := l.failed[i].Error()
		if path := l.photos[i].Path; !strings.Contains(line, path) {
			line = path + ": " + line
		}
		text += "\n  " + line
	}
	return errors.New(text)
}

// decoded is an image, and what gives its memory back.
type decoded struct {
	img     *image.NRGBA
	err     error
	stamp   string // of the photo and its labels, taken before they are read
	release func()
}

// heldBytes bounds the memory of the photos that are decoded, labelled or
// written at a time: two of 48 megapixels, or one larger one.
const heldBytes = 512 << 20

// memory bounds what photos take; methods hold several maps of a photo beside it.
func (l *labelling) memory() (reserve func(pixels int64) (release func())) {
	bytes, perPixel := int64(heldBytes), int64(5) // the pixels and their labels
	if l.of != nil {
		bytes, perPixel = 4*heldBytes, 5+24
	}
	budget := decoder.NewBudget(bytes)
	return func(pixels int64) func() { return budget.Reserve(perPixel * pixels) }
}

// decodeAhead reads the images in order, two ahead of the reader at most.
func decodeAhead(ctx context.Context, photos []Photo, stamp func(photo Photo) string, reserve func(pixels int64) (release func())) <-chan decoded {
	out := make(chan decoded, 2)
	go func() {
		defer close(out)
		for _, photo := range photos {
			var d decoded
			var size image.Point
			d.err = crash.Do(func() (err error) {
				d.stamp = stamp(photo)
				size, err = data.ImageSize(photo.Path)
				return err
			})
			d.release = reserve(int64(size.X) * int64(size.Y))
			if d.err == nil {
				d.err = crash.Do(func() (err error) { d.img, err = data.ReadImage(photo.Path); return err })
			}
			select {
			case out <- d:
			case <-ctx.Done():
				d.release()
				return
			}
		}
	}()
	return out
}

// smaller is the size at which a photo is labelled: maxSide, where it is not 0,
// bounds the long side.
func smaller(size image.Point, maxSide int) image.Point {
	long := max(size.X, size.Y)
	if maxSide == 0 || long <= maxSide {
		return size
	}
	scale := float64(maxSide) / float64(long)
	return image.Pt(max(int(float64(size.X)*scale), 1), max(int(float64(size.Y)*scale), 1))
}

// beginAt is models.Begin on the photo at a smaller size; the label map is
// enlarged to the photo's.
func beginAt(ctx context.Context, p models.Predictor, img *image.NRGBA, at image.Point) (func(ctx context.Context) (*data.LabelMap, error), error) {
	size := img.Rect.Size()
	if at == size {
		return models.Begin(ctx, p, img)
	}
	small := image.NewNRGBA(image.Rectangle{Max: at})
	draw.BiLinear.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
	rest, err := models.Begin(ctx, p, small)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*data.LabelMap, error) {
		label, err := rest(ctx)
		if err != nil {
			return nil, err
		}
		out := data.NewLabelMap(size.X, size.Y)
		augment.ResizeLabels(out.Pix, out.W, out.H, label.Pix, label.W, label.H)
		return out, nil
	}, nil
}
