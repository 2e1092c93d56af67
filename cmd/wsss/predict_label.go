package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"

	"wsss/data"
	"wsss/data/augment"
	"wsss/eval"
	"wsss/eval/export"
)

// labelling is the work of one wsss predict.
type labelling struct {
	predictor eval.Predictor
	images    []input
	scores    int // of a pixel that are in memory
	maxSide   int // see smaller
	writers   []export.Writer
	slots     chan struct{} // a place per image that is labelled, refined or written
	refining  chan struct{} // a place per image that is refined

	large int // photos that were labelled at a smaller size

	mu     sync.Mutex
	failed map[int]error // images that were left out
}

// run labels all images. It ends early where a label cannot be written, with
// the error of the first such image in order.
func (l *labelling) run(ctx context.Context, progress func(done, total int)) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	next := decodeAhead(reading, l.images)
	var writing sync.WaitGroup
	var first data.FirstError // of writing: of images that cannot be labelled leaveOut keeps all
	for i := range l.images {
		d, ok := <-next
		if !ok || ctx.Err() != nil || first.Before(i) {
			break
		}
		l.slots <- struct{}{}
		rest, err := l.begin(ctx, d)
		if err != nil {
			<-l.slots
			l.leaveOut(ctx, i, err)
		} else {
			writing.Go(func() {
				defer func() { <-l.slots }()
				l.refining <- struct{}{}
				label, err := rest(ctx)
				<-l.refining
				if err != nil {
					l.leaveOut(ctx, i, err)
				} else if !first.Before(i) {
					first.Add(i, l.write(i, d.img, label))
				}
			})
		}
		progress(i+1, len(l.images))
	}
	writing.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return first.Err()
}

func (l *labelling) begin(ctx context.Context, d decoded) (func(ctx context.Context) (*data.LabelMap, error), error) {
	if d.err != nil {
		return nil, d.err
	}
	size := d.img.Rect.Size()
	at := smaller(size, l.scores, l.maxSide)
	if at != size {
		l.large++
	}
	return beginAt(ctx, l.predictor, d.img, at)
}

func (l *labelling) write(i int, img *image.NRGBA, label *data.LabelMap) error {
	for _, w := range l.writers {
		if err := w.Add(l.images[i].id, img, label); err != nil {
			return fmt.Errorf("%s: %w", l.images[i].path, err)
		}
	}
	return nil
}

// leaveOut notes an image that failed, unless that is because of Ctrl-C.
func (l *labelling) leaveOut(ctx context.Context, i int, err error) {
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = map[int]error{}
	}
	l.failed[i] = err
}

// left lists the images that were left out, one per line; nil where there are
// none.
func (l *labelling) left() error {
	if len(l.failed) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d images are not labelled:", len(l.failed), len(l.images))
	for _, i := range slices.Sorted(maps.Keys(l.failed)) {
		line := l.failed[i].Error()
		if path := l.images[i].path; !strings.Contains(line, path) {
			line = path + ": " + line
		}
		text += "\n  " + line
	}
	return errors.New(text)
}

type decoded struct {
	img *image.NRGBA
	err error
}

// decodeAhead reads the images in order, two ahead of the reader.
func decodeAhead(ctx context.Context, images []input) <-chan decoded {
	out := make(chan decoded, 2)
	go func() {
		defer close(out)
		for _, in := range images {
			img, err := data.ReadImage(in.path)
			select {
			case out <- decoded{img, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// maxScores bounds the scores, one for each pixel and class, of a photo that is
// labelled as it is: some 60 bytes each are in use at a time.
const maxScores = 1 << 26

// smaller is the size at which a photo is labelled, its own where that is
// small enough: maxSide bounds the long side, and where it is 0 maxScores the
// area.
func smaller(size image.Point, scores, maxSide int) image.Point {
	scale := math.Sqrt(maxScores / (float64(size.X) * float64(size.Y) * float64(scores)))
	if maxSide > 0 {
		scale = float64(maxSide) / float64(max(size.X, size.Y))
	}
	if scale >= 1 {
		return size
	}
	return image.Pt(max(int(float64(size.X)*scale), 1), max(int(float64(size.Y)*scale), 1))
}

// beginAt is eval.Begin on the photo at a smaller size; the label map is
// enlarged to the photo's.
func beginAt(ctx context.Context, p eval.Predictor, img *image.NRGBA, at image.Point) (func(ctx context.Context) (*data.LabelMap, error), error) {
	size := img.Rect.Size()
	if at == size {
		return eval.Begin(ctx, p, img)
	}
	small := image.NewNRGBA(image.Rectangle{Max: at})
	draw.BiLinear.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
	rest, err := eval.Begin(ctx, p, small)
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
