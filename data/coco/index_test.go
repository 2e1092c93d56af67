package coco

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"wsss/data"
	"wsss/data/datatest"
)

var cocoClasses = data.Classes{Names: append([]string{"background"}, ClassNames...)}

func scanAndClassify(r io.Reader) (*index, error) {
	x, err := scanIndex(r, nil)
	if err == nil {
		err = x.classify(cocoClasses, false)
	}
	return x, err
}

// outlinesOf are the masks of a segmentation.
func outlinesOf(raw []byte, w, h int) ([]data.RLE, error) {
	o, err := parseOutline(raw)
	if err != nil {
		return nil, err
	}
	return o.masks(w, h)
}

func TestScanErrors(t *testing.T) {
	valid := fmt.Sprintf(small, "")
	for _, tc := range []struct{ name, text, err string }{
		{"empty", "", "byte 0: unexpected EOF"},
		{"list", "[]", `byte 0: '[' where '{' should be`},
		{"cut off", valid[:len(valid)-30], "unexpected EOF"},
		{"captions", `{"images": []}`, `lacks the key "annotations"`},
		{"twice", `{"images": [], "images": []}`, `key "images" occurs twice`},
		{"category id", strings.Replace(valid, `"category_id": 17`, `"category_id": 12`, 1), "annotation 2 has category_id 12, which is not among the 4 categories"},
		{"category name", strings.Replace(valid, `"name": "cat"`, `"name": "dragon"`, 1), `annotation 2 has category 17 ("dragon"), which is not among the 80 classes`},
		{"image", strings.Replace(valid, `"image_id": 9, "category_id": 17`, `"image_id": 8, "category_id": 17`, 1), "annotation 2 is of image 8, which is not among the images"},
		{"box", strings.Replace(valid, "[3, 1, 9, 1.5]", "[3, 1, 9]", 1), "annotation 2: bbox: not four pixel numbers"},
		{"box text", strings.Replace(valid, "[3, 1, 9, 1.5]", `[3, 1, 9, x]`, 1), `annotation 2: bbox: "x" is no number`},
		{"width", strings.Replace(valid, `"width": 6`, `"width": -1`, 1), "image 1: width: -1 is no side of an image"},
		{"no name", strings.Replace(valid, `"file_name": "`+first+`.jpg", `, "", 1), "image 1 lacks id or file_name"},
		{"no id", strings.Replace(valid, `{"id": 9, "file`, `{"id": null, "file`, 1), "image 1 lacks id or file_name"},
		{"bad id", strings.Replace(valid, `{"id": 9, "file`, `{"id": 9.5, "file`, 1), `image 1: id: "9.5" is no id: allowed are whole numbers and text`},
		{"rest", valid + " {}", `'{' after the end of the JSON`},
		{"utf-16", "\xff\xfe{\x00", "text in UTF-16: save it as UTF-8"},
		{"name", strings.Replace(valid, first+".jpg", "..", 1), `image 1 has the file name ".."`},
		{"id twice", strings.Replace(valid, `"id": 10`, `"id": 9`, 1), "image id 9 occurs twice"},
		{"brackets", strings.Replace(valid, "4,3, 0,3]]", "4,3, 0,3}]", 1), "annotation 1: segmentation: brackets do not match"},
		{"deep", `{"x": ` + strings.Repeat("[", 100), "nests deeper than 64"},
		{"long string", `{"images": [{"file_name": "` + strings.Repeat("x", 1<<17), "image 1: file_name: string of more than 65536 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := scanAndClassify(strings.NewReader(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want one with %q", err, tc.err)
			}
		})
	}
}

