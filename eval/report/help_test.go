package report

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/eval"
)

// scoredRow is a row of a few images of one class, each of ten pixels, of which
// right are right.
func scoredRow(kind eval.Kind, right ...uint64) Row {
	names := []string{"background", "cat", "dog", "<i>bird</i>"}
	r := &eval.Result{Name: string(kind), Kind: kind, Split: "train", Classes: names, Images: len(right), Protocol: metrics.Protocol{}.WithDefaults()}
	k := metrics.NewCounts(len(names))
	for i, n := range right {
		counts := []metrics.ClassCount{{Class: 0, TP: 90, Truth: 90, Pred: 100 - n}, {Class: 1 + i%2, TP: n, Truth: 10, Pred: n}}
		if err := k.AddSparse(counts); err != nil {
			panic(err)
		}
		r.PerImage = append(r.PerImage, eval.ImageScore{ID: string(rune('a' + i)), MIoU: eval.Value(float64(n) / 10), Counts: counts})
	}
	r.MIoU = eval.Value(k.MeanIoU(r.Protocol.Absent))
	for _, v := range k.IoU() {
		r.IoU = append(r.IoU, eval.Value(v))
	}
	return Row{Result: r}
}

func TestWhatWouldHelp(t *testing.T) {
	pseudo := scoredRow(eval.KindPseudo, 10, 9, 8, 2, 9, 1)
	network, bound := scoredRow(eval.KindNetwork, 6, 6, 6, 6), scoredRow(eval.KindBound, 9, 9, 9, 9)
	wide := scoredRow(eval.KindNetwork, 6, 6)
	wide.CI = &metrics.Interval{Lo: 0.4, Hi: 0.56}
	blind := Row{Result: &eval.Result{Name: "pseudo-labels", Kind: eval.KindPseudo, Split: "train", Classes: pseudo.Classes, MIoU: eval.Value(math.NaN()), Unscored: 4},
		Quality: map[string]float64{"a": .2, "b": .9, "c": .4}}
	for _, tt := range []struct {
		name  string
		r     Report
		wants []string
		never []string
	}{
		{"no numbers", Report{Rows: []Row{network}}, nil, []string{"Corrections", "Images of", "interval"}},
		{"images without labels", Report{Rows: []Row{network}, Census: &Census{Split: "train", Images: 9, Labelled: 6, Rejected: 1}},
			[]string{"Labels for the 2 images of split train that have none: 6 of its 9 are learnt."}, nil},
		{"none labelled by anybody", Report{Rows: []Row{network}, Census: &Census{Split: "train", Images: 9}}, nil, []string{"Labels for"}},
		{"a class that is not there", Report{Rows: []Row{network}, Census: &Census{Split: "train", Images: 90, Labelled: 90, Classes: []int{90, 50, 60, 0}}},
			[]string{"Images of <i>bird</i>: split train has none, so nothing can be learnt of it."}, []string{"More images"}},
		{"a rare class", Report{Rows: []Row{network}, Census: &Census{Split: "train", Images: 90, Labelled: 90, Classes: []int{90, 1, 60, 50}}},
			[]string{"More images of cat (1 image, IoU 60.0); the median class is in 50 of 90."}, nil},
		{"a weak class that is common", Report{Rows: []Row{scoredRow(eval.KindNetwork, 3, 9)}, Census: &Census{Split: "train", Images: 90, Labelled: 90, Classes: []int{90, 60, 50, 50}}},
			[]string{"Its weakest class, cat, IoU 30.0, is in 60 images, no fewer than the median class (50)"}, nil},
		{"unused boxes", Report{Rows: []Row{network}, Weak: data.WeakTags, Census: &Census{Images: 9, Labelled: 9, Weak: map[data.WeakKind]int{data.WeakTags: 9, data.WeakPoints: 1, data.WeakBoxes: 7}}},
			[]string{"The data also has boxes (7 images), points (1 image), which say more of where objects are than the tags"}, []string{"of which there are none"}},
		{"tags alone", Report{Rows: []Row{network}, Weak: data.WeakTags, Census: &Census{Images: 9, Labelled: 9, Weak: map[data.WeakKind]int{data.WeakTags: 9}}},
			[]string{"Boxes, points or scribbles, of which there are none: tags say nothing of where objects are."}, nil},
		{"boxes", Report{Rows: []Row{network}, Weak: data.WeakBoxes, Census: &Census{Images: 9, Labelled: 9, Weak: map[data.WeakKind]int{data.WeakBoxes: 9}}}, nil, []string{"Boxes"}},
		// 6 labels; the worst, 1 of 10 pixels, is of dog: 21 of 30 become 30 of 30 with 3.
		{"what corrections would give", Report{Rows: []Row{pseudo}},
			[]string{"true masks in the place of the 1 label with the lowest IoU, of 6, would lift the mIoU of pseudo-label from 75.4 to 85.9."}, nil},
		{"what corrections gave", Report{Rows: []Row{pseudo}, Payoffs: []Payoff{{1, OrderGain, 0, .70, .5}, {1, OrderGain, 15, .75, .52}, {1, OrderRandom, 0, .70, .5}, {1, OrderRandom, 15, .71, .49}}},
			[]string{"the first 15 images in the order of wsss review moved the mIoU of labels by +5.0 points and the network's by +2.0 (1 seed; as many at random by +1.0 and -1.0)."}, []string{"true masks in the place"}},
		{"labels without truth", Report{Rows: []Row{blind}},
			[]string{"2 labels have a quality below 0.5, of 3 of pseudo-labels", "True masks would let networks be scored"}, nil},
		{"what was corrected", Report{Rows: []Row{network}, Census: &Census{Images: 9, Labelled: 8, Rejected: 1, Accepted: 1, Touched: 2}},
			[]string{"So far 1 label was accepted, 1 rejected and 2 corrected in review."}, []string{"Labels for"}},
		{"room below the bound", Report{Rows: []Row{network, bound}},
			[]string{"better labels of the same images leave it 21.1 points to gain", "On true masks this network reaches"}, nil},
		{"no room", Report{Rows: []Row{bound2(network), network}}, []string{"its labels do not hold it back"}, nil},
		{"a wide interval", Report{Rows: []Row{wide}}, []string{"spans 8.0 points either way over 2 images, and half of that takes about four times as many"}, nil},
	} {
		text := strings.Join(help(&tt.r), " ")
		for _, want := range tt.wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", tt.name, text, want)
			}
		}
		for _, never := range tt.never {
			if strings.Contains(text, never) {
				t.Errorf("%s: %q has %q", tt.name, text, never)
			}
		}
	}
	// Names are text on the page, and the paragraph is in both forms.
	r := Report{Rows: []Row{network}, Census: &Census{Split: "train", Images: 90, Labelled: 90, Classes: []int{90, 50, 60, 0}}}
	dir := t.TempDir()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{HTMLName: "<b>What would help.</b> Images of &lt;i&gt;bird&lt;/i&gt;", MarkdownName: "**What would help.** Images of &lt;i&gt;bird&lt;/i&gt;"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s lacks %q, %v", name, want, err)
		}
	}
}

