package validate

import (
	"path/filepath"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

// TestReportedCases checks the data sets of bug reports, where they lie beside
// the repository: each has a case's folder, kind, root and split, what must be
// found in it, and the box of its first image.
func TestReportedCases(t *testing.T) {
	bolt := data.Box{X0: 10, Y0: 10, X1: 30, Y1: 30, Class: 1}
	for _, tc := range []struct {
		name, kind, split string
		samples, masks    int
		kinds             []string
		boxed             bool
	}{
		{"01-object-without-box/coco_nobbox", "coco", "default", 1, 1, nil, true},
		{"01-object-without-box/coco_negbox", "coco", "default", 1, 1, []string{"box-clipped"}, true},
		{"01-object-without-box/voc_nobox", "voc", "train", 1, 1, []string{"box-missing"}, false},
		{"01-object-without-box/voc_polygon", "voc", "train", 1, 1, nil, true},
		{"01-object-without-box/voc_noname", "voc", "train", 1, 1, []string{"labels"}, false},
		{"01-object-without-box/voc_case", "voc", "train", 1, 1, nil, true},
		{"02-coco-without-outline-scored/coco_bboxonly", "coco", "default", 1, 0, nil, true},
		{"03-uppercase-extension/coco_JPG", "coco", "default", 1, 1, nil, true},
		{"03-uppercase-extension/voc_JPG", "voc", "train", 1, 1, nil, true},
		{"04-file-name-with-folders/coco_sub", "coco", "default", 1, 1, nil, true},
		{"04-file-name-with-folders/coco_dupstem", "coco", "default", 2, 2, nil, true},
		{"04-file-name-with-folders/coco_bslash", "coco", "default", 1, 1, nil, true},
		{"06-string-ids/coco_strid", "coco", "default", 1, 1, nil, true},
		{"07-json-bom/coco_bom", "coco", "default", 1, 1, nil, true},
		{"08-xml-encoding-and-size/voc_latin1", "voc", "train", 1, 1, nil, true},
		{"08-xml-encoding-and-size/voc_cp1252", "voc", "train", 1, 1, nil, true},
		{"08-xml-encoding-and-size/voc_floatsize", "voc", "train", 1, 1, nil, true},
		{"11-masks-of-no-image/PNG", "folder", "all", 1, 1, nil, false},
		{"11-masks-of-no-image/suffix", "folder", "all", 1, 1, nil, false},
		{"11-masks-of-no-image/jpgname", "folder", "all", 1, 1, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, ok := datatest.Case(filepath.FromSlash(tc.name))
			if !ok {
				t.Skip("the case is not in a folder shared/cases beside the repository")
			}
			var options map[string]any
			if tc.kind != "folder" {
				options = map[string]any{"classes": []any{"bolt", "nut"}}
			}
			ds, err := data.Open(tc.kind, data.Options{Root: root, Seed: 1, Extra: options})
			if err != nil {
				t.Fatal(err)
			}
			r, err := Run(t.Context(), ds, tc.split, Options{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Samples != tc.samples || r.Images != tc.samples || r.Masks != tc.masks {
				t.Errorf("%d samples, %d images, %d masks", r.Samples, r.Images, r.Masks)
			}
			if len(r.Findings) != len(tc.kinds) || len(tc.kinds) > 0 && r.Findings[0].Kind != tc.kinds[0] {
				t.Errorf("findings %+v, want %v", r.Findings, tc.kinds)
			}
			ids, err := ds.IDs(tc.split)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ds.Load(ids[0], data.WantWeak)
			if tc.boxed && (err != nil || len(s.Weak.Boxes) != 1 || s.Weak.Boxes[0] != bolt) {
				t.Errorf("boxes %+v, error %v: want %v", s, err, bolt)
			}
			if !tc.boxed && err == nil && len(s.Weak.Boxes) > 0 {
				t.Errorf("boxes %+v", s.Weak.Boxes)
			}
		})
	}
}

// TestPrintable: what a terminal would obey is shown.
func TestPrintable(t *testing.T) {
	if got := printable("a\x1b]0;x\a ü\n"); got != `a\x1b]0;x\x07 ü\x0a` {
		t.Errorf("%q", got)
	}
}
