package gen

import (
	"image"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/configs"
	"wsss/data"
)

// drawn makes a mask from rows of '#' and '.'.
func drawn(class int, score float32, rows ...string) Mask {
	w, h := len(rows[0]), len(rows)
	bits := make([]uint8, w*h)
	for y, row := range rows {
		for x := range row {
			if row[x] == '#' {
				bits[y*w+x] = 1
			}
		}
	}
	return Mask{Class: class, Score: score, Bits: data.EncodeRLE(bits, w, h)}
}

// show writes a label map as rows of digits, '*' for ignore.
func show(m *data.LabelMap) []string {
	var rows []string
	for y := range m.H {
		var b strings.Builder
		for x := range m.W {
			if v := m.At(x, y); v == data.Ignore {
				b.WriteByte('*')
			} else {
				b.WriteByte('0' + v)
			}
		}
		rows = append(rows, b.String())
	}
	return rows
}

var fuseClasses = data.Classes{Names: []string{"background", "a", "b", "c"}}

func TestFuse(t *testing.T) {
	large := drawn(2, 0.9, "####..", "####..", "####..")
	small := drawn(1, 0.5, "......", "..###.", "......")
	tests := []struct {
		name  string
		cfg   configs.Fuse
		masks []Mask
		want  []string
	}{
		{"no masks", configs.Fuse{Rule: "score"}, nil, []string{"000000", "000000", "000000"}},
		{"score: the more certain on top", configs.Fuse{Rule: "score"}, []Mask{large, small},
			[]string{"222200", "222210", "222200"}},
		{"smaller-first: the smaller on top", configs.Fuse{Rule: "smaller-first"}, []Mask{small, large},
			[]string{"222200", "221110", "222200"}},
		{"class-index: the higher on top, in any order", configs.Fuse{Rule: "class-index"}, []Mask{large, small},
			[]string{"222200", "222210", "222200"}},
		{"class-index ignores the score", configs.Fuse{Rule: "class-index"},
			[]Mask{drawn(3, 0.1, "##...."), drawn(1, 1, "######")}, []string{"331111"}},
		{"equal scores: the smaller on top", configs.Fuse{Rule: "score"},
			[]Mask{drawn(1, 0.5, "###..."), drawn(2, 0.5, "####..")}, []string{"111200"}},
		{"equal scores and areas: the lower class on top", configs.Fuse{Rule: "score"},
			[]Mask{drawn(2, 0.5, "##...."), drawn(1, 0.5, ".##...")}, []string{"211000"}},
		{"equal areas: the more certain on top", configs.Fuse{Rule: "smaller-first"},
			[]Mask{drawn(1, 0.4, "##...."), drawn(2, 0.5, ".##...")}, []string{"122000"}},
		{"minimum area", configs.Fuse{Rule: "score", MinArea: 4}, []Mask{large, small},
			[]string{"222200", "222200", "222200"}},
		{"ignore band of one", configs.Fuse{Rule: "score", IgnoreBand: 1},
			[]Mask{drawn(1, 1, "###.......", "###.......", "###.......")},
			[]string{"11**000000", "11**000000", "11**000000"}},
		{"ignore band of two, at a corner", configs.Fuse{Rule: "score", IgnoreBand: 2},
			[]Mask{drawn(1, 1, "###......", "###......", ".........", ".........", ".........")},
			[]string{"*****0000", "*****0000", "*****0000", "*****0000", "000000000"}},
		{"a band between two classes, none where they do not meet", configs.Fuse{Rule: "score", IgnoreBand: 1},
			[]Mask{drawn(1, 1, "####...."), drawn(2, 1, "....####")}, []string{"111**222"}},
		{"NMS drops the duplicate of another class", configs.Fuse{Rule: "score", NMS: 0.5},
			[]Mask{drawn(1, 0.9, "####.."), drawn(2, 0.8, "#####.")}, []string{"111100"}},
		{"NMS keeps what overlaps less", configs.Fuse{Rule: "score", NMS: 0.8},
			[]Mask{drawn(1, 0.9, "####.."), drawn(2, 0.8, "######")}, []string{"111122"}},
		{"priority over the score", configs.Fuse{Rule: "score", Priority: []string{"a"}}, []Mask{large, small},
			[]string{"222200", "221110", "222200"}},
		{"priority over the size", configs.Fuse{Rule: "smaller-first", Priority: []string{"b"}}, []Mask{large, small},
			[]string{"222200", "222210", "222200"}},
		{"priority over the index; the rule orders the classes left out", configs.Fuse{Rule: "class-index", Priority: []string{"a"}},
			[]Mask{drawn(1, 0.1, "##...."), drawn(2, 1, "####.."), drawn(3, 0.1, "..####")}, []string{"113333"}},
		{"priority in its own order", configs.Fuse{Rule: "score", Priority: []string{"c", "a", "b"}},
			[]Mask{drawn(1, 0.5, ".##..."), drawn(2, 0.9, "######"), drawn(3, 0.1, "..##..")}, []string{"213322"}},
		{"priority: within a class the rule", configs.Fuse{Rule: "score", Priority: []string{"a"}},
			[]Mask{drawn(1, 0.2, "###..."), drawn(1, 0.9, "..##.."), drawn(2, 1, "######")}, []string{"111122"}},
		{"priority of the background cuts out", configs.Fuse{Rule: "score", Priority: []string{"background"}},
			[]Mask{drawn(0, 0.1, "##...."), drawn(2, 1, "####..")}, []string{"002200"}},
		{"priority: NMS drops what lies under", configs.Fuse{Rule: "score", NMS: 0.5, Priority: []string{"b"}},
			[]Mask{drawn(1, 0.9, "####.."), drawn(2, 0.3, "#####.")}, []string{"222220"}},
		{"uncertain: two classes that are near", configs.Fuse{Rule: "uncertain", Margin: 0.3},
			[]Mask{drawn(1, 0.8, "###..."), drawn(2, 0.7, "..###.")}, []string{"11*220"}},
		{"uncertain: priority decides between them", configs.Fuse{Rule: "uncertain", Margin: 0.3, Priority: []string{"b"}},
			[]Mask{drawn(1, 0.8, "###..."), drawn(2, 0.7, "..###.")}, []string{"112220"}},
		{"uncertain: priority does not make sure", configs.Fuse{Rule: "uncertain", Margin: 0.3, MinScore: 0.75, Priority: []string{"b"}},
			[]Mask{drawn(1, 0.8, "###..."), drawn(2, 0.7, "..###.")}, []string{"11***0"}},
		{"uncertain: classes left out of it stay near", configs.Fuse{Rule: "uncertain", Margin: 0.3, Priority: []string{"c"}},
			[]Mask{drawn(1, 0.8, "####.."), drawn(2, 0.7, "..###."), drawn(3, 0.1, "...##.")}, []string{"11*330"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := NewFuser(tt.cfg, fuseClasses)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Fuse(image.Pt(len(tt.want[0]), len(tt.want)), tt.masks)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(got)); diff != "" {
				t.Errorf("label map (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFuseErrors(t *testing.T) {
	tests := []struct {
		name string
		cfg  configs.Fuse
		mask Mask
		want []string
	}{
		{"rule", configs.Fuse{Rule: "biggest"}, Mask{}, []string{`gen.fuse.rule = "biggest"`, "score, smaller-first, class-index"}},
		{"band", configs.Fuse{Rule: "score", IgnoreBand: -1}, Mask{}, []string{"gen.fuse.ignore_band = -1"}},
		{"area", configs.Fuse{Rule: "score", MinArea: -1}, Mask{}, []string{"gen.fuse.min_area = -1"}},
		{"nms", configs.Fuse{Rule: "score", NMS: 2}, Mask{}, []string{"gen.fuse.nms = 2"}},
		{"size", configs.Fuse{Rule: "score"}, drawn(1, 1, "##"), []string{"mask 0 is 2×1", "4×4"}},
		{"class", configs.Fuse{Rule: "score"}, Mask{Class: 256, Bits: data.EncodeRLE(make([]uint8, 16), 4, 4)}, []string{"class 256", "0..254"}},
		{"margin", configs.Fuse{Rule: "uncertain", Margin: 2}, Mask{}, []string{"gen.fuse.margin = 2"}},
		{"priority", configs.Fuse{Rule: "score", Priority: []string{"a", "cat"}}, Mask{}, []string{`gen.fuse.priority[1] = "cat"`, "background, a, b, c"}},
		{"priority twice", configs.Fuse{Rule: "score", Priority: []string{"a", "b", "a"}}, Mask{}, []string{`gen.fuse.priority[2] = "a"`, "twice"}},
		{"least score", configs.Fuse{Rule: "uncertain", MinScore: -1}, Mask{}, []string{"gen.fuse.min_score = -1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := NewFuser(tt.cfg, fuseClasses)
			if err == nil {
				_, err = f.Fuse(image.Pt(4, 4), []Mask{tt.mask})
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
		})
	}
}

func TestMaskIoUEqualsCounting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		w, h := 1+rng.IntN(9), 1+rng.IntN(9)
		a, b := make([]uint8, w*h), make([]uint8, w*h)
		both, any := 0, 0
		density := rng.Float64()
		for i := range a {
			if rng.Float64() < density {
				a[i] = 1
			}
			if rng.Float64() < density {
				b[i] = 1
			}
			both += int(a[i] & b[i])
			any += int(a[i] | b[i])
		}
		if any == 0 {
			continue
		}
		rank := func(bits []uint8) *Ranked {
			m := &Mask{Bits: data.EncodeRLE(bits, w, h)}
			return &Ranked{Mask: m, Area: m.Bits.Area()}
		}
		if got, want := maskIoU(rank(a), rank(b)), float64(both)/float64(any); got != want {
			t.Fatalf("IoU %v, want %v\n%v\n%v", got, want, a, b)
		}
	}
}
