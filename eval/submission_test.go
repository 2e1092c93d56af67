package eval

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

func TestWriteSubmission(t *testing.T) {
	ds, preds := sample(7, 30, 20, 21)
	ctx := context.Background()
	labels := t.TempDir()
	writeAll(t, labels, preds)
	writeAll(t, labels, map[string]*data.LabelMap{"not_in_the_split": data.NewLabelMap(3, 3)})
	for _, name := range []string{"a.tar", "a.tar.gz", "a.tgz"} {
		out := filepath.Join(t.TempDir(), name)
		info, err := WriteSubmission(ctx, ds, "val", labels, out, Submission{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if info.Images != 7 || info.Voids != 0 || len(info.SHA256) != 64 {
			t.Errorf("%s: %+v", name, info)
		}
		got := unpack(t, out)
		if len(got) != 7 {
			t.Errorf("%s holds %d files, want 7", name, len(got))
		}
		for id, want := range preds {
			m := got["results/VOC2012/Segmentation/comp6_test_cls/"+id+".png"]
			if m == nil || m.Size() != want.Size() || !slices.Equal(m.Pix, want.Pix) {
				t.Errorf("%s: %s.png is not the prediction", name, id)
			}
		}
		again := filepath.Join(t.TempDir(), name)
		if info2, err := WriteSubmission(ctx, ds, "val", labels, again, Submission{Workers: 1}, nil); err != nil || info2.SHA256 != info.SHA256 {
			t.Errorf("%s differs when written again: %v", name, err)
		}
	}

	tests := []struct {
		name string
		out  string
		s    Submission
		edit func(dir string)
		want string
	}{
		{"zip", "a.zip", Submission{}, nil, "takes .tar"},
		{"competition", "a.tar", Submission{Competition: "comp7"}, nil, "allowed are comp5 and comp6"},
		{"missing", "a.tar", Submission{}, func(dir string) { os.Remove(filepath.Join(dir, ds.ids[3]+".png")) }, "1 of 7 label maps"},
		{"size", "a.tar", Submission{}, func(dir string) {
			writeAll(t, dir, map[string]*data.LabelMap{ds.ids[2]: data.NewLabelMap(20, 30)})
		}, ds.ids[2] + ".png is 20×30 but the photo is 30×20"},
		{"value", "a.tar", Submission{}, func(dir string) { set(t, dir, ds.ids[1], preds, 21) }, ds.ids[1] + ".png: pixel (4,5) has value 21"},
		{"void", "a.tar", Submission{}, func(dir string) { set(t, dir, ds.ids[1], preds, 255) }, "holds void"},
		{"void as background", "a.tar", Submission{Void: true, Competition: "comp5"}, func(dir string) { set(t, dir, ds.ids[1], preds, 255) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeAll(t, dir, preds)
			if tt.edit != nil {
				tt.edit(dir)
			}
			out := filepath.Join(t.TempDir(), tt.out)
			info, err := WriteSubmission(ctx, ds, "val", dir, out, tt.s, nil)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a refused archive was left: %v", err)
				}
				return
			}
			if err != nil || info.Voids != 1 {
				t.Fatalf("%+v, %v", info, err)
			}
			if m := unpack(t, out)["results/VOC2012/Segmentation/comp5_test_cls/"+ds.ids[1]+".png"]; m == nil || m.At(4, 5) != 0 {
				t.Error("void was not written as background")
			}
		})
	}
}

// TestSubmissionIDs uses the real list of VOC's test split.
func TestSubmissionIDs(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(datatest.Shared(t), "voc_lists", "seam", "voc12", "test.txt"))
	if err != nil {
		t.Skip("no list of VOC's test split: ", err)
	}
	ds := &vocTest{memory{classes: 21, truth: map[string]*data.LabelMap{}}}
	for _, line := range strings.Fields(string(raw)) {
		if id := strings.TrimSuffix(filepath.Base(line), ".jpg"); !slices.Contains(ds.ids, id) {
			ds.ids = append(ds.ids, id)
		}
	}
	dir := t.TempDir()
	for _, id := range ds.ids {
		writeAll(t, dir, map[string]*data.LabelMap{id: data.NewLabelMap(8, 8)})
	}
	out := filepath.Join(t.TempDir(), "results.tgz")
	info, err := WriteSubmission(context.Background(), ds, "test", dir, out, Submission{}, nil)
	if err != nil || info.Images != 1456 || len(unpack(t, out)) != 1456 {
		t.Errorf("%+v, %v: want 1,456 images", info, err)
	}
	first := ds.ids[0]
	ds.ids[0] = "2007_000033" // of val
	if _, err := WriteSubmission(context.Background(), ds, "test", dir, out, Submission{}, nil); err == nil || !strings.Contains(err.Error(), "test.txt") {
		t.Errorf("an image of another split: error %v", err)
	}
	ds.ids[0] = first
	ds.ids = ds.ids[1:]
	if _, err := WriteSubmission(context.Background(), ds, "test", dir, out, Submission{}, nil); err == nil || !strings.Contains(err.Error(), "1455") {
		t.Errorf("1,455 images: error %v", err)
	}
}

type vocTest struct{ memory }

func (*vocTest) Name() string                   { return "voc" }
func (v *vocTest) IDs(string) ([]string, error) { return v.ids, nil }

// set writes a prediction with one pixel changed.
func set(t *testing.T, dir, id string, preds map[string]*data.LabelMap, v uint8) {
	t.Helper()
	m := preds[id].Clone()
	m.Set(4, 5, v)
	writeAll(t, dir, map[string]*data.LabelMap{id: m})
}

func unpack(t *testing.T, path string) map[string]*data.LabelMap {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if !strings.HasSuffix(path, ".tar") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]*data.LabelMap{}
	for tr := tar.NewReader(r); ; {
		head, err := tr.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := data.DecodeLabelMap(tr)
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", head.Name, err))
		}
		out[head.Name] = m
	}
}
