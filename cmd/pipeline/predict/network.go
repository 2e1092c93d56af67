package predict

import (
	"cmp"
	"context"
	"image"
	"runtime"
	"slices"

	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/names"
	"wsss/eval"
	"wsss/eval/refine"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/crf"
	"wsss/models/tiles"
)

// Network labels photos by a trained network.
type Network struct {
	Checkpoint string // a file, or a folder of checkpoints, whose last one is taken
	Scales     string // whose scores are averaged, separated by commas
	Flip       bool   // also average with the mirrored photo
	Bucket     int    // sides go to about multiples of so many pixels; 0 = by engine
	CRF        bool   // refine with a dense CRF
	MaxSide    int    // photos whose long side has more pixels are shrunk to it first, and their labels enlarged; 0 = none
	Tile       int    // side in pixels of the tiles of large photos; 0 = by memory
}

// check refuses values that no network has a use for.
func (n Network) check() error {
	switch {
	case n.Bucket < 0 || n.Bucket > 512:
		return pipeline.Usagef("predict: -bucket %d: allowed are 0..512 pixels: 1 for every photo's own size, 0 for what suits the engine", n.Bucket)
	case n.MaxSide < 0:
		return pipeline.Usagef("predict: -max-side %d: allowed is a number of pixels, or 0", n.MaxSide)
	case n.Tile != 0 && (n.Tile < 64 || n.Tile > 8192):
		return pipeline.Usagef("predict: -tile %d: allowed are 64..8192 pixels, or 0", n.Tile)
	}
	return nil
}

// Label labels the photos that args name (see List, whose list it is given), one after
// the other; the next ones are decoded and the last ones written while the network
// runs. Photos that cannot be read or labelled are left out, and listed in the error
// at the end. A stopped call goes on where it was.
func (n Network) Label(ctx context.Context, run *pipeline.Run, args []string, list func(args []string) ([]Photo, error), o Output) error {
	if err := pipeline.NetsExist(n.Checkpoint); err != nil {
		return err
	}
	photos, err := list(args)
	if err != nil {
		return err
	}
	if err := KeepPhotos(photos, o.Dir, o.Formats); err != nil {
		return err
	}
	e := &run.Config.Eval
	if e.Scales, err = parseScales(n.Scales); err != nil {
		return err
	}
	e.Flip, e.Bucket = n.Flip, n.Bucket
	if err := n.check(); err != nil {
		return err
	}
	return n.label(ctx, run, photos, o)
}

func (n Network) label(ctx context.Context, run *pipeline.Run, photos []Photo, o Output) error {
	if err := names.MarkOutput(o.Dir); err != nil {
		return err
	}
	pipeline.NoteStale(ctx, n.Checkpoint, run.Options)
	net, err := run.LoadNetwork(n.Checkpoint)
	if err != nil {
		return err
	}
	defer net.Close()
	classes := net.Meta.Model.Classes
	l := labelling{predictor: net, photos: photos, maxSide: n.MaxSide, cut: n.cut(len(classes)),
		slots: make(chan struct{}, 1+runtime.GOMAXPROCS(0)), refining: make(chan struct{}, eval.Refiners())}
	if n.CRF {
		l.predictor = &refine.CRF{Net: net, Classes: len(classes), Params: crf.DeepLab()}
		l.slots = make(chan struct{}, 2+eval.Refiners()) // else many photos' scores would wait
	}
	l.predictor = tiles.Wrap(l.predictor, l.cut)
	if backend.KindOf(run.Backend) == backend.XLA {
		l.photos = byShape(net, photos, n.MaxSide)
	}
	sum, err := pipeline.CheckpointHash(n.Checkpoint)
	if err != nil {
		return err
	}
	e := run.Config.Eval
	about := []any{sum, run.Backend.Name(), e.Scales, e.Flip, e.Bucket, n.CRF, n.MaxSide, n.Tile}
	return l.write(ctx, run, "predict", data.Classes{Names: classes}, o, about)
}

// cut is how photos are cut that the network of so many classes cannot see
// whole.
func (n Network) cut(classes int) tiles.Options {
	o := pipeline.TileOptions(classes, n.CRF)
	if n.Tile > 0 {
		o.Side, o.Overlap, o.Pixels = n.Tile, n.Tile/6, min(o.Pixels, n.Tile*n.Tile)
	}
	return o
}

// byShape orders photos so that those follow each other that the network sees
// at one shape, and XLA compiles once for.
func byShape(net models.Shaper, photos []Photo, maxSide int) []Photo {
	type sized struct {
		Photo
		shape image.Point
	}
	list := make([]sized, len(photos))
	for i, photo := range photos {
		list[i].Photo = photo
		if size, err := data.ImageSize(photo.Path); err == nil { // else reading it says what is wrong
			list[i].shape = net.Shape(smaller(size, maxSide))
		}
	}
	slices.SortStableFunc(list, func(a, b sized) int {
		return cmp.Or(cmp.Compare(a.shape.X, b.shape.X), cmp.Compare(a.shape.Y, b.shape.Y))
	})
	out, shapes := make([]Photo, len(list)), make([]image.Point, len(list))
	for i, s := range list {
		out[i], shapes[i] = s.Photo, s.shape
	}
	if f, ok := net.(models.Foreseer); ok {
		f.Foresee(shapes)
	}
	return out
}