// TestScanAgreesWithJSON compares the index of a real file with encoding/json.
// The reader gives one byte less than a buffer each time, so that every value
// is cut somewhere.
func TestScanAgreesWithJSON(t *testing.T) {
	path := datatest.Path(t, "tiny_coco", "annotations", "instances_train2017.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := scanAndClassify(&shortReader{bytes.NewReader(raw)})
	if err != nil {
		t.Fatal(err)
	}
	x.file = bytes.NewReader(raw)
	var file struct {
		Images []struct {
			ID            int64
			Width, Height int32
		}
		Annotations []struct {
			ImageID      int64 `json:"image_id"`
			IsCrowd      int
			Bbox         [4]float32
			Segmentation json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Annotations) != len(x.objects) || len(file.Images) != len(x.photos) {
		t.Fatalf("%d objects of %d images, want %d of %d", len(x.objects), len(x.photos), len(file.Annotations), len(file.Images))
	}
	for i, image := range file.Images {
		if p := x.photos[i]; p.id != image.ID || p.w != image.Width || p.h != image.Height {
			t.Errorf("image %d is %+v, want %+v", i, p, image)
		}
		got := x.of(int32(i))
		for _, a := range file.Annotations {
			if a.ImageID != image.ID {
				continue
			}
			segmentation, err := x.segmentation(got[0])
			if err != nil || !bytes.Equal(segmentation, a.Segmentation) || got[0].box != a.Bbox || got[0].crowd != (a.IsCrowd == 1) {
				t.Fatalf("annotation %d differs: error %v", got[0].ordinal, err)
			}
			got = got[1:]
		}
		if len(got) != 0 {
			t.Errorf("image %d has %d objects too many", i, len(got))
		}
	}
}

type shortReader struct{ r io.Reader }

func (s *shortReader) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 37)]) }

func TestOutlineErrors(t *testing.T) {
	for _, tc := range []struct{ raw, err string }{
		{`[[1,null,3,4,5,6]]`, "segmentation has null for a number"},
		{`[[[1,2,3],[4,5,6]]]`, "segmentation has a corner of 3 numbers"},
		{`[[1,2,3,4,5,1e9]]`, "polygon coordinate 1e+09: allowed are ±1048576"},
		{`[[[[1]]]]`, "neither a list of polygons nor a run-length mask"},
		{`{"size": [4, 6], "counts": [23.5, 0.5]}`, "a run of 23.5 pixels"},
		{`{"counts": [24]}`, "run-length mask has size []"},
		{`"x"`, "neither a list of polygons nor a run-length mask"},
		{`{"size": [6, 4], "counts": [24]}`, "size [6 4]: the image's is [4 6] (height, width)"},
		{`{"size": [4, 6], "counts": [23]}`, "run-length mask covers 23 pixels of 6×4"},
		{`{"size": [4, 6], "counts": {}}`, "counts are neither a text nor a list"},
		{`{"size": [4, 6], "counts": "é"}`, "bad character"},
	} {
		if _, err := outlinesOf([]byte(tc.raw), 6, 4); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: error %v, want one with %q", tc.raw, err, tc.err)
		}
	}
	for _, raw := range []string{"", "null", "[]", "[[]]", "[[1,2]]", "[[1,2,3,4]]", "[1,2]", "{}", `{"size": [4, 6], "counts": [24]}`, `{"size": [4, 6], "counts": []}`, `{"size": [4, 6], "counts": ""}`} {
		if masks, err := outlinesOf([]byte(raw), 6, 4); err != nil || len(masks) != 0 {
			t.Errorf("%q: %d masks, error %v: want none", raw, len(masks), err)
		}
	}
}

