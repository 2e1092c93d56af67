package annotation_test

import (
	"os"
	"path/filepath"
	"testing"

	"wsss/data/annotation"
	"wsss/data/annotation/annotationtest"
)

// fuzzFormat feeds bytes as the file called name to a format's reader. Seeds
// are the files of that extension in every layout of the format.
func fuzzFormat(f *testing.F, format, name string, seeds ...string) {
	photos := annotationtest.Photos(3)
	for _, layout := range annotationtest.Layouts {
		if layout.Format != format {
			continue
		}
		dir := f.TempDir()
		layout.Write(annotationtest.NewWriter(f, dir), photos)
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == filepath.Ext(name) {
				var raw []byte
				raw, err = os.ReadFile(path)
				f.Add(raw)
			}
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	root := f.TempDir()
	w := annotationtest.NewWriter(f, root)
	ids := map[string]string{}
	for _, p := range photos {
		w.Photo(p.Name+".png", p)
		ids[p.Name] = filepath.Join(root, p.Name+".png")
	}
	dir := f.TempDir() // one per process: folders are slow to make
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
		src, err := annotation.NewSource(dir, ids)
		if err != nil {
			t.Fatal(err)
		}
		annotation.Detect(src)
		set, err := annotation.Read(src, annotation.Options{Format: format, Files: []string{name}})
		if err != nil {
			return
		}
		for _, im := range set.Images {
			set.Weak(im, im.W, im.H)
			if im.W*im.H > 1<<16 { // a larger picture only takes longer to paint
				continue
			}
			if m, err := set.Truth(im, im.W, im.H); err == nil && m.CheckRange(set.Classes.Len()) != nil {
				t.Errorf("a mask of classes that are not in %v", set.Classes)
			}
		}
	})
}

func FuzzYOLO(f *testing.F) {
	fuzzFormat(f, "yolo", "photo_00.txt", "0 0.5 0.5 0.1 0.1 0.9\n", "1 0 0 1 0 1 1\n")
}
func FuzzYOLONames(f *testing.F) {
	fuzzFormat(f, "yolo", "data.yaml", "names: [a]\nkpt_shape: [3, 2]\n")
}
func FuzzLabelme(f *testing.F) { fuzzFormat(f, "labelme", "photo_00.json") }
func FuzzCVAT(f *testing.F) {
	fuzzFormat(f, "cvat", "annotations.xml", `<annotations><image name="photo_00.png" width="4" height="4"><mask label="a" rle="1,2,1" left="0" top="0" width="2" height="2"/></image></annotations>`)
}
func FuzzLabelStudio(f *testing.F) {
	fuzzFormat(f, "labelstudio", "project.json", `[{"id":1,"image":"photo_00.png","label":[{"x":1,"y":1,"width":5,"height":5,"rotation":3,"rectanglelabels":["a"],"original_width":9,"original_height":9}]}]`)
}
func FuzzVIA(f *testing.F)         { fuzzFormat(f, "via", "via.json") }
func FuzzVIATable(f *testing.F)    { fuzzFormat(f, "via", "via.csv") }
func FuzzSupervisely(f *testing.F) { fuzzFormat(f, "supervisely", "photo_00.png.json") }
func FuzzVOC(f *testing.F)         { fuzzFormat(f, "voc", "photo_00.xml") }
func FuzzCOCO(f *testing.F)        { fuzzFormat(f, "coco", "instances.json") }
