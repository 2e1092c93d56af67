package starter

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/folder"
	"wsss/data/voc"
	"wsss/data/words"
)

// openFolder opens a folder of photos with whatever labels it has.
func (s *Starter) openFolder() (data.Dataset, error) {
	extra := map[string]any{"skip_unknown": true}
	if len(s.classes) > 0 {
		extra["names"] = append([]string{"background"}, s.classes...)
	}
	for key, name := range s.findMasks() {
		extra[key] = name
		s.Options = append(s.Options, fmt.Sprintf("%s = %q", key, name))
	}
	slices.Sort(s.Options)
	open := func() (*folder.Dataset, error) {
		ds, err := data.Open(s.Kind, data.Options{Root: s.Root, Seed: 1, Extra: extra})
		if err != nil {
			return nil, err
		}
		return ds.(*folder.Dataset), nil
	}
	ds, err := open()
	if err != nil && len(s.classes) == 0 {
		if err := s.nameMasks(extra, err); err != nil {
			return nil, err
		}
		ds, err = open()
	}
	if err != nil {
		return nil, err
	}
	if len(s.classes) == 1 { // one class, masks of 0 and 255
		if _, binary, err := s.namesOfMasks(extra); err == nil && binary {
			extra["binary_masks"] = true
			s.Options = append(s.Options, "binary_masks = true    # 255 is the object, not void")
		}
	}
	set := ds.Annotations()
	if set == nil || set.Lost == 0 {
		delete(extra, "skip_unknown")
	}
	if err := s.foundLabels(ds); err != nil {
		return nil, err
	}
	s.chooseSplits(ds, extra)
	return open()
}

// noLabels says what to do with photos that nothing is known of.
func (s *Starter) noLabels(err error) error {
	photos, listErr := folder.List(s.Root)
	if listErr != nil || len(photos) == 0 {
		return err
	}
	return fmt.Errorf("%s holds %s and no labels that are read (%s).\nName the classes to label the photos by nothing else:  wsss init -classes \"cat,dog\" %s\nor label some of them with a tool of your choice, export, and run wsss init again (docs/folder.md)",
		s.Root, words.Plural(len(photos), "photo"), strings.Join(annotation.Names(), ", "), s.Root)
}

// foundLabels notes what the labels are read from, in options and for the
// person.
func (s *Starter) foundLabels(ds *folder.Dataset) error {
	names := ds.Classes().Names
	if len(names) > 1 {
		if _, err := folder.CheckClasses(names); err != nil { // a config could not name it
			return fmt.Errorf("%s: the labels: %w: rename it there", s.Root, err)
		}
	}
	set := ds.Annotations()
	own := set == nil && files.Exists(filepath.Join(s.Root, "classes.txt")) && len(s.classes) == 0
	if !own {
		s.Options = append(s.Options, fmt.Sprintf("names = [%s]", quoted(names)))
	}
	if set == nil {
		return nil
	}
	s.Options = append(s.Options, fmt.Sprintf("format = %q", set.Format))
	s.Found = fmt.Sprintf("%s, %s, classes %s", set.Format, someFiles(set.Files), strings.Join(names[1:], ", "))
	if set.Lost > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("the annotations name %s not there, for example %s", countAre(set.Lost, "image"), set.Skipped[0]))
	}
	for name, n := range set.Other {
		s.Notes = append(s.Notes, fmt.Sprintf("%s left out: %q is not among -classes", countAre(n, "label"), name))
	}
	slices.Sort(s.Notes)
	if others := s.otherFormats(set); len(others) > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("there are also labels of format %s: data.options.format chooses", strings.Join(others, ", ")))
	}
	for _, class := range s.classes {
		if !slices.ContainsFunc(set.Images, func(im *annotation.Image) bool { return im.Has(ds.Classes().Index(class)) }) {
			return fmt.Errorf("-classes: no label in %s is of %q; the labels there are of %s", s.Root, class, strings.Join(s.allNames(), ", "))
		}
	}
	return nil
}

// allNames are the classes that the files name.
func (s *Starter) allNames() []string {
	ds, err := folder.Open(s.Root, folder.Options{SkipUnknown: true}, 1)
	if err != nil {
		return nil
	}
	return ds.Classes().Names[1:]
}

// otherFormats lists formats that were found and are not read.
func (s *Starter) otherFormats(set *annotation.Set) (names []string) {
	photos, err := folder.List(s.Root)
	if err != nil {
		return nil
	}
	src, err := annotation.NewSource(s.Root, photos)
	if err != nil {
		return nil
	}
	for _, found := range annotation.Detect(src) {
		if found.Format != set.Format {
			names = append(names, found.Format)
		}
	}
	return names
}

// countAre is "1 image is" or "3 images are".
func countAre(n int, what string) string {
	return words.Count(n, what+" that is", what+"s that are")
}

func someFiles(files []string) string {
	if len(files) == 1 {
		return files[0]
	}
	return fmt.Sprintf("%d files", len(files))
}

// chooseSplits takes the splits that the folder has; what is missing is drawn.
func (s *Starter) chooseSplits(ds *folder.Dataset, extra map[string]any) {
	all, _ := ds.IDs(folder.SplitAll)
	s.Train, s.Val = pick(ds, "train"), pick(ds, "val")
	switch {
	case s.Train != "" && s.Val != "":
	case s.Train != "" && pick(ds, folder.SplitRest) != "":
		s.Val = folder.SplitRest
		s.Notes = append(s.Notes, "there is no list of validation images: those that are in no list serve (val_split = \"rest\")")
	case len(all) < 2:
		s.Train, s.Val = folder.SplitAll, folder.SplitAll
		s.Notes = append(s.Notes, "a single image: it serves for validation, too")
	default:
		if s.Train != "" {
			s.Notes = append(s.Notes, "there is no list of validation images: a fifth of the training images serves (val_fraction)")
		}
		if s.Val != "" { // a list of validation images alone: the others train
			if s.Train = pick(ds, folder.SplitRest); s.Train == "" {
				s.Train = folder.SplitAll
				s.Notes = append(s.Notes, "every image is in the list of validation images: the network is trained on what it is scored on (train_split = \"all\")")
			}
			return
		}
		s.Train, s.Val, extra["val_fraction"] = "train", "val", 0.2
		s.Options = append(s.Options, "val_fraction = 0.2    # drawn by the seed; or lists of your own: splits/train.txt, splits/val.txt")
	}
}

// ownNames are the classes of a folder in VOC's layout that are not VOC's:
// those of -classes, of classes.txt or of the XML files; nil for VOC's own.
func (s *Starter) ownNames() (names []string, from string, err error) {
	if len(s.classes) > 0 {
		return s.classes, "-classes", nil
	}
	if s.Kind != "voc" {
		return nil, "", nil
	}
	if file := filepath.Join(s.Root, "classes.txt"); files.Exists(file) {
		classes, err := folder.ReadClasses(file)
		if err != nil {
			return nil, "", err
		}
		return classes.Names[1:], "classes.txt, not VOC's own", nil
	}
	ds, err := folder.Open(s.Root, folder.Options{Format: "voc", Images: "JPEGImages", SkipUnknown: true}, 1)
	if err != nil {
		return nil, "", nil // no XML: the masks count by VOC's classes
	}
	for _, name := range ds.Classes().Names[1:] {
		if !slices.Contains(voc.ClassNames, name) {
			return ds.Classes().Names[1:], "the XML files, not VOC's own", nil
		}
	}
	return nil, "", nil
}
