package weaken

import (
	"image"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/outline/outlinetest"
)

func anySize() Options {
	o := DefaultOptions()
	o.MinArea, o.MergeArea = 1, 0
	return o
}

func TestBoxes(t *testing.T) {
	merge := anySize()
	merge.MergeArea, merge.MergeGap = 3, 2
	least := anySize()
	least.MinArea = 3
	for _, tc := range []struct {
		name string
		mask *data.LabelMap
		opts Options
		want []data.Box
	}{
		{"none", outlinetest.Parse("...", "..."), anySize(), []data.Box{}},
		{"all void", outlinetest.Parse("***"), anySize(), []data.Box{}},
		{"corner to corner", outlinetest.Parse("11", "11"), anySize(), []data.Box{{X1: 2, Y1: 2, Class: 1}}},
		{"diagonal is one", outlinetest.Parse("1..", ".1.", "..1"), anySize(), []data.Box{{X1: 3, Y1: 3, Class: 1}}},
		{"two of a class", outlinetest.Parse("1.1"), anySize(), []data.Box{{X1: 1, Y1: 1, Class: 1}, {X0: 2, X1: 3, Y1: 1, Class: 1}}},
		{"touching classes", outlinetest.Parse("12"), anySize(), []data.Box{{X1: 1, Y1: 1, Class: 1}, {X0: 1, X1: 2, Y1: 1, Class: 2}}},
		{"piece joins over void", outlinetest.Parse("1111**11.."), merge, []data.Box{{X1: 8, Y1: 1, Class: 1}}},
		{"gap too wide", outlinetest.Parse("1111***11."), merge, []data.Box{{X1: 4, Y1: 1, Class: 1}, {X0: 7, X1: 9, Y1: 1, Class: 1}}},
		{"big pieces stay apart", outlinetest.Parse("111*111"), merge, []data.Box{{X1: 3, Y1: 1, Class: 1}, {X0: 4, X1: 7, Y1: 1, Class: 1}}},
		{"not over background", outlinetest.Parse("1111.11"), merge, []data.Box{{X1: 4, Y1: 1, Class: 1}, {X0: 5, X1: 7, Y1: 1, Class: 1}}},
		{"not another class", outlinetest.Parse("2222**11"), merge, []data.Box{{X1: 4, Y1: 1, Class: 2}, {X0: 6, X1: 8, Y1: 1, Class: 1}}},
		{"equal pieces join once", outlinetest.Parse("11*11"), merge, []data.Box{{X1: 5, Y1: 1, Class: 1}}},
		{"specks dropped", outlinetest.Parse("11.222"), least, []data.Box{{X0: 3, X1: 6, Y1: 1, Class: 2}}},
	} {
		got, err := Derive(tc.mask, []data.WeakKind{data.WeakBoxes}, 1, tc.opts)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got.Boxes); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
		if got.Tags != nil || got.Points != nil || got.Scribbles != nil {
			t.Errorf("%s: kinds that were not asked for", tc.name)
		}
	}
}

func TestTagsListWhatTheMaskShows(t *testing.T) {
	got, err := Derive(outlinetest.Parse("3*1.1"), []data.WeakKind{data.WeakTags}, 1, DefaultOptions())
	if err != nil || !cmp.Equal(got.Tags, []int{1, 3}) {
		t.Errorf("tags %v, %v", got.Tags, err)
	}
	got, err = Derive(outlinetest.Parse("..*"), []data.WeakKind{data.WeakTags}, 1, DefaultOptions())
	if err != nil || got.Tags == nil || len(got.Tags) != 0 {
		t.Errorf("tags %#v, %v: want empty, not nil", got.Tags, err)
	}
}

func TestErrors(t *testing.T) {
	bad := DefaultOptions()
	bad.Points = -1
	if _, err := Derive(outlinetest.Parse("."), nil, 1, bad); err == nil {
		t.Error("negative number of points passes")
	}
	if _, err := Derive(outlinetest.Parse("."), []data.WeakKind{"masks"}, 1, DefaultOptions()); err == nil {
		t.Error("unknown kind passes")
	}
	if _, err := FromInstances(outlinetest.Parse(".."), outlinetest.Parse("."), nil, 1, DefaultOptions()); err == nil {
		t.Error("different sizes pass")
	}
}

// world is a mask with a disc, a ring, a thin crooked line, a bar over the
// border and a speck.
func world() *data.LabelMap {
	m := data.NewLabelMap(140, 110)
	for y := range m.H {
		for x := range m.W {
			d := math.Hypot(float64(x-35), float64(y-35))
			e := math.Hypot(float64(x-100), float64(y-40))
			switch {
			case d < 22:
				m.Set(x, y, 1)
			case d < 24 || e < 8 && e > 6:
				m.Set(x, y, data.Ignore)
			case e < 26 && e > 14:
				m.Set(x, y, 2)
			case y == 80+int(6*math.Sin(float64(x)/7)) && x > 10 && x < 90:
				m.Set(x, y, 3)
			case x > 120 && y > 85:
				m.Set(x, y, 4)
			case x == 5 && y == 100:
				m.Set(x, y, 5)
			}
		}
	}
	return m
}