// bound2 is a bound with the score of another row.
func bound2(of Row) Row {
	r := *of.Result
	r.Kind, r.Name = eval.KindBound, "bound"
	return Row{Result: &r}
}

// A network below label maps of the same images is not said to be above them.
func TestSaysWhoIsBehind(t *testing.T) {
	network, labels := scoredRow(eval.KindNetwork, 6, 6, 6, 6), scoredRow(eval.KindPseudo, 9, 9, 9, 9)
	r := Report{Rows: []Row{network, labels}}
	for _, tt := range []struct {
		name string
		p    page
		want string
	}{
		{"as it is", page{Comparisons: []Comparison{{"network", "pseudo-label", metrics.Difference{Delta: .2, Interval: metrics.Interval{Lo: .1, Hi: .3}}}}}, "20.0 points behind pseudo-label (interval +10.0 to +30.0, more"},
		{"the other way", page{Comparisons: []Comparison{{"pseudo-label", "network", metrics.Difference{Delta: -.2, Interval: metrics.Interval{Lo: -.3, Hi: .1}}}}}, "20.0 points behind pseudo-label (interval -10.0 to +30.0, which"},
	} {
		got := strings.Join(says(&r, &tt.p), " ")
		if !strings.Contains(got, tt.want) || !strings.HasPrefix(got, "network has the highest mIoU of what needs no label of an image on train") {
			t.Errorf("%s: %q lacks %q", tt.name, got, tt.want)
		}
	}
}
