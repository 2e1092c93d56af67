package retrieve

import (
	"os"
	"slices"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/metrics"
	_ "wsss/data/scenes"
	"wsss/gen"
	_ "wsss/gen/promptsam"
	"wsss/gen/segments"
	"wsss/gen/source"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/features"
	"wsss/models/nearest"
)

// scene is a generated photo with all that retrieval works from.
type scene struct {
	*data.Sample
	features *features.Map
	grid     []data.RLE     // SAM's masks of everything
	given    *data.LabelMap // the labels that fill the bank, and their masks
	parts    []data.RLE
}

// lab is a split of scenes with a method that names them.
type lab struct {
	*testing.T
	classes data.Classes
	scenes  []*scene
	m       *method
}

// scenesOf are those of configs/tables/scenes_retrieve.toml.
func scenesOf(t *testing.T, seed int64) *lab {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	ds, err := data.Open("scenes", data.Options{Root: t.TempDir(), Seed: seed, Extra: map[string]any{"train": 24, "val": 0, "min_size": 144, "max_size": 144}})
	check(err)
	ids, err := ds.IDs("train")
	check(err)
	b := backendtest.One(t)
	o := defaults()
	o.MinArea, o.Erode, o.Empty = 30, 2, emptyAllow
	env := gen.Env{Backend: b, Classes: ds.Classes(), Weak: data.WeakTags, Seed: seed}
	net, err := features.Table{Network: "../../models/resnet/tiny/resnet18_w025_scenes.safetensors", Side: 60, Stride: 8}.Open(b, "features")
	check(err)
	l := &lab{T: t, classes: ds.Classes(), m: &method{opts: o, env: env, net: net}}
	grid, err := segments.Open(env, segments.Options{Method: "sam-auto", Options: m{"sam": "tiny-sam", "max_shapes": int64(64),
		"auto": m{"points_per_side": int64(8), "pred_iou_thresh": 0.5, "stability_score_thresh": 0.5}}}, true)
	check(err)
	from, err := source.Open(env, "from", source.Options{Method: "grounded-sam", Options: m{"sam": "tiny-sam", "max_shapes": int64(64), "gdino": "tiny-gdino", "mask": "overlap", "crop": true,
		"detect": m{"box_threshold": 0.2, "nms": 0.6}}})
	check(err)
	for _, id := range ids {
		s, err := ds.Load(id, data.WantAll)
		check(err)
		maps, err := net.Maps(t.Context(), imageproc.FromImage(s.Image))
		check(err)
		at := &scene{Sample: s, features: maps[0]}
		at.grid, err = grid.Masks(t.Context(), s)
		check(err)
		at.grid = slices.DeleteFunc(at.grid, func(m data.RLE) bool { return m.Area() < o.MinArea })
		at.given, _, err = from.Label(t.Context(), s)
		check(err)
		at.parts = l.objects(at.given)
		l.scenes = append(l.scenes, at)
	}
	return l
}

// objects are the connected parts of a label that are no background.
func (l *lab) objects(label *data.LabelMap) (out []data.RLE) {
	for _, m := range gen.LabelMasks(label, nil, "") {
		if m.Class != 0 && m.Class != data.Ignore {
			out = append(out, parts(m.Bits, l.m.opts.MinArea)...)
		}
	}
	return out
}

// bank is built of labels.
func (l *lab) bank(label func(s *scene) *data.LabelMap) *bank {
	n := len(l.scenes)
	photos, regions, same, tags := make([]*photo, n), make([][]region, n), make([]int, n), map[string][]int{}
	for i, s := range l.scenes {
		photos[i], same[i], tags[s.ID] = &photo{ID: s.ID, Pixels: s.ID, Key: s.ID}, -1, s.Weak.Tags
		for _, r := range regionsOf(label(s), l.m.opts) {
			if v := s.features.Pool(s.features.Weights(r.bits), true); v != nil {
				regions[i] = append(regions[i], region{r.class, r.bits.Area(), false, nearest.Pack(v)})
			}
		}
	}
	b, err := l.m.gather(photos, regions, same, nil)
	if err == nil {
		err = b.clean(l.Context(), l.m.opts, tags)
	}
	if err != nil {
		l.Fatal(err)
	}
	return b
}

// score is the mIoU of labels, in per cent.
func (l *lab) score(label func(s *scene) *data.LabelMap) float64 {
	c, err := metrics.NewConfusion(l.classes.Len())
	for _, s := range l.scenes {
		if err == nil {
			err = c.Add(s.Truth.Pix, label(s).Pix)
		}
	}
	if err != nil {
		l.Fatal(err)
	}
	return 100 * c.Counts(metrics.VoidBackground).MeanIoU(metrics.NaNMean)
}