func TestPointsAndScribblesStayInTheirClass(t *testing.T) {
	m := world()
	opts := anySize()
	opts.Points, opts.BackgroundPoints, opts.BackgroundScribbles = 3, 5, 2
	for seed := range int64(20) {
		w, err := Derive(m, data.WeakKinds, seed, opts)
		if err != nil {
			t.Fatal(err)
		}
		clicks := map[int]int{}
		for _, p := range w.Points {
			clicks[p.Class]++
			if v := m.At(p.X, p.Y); int(v) != p.Class {
				t.Errorf("seed %d: click of class %d on %d", seed, p.Class, v)
			}
		}
		if clicks[0] != 5 || clicks[1] != 3 || clicks[2] != 3 || clicks[5] != 1 {
			t.Errorf("seed %d: clicks per class %v", seed, clicks)
		}
		lengths := map[int]int{}
		for _, s := range w.Scribbles {
			for k, p := range s.Points {
				Line(s.Points[max(k-1, 0)], p, func(q image.Point) {
					lengths[s.Class]++
					if v := m.At(q.X, q.Y); int(v) != s.Class {
						t.Fatalf("seed %d: scribble of class %d crosses %v of class %d", seed, s.Class, q, v)
					}
				})
			}
		}
		// The disc's stroke may be short, the ring's must go round half of it
		// and the line's must follow it.
		if lengths[2] < 25 || lengths[3] < 40 || lengths[5] != 1 || lengths[0] < 30 {
			t.Errorf("seed %d: scribble lengths %v", seed, lengths)
		}
	}
}

func TestPointsAreDeep(t *testing.T) {
	m := world()
	near := 0
	const n = 300
	for seed := range int64(n) {
		w, err := Derive(m, []data.WeakKind{data.WeakPoints}, seed, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if p := w.Points[0]; p.Class == 1 && math.Hypot(float64(p.X-35), float64(p.Y-35)) < 11 {
			near++
		}
	}
	// Half the radius holds 25 % of the disc, and 69 % of the squared depth.
	if share := float64(near) / n; share < 0.6 || share > 0.78 {
		t.Errorf("%.2f of the clicks fall on the inner quarter, want about 0.69", share)
	}
}

func TestDeterministicPerKind(t *testing.T) {
	m := world()
	all, err := Derive(m, data.WeakKinds, 7, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	one, err := Derive(m, []data.WeakKind{data.WeakScribbles}, 7, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all.Scribbles, one.Scribbles); diff != "" {
		t.Errorf("scribbles depend on the other kinds: %s", diff)
	}
	other, err := Derive(m, data.WeakKinds, 8, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(all.Points, other.Points) || cmp.Equal(all.Scribbles, other.Scribbles) {
		t.Error("the seed changes nothing")
	}
	if !cmp.Equal(all.Boxes, other.Boxes) {
		t.Error("boxes depend on the seed")
	}
	if SeedFor(1, "a") == SeedFor(1, "b") || SeedFor(1, "a") == SeedFor(2, "a") {
		t.Error("SeedFor ignores one of its arguments")
	}
}

func TestInstances(t *testing.T) {
	truth, inst := outlinetest.Parse("1*1*2*"), outlinetest.Parse("111222")
	w, err := FromInstances(truth, inst, data.WeakKinds, 1, anySize())
	if err != nil {
		t.Fatal(err)
	}
	want := []data.Box{{X1: 3, Y1: 1, Class: 1}, {X0: 3, X1: 6, Y1: 1, Class: 2}}
	if diff := cmp.Diff(want, w.Boxes); diff != "" {
		t.Error(diff)
	}
	if len(w.Points) != 2 || w.Points[1].X != 4 {
		t.Errorf("points %v", w.Points)
	}
}

func BenchmarkDeriveVOCSize(b *testing.B) {
	m := data.NewLabelMap(500, 375)
	for i := range m.Pix {
		x, y := i%m.W, i/m.W
		if (x-200)*(x-200)+(y-180)*(y-180) < 140*140 {
			m.Pix[i] = 1
		} else if x > 400 && y > 100 {
			m.Pix[i] = 2
		}
	}
	for b.Loop() {
		if _, err := Derive(m, data.WeakKinds, 1, DefaultOptions()); err != nil {
			b.Fatal(err)
		}
	}
}