// TestLargeFile scans a synthetic file of the size of COCO 2017's train split:
// WSSS_VERIFY=1 go test ./data/coco -run LargeFile -v
func TestLargeFile(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("writes and scans 450 MB: set WSSS_VERIFY=1")
	}
	path := filepath.Join(t.TempDir(), "instances_train2017.json")
	if err := writeLarge(path, 118_287, 860_001); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	x, err := readIndex(path, nil)
	if err == nil {
		err = x.classify(cocoClasses, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	wall := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := after.HeapAlloc - before.HeapAlloc
	t.Logf("%d MB scanned in %v, %d MB held, %d MB taken from the system", info.Size()>>20, wall, held>>20, after.HeapSys>>20)
	if len(x.objects) != 860_001 || held > 128<<20 {
		t.Errorf("%d objects, %d MB held: want 860001 and at most 128 MB", len(x.objects), held>>20)
	}
	if _, _, err := x.rasterise(118_000, image.Pt(640, 360), CrowdSkip); err != nil {
		t.Error(err)
	}
}

func writeLarge(path string, images, objects int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var b bytes.Buffer
	b.WriteString(`{"info": {"year": 2017}, "images": [`)
	for i := range images {
		fmt.Fprintf(&b, `%s{"license": 4,"file_name": "%012d.jpg","coco_url": "http://images.cocodataset.org/train2017/%012d.jpg","height": 360,"width": 640,"date_captured": "2013-11-14 11:18:45","id": %d}`, comma(i), i+1, i+1, i+1)
	}
	b.WriteString(`], "annotations": [`)
	var polygon strings.Builder
	for i := range 32 {
		fmt.Fprintf(&polygon, "%s%.2f,%.2f", comma(i), 100.25+float64(i*i%53), 80.5+float64(i*7%90))
	}
	for i := range objects {
		fmt.Fprintf(&b, `%s{"segmentation": [[%s]],"area": 1481.38,"iscrowd": 0,"image_id": %d,"bbox": [100.25,80.5,52.0,90.0],"category_id": 44,"id": %d}`, comma(i), &polygon, i*7919%images+1, i)
		if b.Len() > 1<<22 {
			if _, err := b.WriteTo(f); err != nil {
				return err
			}
		}
	}
	b.WriteString(`], "categories": [{"supercategory": "kitchen","id": 44,"name": "bottle"}]}`)
	_, err = b.WriteTo(f)
	return err
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func FuzzScanIndex(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(small, "")))
	f.Add([]byte(`{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a\u0041"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := scanAndClassify(bytes.NewReader(raw))
		if err != nil {
			return
		}
		x.file = bytes.NewReader(raw)
		for i, p := range x.photos {
			if p.w == 0 || p.h == 0 || int(p.w)*int(p.h) > 1<<16 {
				continue
			}
			for _, a := range x.of(int32(i)) {
				if b, _, err := x.box(a, image.Pt(int(p.w), int(p.h))); err == nil && (b.X0 < 0 || b.X0 >= b.X1 || b.X1 > float32(p.w) || b.Y0 < 0 || b.Y0 >= b.Y1 || b.Y1 > float32(p.h)) {
					t.Errorf("box %+v of an image of %d×%d", b, p.w, p.h)
				}
			}
			if truth, _, err := x.rasterise(int32(i), image.Pt(int(p.w), int(p.h)), CrowdVoid); err == nil && truth.CheckRange(81) != nil {
				t.Error(truth.CheckRange(81))
			}
		}
	})
}

func FuzzOutlines(f *testing.F) {
	f.Add([]byte(`[[0,0,4,0,4,3,0,3],[1.5,1.5,9,9,-3,2]]`), uint8(6), uint8(4))
	f.Add([]byte(`{"size": [4, 6], "counts": [13, 2, 2, 2, 5]}`), uint8(6), uint8(4))
	f.Add([]byte(`{"size": [4, 6], "counts": "d04"}`), uint8(6), uint8(4))
	f.Fuzz(func(t *testing.T, raw []byte, w, h uint8) {
		if w == 0 || h == 0 {
			return
		}
		masks, err := outlinesOf(raw, int(w), int(h))
		if err != nil {
			return
		}
		for _, m := range masks {
			if err := m.Validate(); err != nil {
				t.Error(err)
			}
			if slices.Contains(m.Decode(), 2) {
				t.Error("not binary")
			}
		}
	})
}