// named are the labels of proposals that a bank names.
func (l *lab) named(b *bank, proposals func(s *scene) []data.RLE) func(s *scene) *data.LabelMap {
	fuser, err := gen.NewFuser(configs.Default().Gen.Fuse, l.classes)
	if err != nil {
		l.Fatal(err)
	}
	return func(s *scene) *data.LabelMap {
		var queries [][]float32
		var kept []data.RLE
		for _, m := range proposals(s) {
			if v := s.features.Pool(s.features.Weights(m), true); v != nil {
				queries, kept = append(queries, v), append(kept, m)
			}
		}
		verdicts, err := b.name(l.Context(), l.m.opts, queries, s.Weak.Tags, b.own(s.ID, s.ID))
		if err != nil {
			l.Fatal(err)
		}
		masks := l.m.best(kept, verdicts)
		if l.m.opts.Overlap == overlapVotes {
			masks = b.cast(l.m.opts.MinArea, kept, verdicts)
		}
		label, err := fuser.Fuse(s.Image.Rect.Size(), masks)
		if err != nil {
			l.Fatal(err)
		}
		return label
	}
}

// majority is the label where each set of pixels that keys tells apart is of the class
// of most of them.
func majority(s *scene, keys []string) *data.LabelMap {
	n := map[string]map[uint8]int{}
	for i, k := range keys {
		if n[k] == nil {
			n[k] = map[uint8]int{}
		}
		n[k][s.Truth.Pix[i]]++
	}
	out := data.NewLabelMap(s.Truth.W, s.Truth.H)
	for i, k := range keys {
		best := uint8(0)
		for c, v := range n[k] {
			if v > n[k][best] || v == n[k][best] && c < best {
				best = c
			}
		}
		out.Pix[i] = best
	}
	return out
}

// TestOracle prints what retrieval on scenes would gain from a perfect bank, perfect
// proposals and perfect votes (docs/methods.md).
func TestOracle(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("minutes: WSSS_VERIFY=1 runs it")
	}
	var names []string
	sum := map[string][]float64{}
	for seed := int64(1); seed <= 3; seed++ {
		l := scenesOf(t, seed)
		say := func(name string, label func(s *scene) *data.LabelMap) {
			if sum[name] == nil {
				names = append(names, name)
			}
			sum[name] = append(sum[name], l.score(label))
		}
		truth, given := func(s *scene) *data.LabelMap { return s.Truth }, func(s *scene) *data.LabelMap { return s.given }
		grid, whole := func(s *scene) []data.RLE { return s.grid }, func(s *scene) []data.RLE { return l.objects(s.Truth) }
		both := func(s *scene) []data.RLE { return slices.Concat(s.grid, s.parts) }
		ours, right := l.bank(given), l.bank(truth)
		say("the labels in the bank", given)
		say("SAM's grid", l.named(ours, grid))
		say("SAM's grid and the labels' parts", l.named(ours, both))
		say("… bank of true masks", l.named(right, both))
		say("… perfect names of what masks tell apart", func(s *scene) *data.LabelMap {
			keys := make([]string, len(s.Truth.Pix))
			for i, m := range both(s) {
				m.Each(func(x, y0, y1 int) {
					for y := y0; y < y1; y++ {
						keys[y*m.W+x] += string(rune('0' + i))
					}
				})
			}
			return majority(s, keys)
		})
		say("true masks as proposals", l.named(ours, whole))
		say("… bank of true masks, too", l.named(right, whole))
		l.m.opts.Overlap = overlapBest
		say("SAM's grid and the labels' parts, overlap = best", l.named(ours, both))
		l.m.opts.Overlap, l.m.opts.Clean = overlapVotes, noClean
		say("… clean = none", l.named(l.bank(given), both))
		l.m.opts.Clean, l.m.opts.Vote = cleanNeighbours, voteCount
		say("… votes are counted", l.named(ours, both))
	}
	for _, n := range names {
		mean := 0.0
		for _, v := range sum[n] {
			mean += v / float64(len(sum[n]))
		}
		t.Logf("%-50s %.1f (%.1f)", n, mean, sum[n])
	}
	if mean := func(n string) float64 { return (sum[n][0] + sum[n][1] + sum[n][2]) / 3 }; mean("SAM's grid and the labels' parts") < mean("the labels in the bank")+5 {
		t.Error("retrieval is less than five points above the labels that fill its bank")
	}
}
