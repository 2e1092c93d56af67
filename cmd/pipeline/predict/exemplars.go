package predict

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/folder"
	"wsss/gen"
)

// byExemplars tells whether a method works from boxes on a few photos, by which it
// finds objects on all.
func byExemplars(spec gen.Spec) bool {
	return slices.Equal(spec.Weak, []data.WeakKind{data.WeakExemplars})
}

// openExemplars opens the photos that args name together with those that boxes are on: of
// the same folder, or with -labels photos that lie beside the labels.
func (m Method) openExemplars(args []string, opts folder.Options, list func(args []string) ([]Photo, error)) (*folder.Dataset, []Photo, error) {
	if m.Labels == "" {
		photos, ds, err := m.openFolder(args, opts)
		if err == nil && ds.WeakSource(data.WeakBoxes) != nil {
			err = pipeline.Usagef("predict: %s holds no boxes: draw one around an object of each class, on any photo; -labels names a file or folder elsewhere", args[0])
		}
		return ds, photos, err
	}
	photos, err := list(args)
	if err != nil {
		return nil, nil, err
	}
	dir := m.Labels
	if info, err := files.Stat(dir); err == nil && !info.IsDir() {
		if ds, err := m.openPhotos(photos, opts); err == nil && ds.WeakSource(data.WeakBoxes) == nil {
			return ds, photos, nil
		}
		dir = filepath.Dir(dir)
	}
	all := photos
	if with, err := List([]string{dir}, nil, func(string) {}); err == nil { // else the boxes can only be of the photos of args
		all = together(with, photos)
	}
	ds, err := m.openPhotos(all, opts)
	if err != nil {
		return nil, nil, err
	}
	if ds.WeakSource(data.WeakBoxes) != nil {
		return nil, nil, pipeline.Usagef("predict: -labels %s: no box in it is on any of these photos, or on one beside the labels", m.Labels)
	}
	return ds, photos, nil
}

// together are the photos of two lists. A file that is in both has its id of the second;
// of two files of one id that of the first counts.
func together(first, second []Photo) []Photo {
	there, ids := map[string]bool{}, map[string]bool{}
	for _, p := range second {
		there[absolute(p.Path)] = true
	}
	var all []Photo
	for _, p := range first {
		if !there[absolute(p.Path)] {
			all, ids[p.ID] = append(all, p), true
		}
	}
	for _, p := range second {
		if !ids[p.ID] {
			all = append(all, p)
		}
	}
	return all
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// learn lets the method see the boxes, and gives what identifies them.
func learn(ctx context.Context, run *pipeline.Run, method gen.Method, ds *folder.Dataset) ([]string, error) {
	ids, err := ds.IDs(folder.SplitAll)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "wsss-exemplars-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	err = run.Step(ctx, "look at the exemplars", func(progress func(done, total int)) error {
		return gen.Learn(ctx, method, gen.Lesson{Dataset: ds, IDs: ids, Dir: dir, Progress: progress})
	})
	if err != nil {
		return nil, err
	}
	list, err := gen.InputFiles(method, "")
	for i, path := range list { // whose name is that of its contents
		list[i] = filepath.Base(path)
	}
	return list, err
}
