package report

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"wsss/eval"
	"wsss/eval/detect"
)

// TestBesides: mAPs and gains stand beside the papers', on data of the papers
// only.
func TestBesides(t *testing.T) {
	row := func(dataset, name string, kind eval.Kind, miou eval.Value, extra map[string]eval.Value) Row {
		return Row{Result: &eval.Result{Name: name, Dataset: dataset, Split: "train", Kind: kind, MIoU: miou, Images: 3, Classes: classesLike(dataset), Extra: extra}}
	}
	maps := map[string]eval.Value{detect.BoxesMAP: 0.8, detect.ClassesMAP: 0.75}
	judged := &Classifiers{Judged: []Classifier{{Name: "CLIP", MAP: 0.9}, {Name: "fine-tuned", MAP: 0.95}}}
	for name, tt := range map[string]struct {
		r    Report
		want []beside
	}{
		"mAPs": {Report{Rows: []Row{row("voc", "own", eval.KindPseudo, 0.5, maps)}, Published: []string{"box2024 5 1"}},
			[]beside{{"classifier mAP", "90.1", "75.0", "box2024, table 5, row 1"}, {"box mAP", "88.0", "80.0", "box2024, table 5, row 1"}}},
		"judged": {Report{Classifiers: judged, Published: []string{"box2024 5 2"}},
			[]beside{{"classifier mAP", "96.2", "CLIP 90.0, fine-tuned 95.0", "box2024, table 5, row 2"}}},
		"gain": {Report{Rows: []Row{row("voc", "SEPL", eval.KindPseudo, 0.5, nil), row("voc", "CAM", eval.KindPseudo, 0.46, nil)}, Published: []string{"sepl2023 - 2"}},
			[]beside{{"gain", "+6.2", "+4.0 over CAM", "sepl2023, table -, row 2"}}},
		"other data":       {Report{Rows: []Row{row("scenes", "own", eval.KindPseudo, 0.5, maps)}, Published: []string{"box2024 5 1", "sepl2023 - 2"}}, nil},
		"nothing repeated": {Report{Rows: []Row{row("voc", "own", eval.KindPseudo, 0.5, maps)}}, nil},
		"no such measure":  {Report{Rows: []Row{row("voc", "own", eval.KindPseudo, 0.5, maps)}, Published: []string{"box2024 1 17"}}, nil},
	} {
		if got := besides(&tt.r); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	p, err := newPage(t.Context(), &Report{Rows: []Row{row("voc", "own", eval.KindPseudo, 0.5, maps)}, Published: []string{"box2024 5 1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var page, text strings.Builder
	if err := errors.Join(htmlPage(&page, p), markdown(&text, p)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), `<td>box mAP</td><td class="n main">80.0</td><td class="n muted">88.0</td>`) || !strings.Contains(text.String(), "| box mAP | 80.0 | _88.0_ |") {
		t.Errorf("page or text lacks the boxes' mAP:\n%s", text.String())
	}
}
