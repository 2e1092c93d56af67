package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/maskcode"
	"wsss/models/backend"
	"wsss/models/manifest"
)

func init() {
	register(command{name: "init", args: "FOLDER", short: "a config for a folder of images and what labels it has", run: runInit})
}

const initIntro = `
wsss init looks at a folder of photos and writes a config for it: which labels
it has, in whatever format a labelling tool wrote them, the classes that the
files name, a method that turns the labels into masks with the models that are
on this machine, and a network of a size that it can train. What was chosen
stands in the file, with the alternatives.

  wsss init photos                          writes photos.toml
  wsss init -classes "cat,dog" photos       only these classes; or photos without any label
  wsss init -weak points -out my.toml photos
  wsss init /data/VOCdevkit/VOC2012

Labels are found where the tools leave them: CSV, YOLO, COCO, VOC, CVAT,
labelme, Label Studio and others (docs/folder.md), and folders of mask PNGs.`

func runInit(_ context.Context, args []string) error {
	f := newFlags("init", initIntro)
	out := f.String("out", "", "the `file` to write; default is the folder's name with .toml")
	kind := f.String("kind", "", "dataset `kind`: folder, voc, coco; default is what the folder looks like")
	weak := f.String("weak", "", "weak `labels` to use: none, tags, points, scribbles, boxes; default is what most images have")
	classes := f.String("classes", "", "the `names` of the classes, separated by commas, without background; default is what the files name")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return pipeline.Usagef("init: name the folder of the images, as in wsss init photos")
	}
	root := filepath.Clean(f.Arg(0))
	if info, err := os.Stat(root); err != nil {
		return pipeline.UsageError{Err: err}
	} else if !info.IsDir() {
		return pipeline.Usagef("%s is a file: name the folder of the images", root)
	}
	path, err := configPath(*out, root)
	if err != nil {
		return err
	}
	names, err := pipeline.ParseClasses(*classes)
	if err != nil {
		return err
	}
	s, err := newStarter(root, cmp.Or(*kind, kindOf(root)), data.WeakKind(*weak), names)
	if err != nil {
		return err
	}
	if err := s.write(path); err != nil {
		return err
	}
	s.report(stdout, path)
	return nil
}

// configPath is the file to write, which must not exist.
func configPath(out, root string) (string, error) {
	if out == "" {
		full, err := filepath.Abs(root) // "." has a name too
		if err != nil {
			return "", err
		}
		out = filepath.Base(full) + ".toml"
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		return "", pipeline.Usagef("%s exists already: name another file with -out, or remove it", out)
	}
	return out, nil
}

// kindOf guesses the kind of a dataset by the folders that the published ones
// unpack to.
func kindOf(root string) string {
	has := func(pattern string) bool {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		return err == nil && len(found) > 0
	}
	switch {
	case has("JPEGImages") && (has("ImageSets/Segmentation/*.txt") || has("*.txt") && !has("classes.txt")):
		return "voc"
	case has("annotations/instances_train201[47].json") || has("annotations/instances_val201[47].json"):
		return "coco"
	}
	return "folder"
}

// starter is what a first config is made of.
type starter struct {
	Root, Kind, Name string
	Train, Val       string
	Options          []string // lines of [data.options], TOML
	Images, Looked   int      // of the training split; so many were looked at
	Have             map[data.WeakKind]int
	Masks            int // of the images looked at
	Weak             data.WeakKind
	Truth            bool // the validation split has masks
	Supervised       bool // train on the masks
	own              bool // the classes are the folder's own, in a published layout
	Methods          []string
	Models           []string // to be fetched first
	Start            string   // initial weights that are here; "" = none
	GPU              bool
	Found            string   // what the labels are read from
	Notes            []string // for the person
	classes          []string // of -classes, without background
	draw             bool     // the labels are yet to be drawn, in review
}

// mostLooked bounds the images that are looked at for labels, and mostMasks
// those that are looked at for masks.
const (
	mostLooked = 500
	mostMasks  = 40
)

func newStarter(root, kind string, weak data.WeakKind, classes []string) (*starter, error) {
	if weak != "" && !slices.Contains(data.WeakKinds, weak) {
		return nil, pipeline.Usagef("-weak %q: allowed are %v", weak, data.WeakKinds)
	}
	full, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	s := &starter{Root: root, Kind: kind, Name: filepath.Base(full), GPU: backend.HasGPU(), classes: classes}
	ds, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := s.look(ds); err != nil {
		var unknown *data.ColourError
		if errors.As(err, &unknown) {
			err = fmt.Errorf("%w\nWrite %s with a line for each class, as  cat:255,0,0::  (docs/folder.md), and run wsss init again", err, filepath.Join(root, maskcode.LabelmapName))
		}
		return nil, err
	}
	s.Weak = cmp.Or(weak, s.best())
	// VOC 2012 and COCO have masks, too; there weak labels are what is wanted.
	if s.Kind == folder.Kind || s.own || s.Have[s.Weak] == 0 {
		s.useMasks(weak)
	}
	if s.Weak != data.WeakNone && s.Have[s.Weak] == 0 && s.nothingYet() {
		s.draw = true
		return s, s.choose()
	}
	if s.Weak != data.WeakNone && s.Have[s.Weak] == 0 {
		return nil, fmt.Errorf("%s: none of the %d images of %s that were looked at has %s; docs/folder.md and docs/datasets.md tell where they belong", root, s.Looked, s.Train, s.Weak)
	}
	return s, s.choose()
}

// nothingYet tells that the photos have no label of any form, and classes that
// labels can be drawn of.
func (s *starter) nothingYet() bool {
	for _, n := range s.Have {
		if n > 0 {
			return false
		}
	}
	return len(s.classes) > 0 && s.Masks == 0 && s.Weak != data.WeakTags
}

// useMasks trains on masks where as many images have them as have labels, or
// draws the labels that are asked for from them.
func (s *starter) useMasks(asked data.WeakKind) {
	if s.Masks == 0 {
		return
	}
	looked := min(s.Looked, mostMasks)
	s.Supervised = asked == "" && s.Masks*s.Looked >= s.Have[s.Weak]*looked
	if s.Kind == folder.Kind && asked == "" && s.Have[s.Weak] == 0 {
		s.Weak = data.WeakBoxes
	}
	if s.Kind == folder.Kind && s.Weak != data.WeakNone && s.Have[s.Weak] == 0 {
		s.Options = append(s.Options, fmt.Sprintf("%s = \"masks\"    # drawn from the masks", s.Weak))
		s.Have[s.Weak] = s.Masks
	}
	switch {
	case s.Supervised && s.Weak == data.WeakNone:
		s.Notes = append(s.Notes, `the network is trained on the masks (train.labels = "truth")`)
	case s.Supervised:
		s.Notes = append(s.Notes, fmt.Sprintf("the network is trained on the masks (train.labels = \"truth\"); for labels made from %s instead take that line out", s.Weak))
	}
}

// open opens the dataset and finds its splits. A folder without lists of its
// own is divided.
func (s *starter) open() (data.Dataset, error) {
	if s.Kind == folder.Kind {
		return s.openFolder()
	}
	extra := map[string]any{}
	if names, from, err := s.ownNames(); err != nil {
		return nil, err
	} else if names != nil {
		extra["classes"], s.own = names, true
		s.Options = append(s.Options, fmt.Sprintf("classes = [%s]    # of %s", quoted(names), from))
	}
	ds, err := data.Open(s.Kind, data.Options{Root: s.Root, Seed: 1, Extra: extra})
	if err != nil {
		return nil, err
	}
	s.Train, s.Val = pick(ds, "train_aug", "train2014", "train2017", "train"), pick(ds, "val", "val2014", "val2017")
	if splits := ds.Splits(); s.Train == "" && len(splits) == 1 {
		s.Train = splits[0]
	}
	if s.Train == "" {
		return nil, fmt.Errorf("%s: no split for training among %v: write a config by hand, with data.train_split", s.Root, ds.Splits())
	}
	if s.Val == "" {
		s.Val = s.Train
		s.Notes = append(s.Notes, fmt.Sprintf("there is no list of validation images: scores are of the training images (val_split = %q)", s.Val))
	}
	return ds, nil
}

// pick is the first of the names that is a split.
func pick(ds data.Dataset, names ...string) string {
	for _, n := range names {
		if slices.Contains(ds.Splits(), n) {
			return n
		}
	}
	return ""
}

// quoted lists strings as TOML does.
func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(q, ", ")
}

// look counts the labels of images spread over the training split.
func (s *starter) look(ds data.Dataset) error {
	ids, err := ds.IDs(s.Train)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("%s: split %s has no images", s.Root, s.Train)
	}
	s.Images, s.Looked, s.Have = len(ids), min(len(ids), mostLooked), map[data.WeakKind]int{}
	for i := range s.Looked {
		sample, err := ds.Load(ids[i*len(ids)/s.Looked], data.WantWeak)
		if err != nil {
			return err
		}
		w := sample.Weak
		for kind, n := range map[data.WeakKind]int{data.WeakTags: len(w.Tags), data.WeakPoints: len(w.Points), data.WeakScribbles: len(w.Scribbles), data.WeakBoxes: len(w.Boxes)} {
			if n > 0 {
				s.Have[kind]++
			}
		}
	}
	if s.Masks, err = masksOf(ds, ids); err != nil {
		return err
	}
	val, err := ds.IDs(s.Val)
	if err != nil {
		return err
	}
	n, err := masksOf(ds, val)
	s.Truth = n > 0
	return err
}

// masksOf counts the images with a mask, of a number spread over the list.
func masksOf(ds data.Dataset, ids []string) (n int, err error) {
	looked := min(len(ids), mostMasks)
	for i := range looked {
		switch _, err := ds.Load(ids[i*len(ids)/looked], data.WantTruth); {
		case err == nil:
			n++
		case !errors.Is(err, data.ErrNoTruth):
			return n, err
		}
	}
	return n, nil
}

// best is the form of labels that most images have; of two, the one that
// says more.
func (s *starter) best() data.WeakKind {
	best := data.WeakNone
	for _, kind := range data.WeakKinds {
		if s.Have[kind] > 0 && s.Have[kind] >= s.Have[best] {
			best = kind
		}
	}
	return best
}

// choose finds methods for the labels, the first of which can run at once or
// after fetching Models.
func (s *starter) choose() error {
	store, err := manifest.Open("")
	if err != nil {
		return err
	}
	here := func(name string) bool {
		m, err := manifest.Find(name)
		return err == nil && !slices.ContainsFunc(store.Status(m), func(st manifest.Status) bool { return st.State == manifest.Absent })
	}
	sam := "mobile-sam"
	for _, name := range []string{"sam-vit-b", "sam-vit-l", "sam-vit-h", "sam-vit-b-meta", "sam-vit-l-meta", "sam-vit-h-meta"} {
		if here(name) && (s.Weak != data.WeakBoxes || strings.HasSuffix(name, "-meta")) { // the others' decoders take points only
			sam = name
		}
	}
	prompted := methodLines("sam", "sam = \""+sam+"\"", "score")
	classic := methodLines("grabcut", "", "smaller-first")
	grounded := methodLines("grounded-sam", "sam = \""+sam+"\"\ngdino = \"gdino-tiny\"", "class-index")
	need := []string{sam}
	switch s.Weak {
	case data.WeakTags, data.WeakNone:
		s.Methods, need = []string{grounded}, []string{sam, "gdino-tiny"}
	default:
		s.Methods = []string{prompted, classic}
		if !here(sam) {
			s.Methods, need = []string{classic, prompted + "\n# after: wsss models pull " + sam}, nil
		}
	}
	if s.Supervised {
		need = nil
	}
	for _, name := range need {
		if !here(name) {
			s.Models = append(s.Models, name)
		}
	}
	if here(s.Backbone()) {
		s.Start = s.Backbone()
	}
	return nil
}

// Backbone is the network that the machine can train.
func (s *starter) Backbone() string {
	if s.GPU {
		return "resnet101"
	}
	return "resnet18"
}

// write writes the config, and reads it again as a run would.
func (s *starter) write(path string) error {
	if err := files.WriteAtomic(path, func(w io.Writer) error { return starterText.Execute(w, s) }); err != nil {
		return err
	}
	_, err := configs.Load(path, nil)
	return err
}

func (s *starter) report(w io.Writer, path string) {
	fmt.Fprintf(w, "%s: kind %s, %d images to train on (split %s), scores on split %s\n", s.Root, s.Kind, s.Images, s.Train, s.Val)
	if s.Found != "" {
		fmt.Fprintf(w, "  labels: %s\n", s.Found)
	}
	for _, kind := range data.WeakKinds[1:] {
		fmt.Fprintf(w, "  %-10s of %d of %d images\n", kind, s.Have[kind], s.Looked)
	}
	fmt.Fprintf(w, "  %-10s of %d of %d images\n", "masks", s.Masks, min(s.Looked, mostMasks))
	if !s.Truth {
		s.Notes = append(s.Notes, fmt.Sprintf("no masks for split %s: nothing will be scored; the report shows the labels by their own signs of quality", s.Val))
	}
	if !s.draw && s.Weak == data.WeakNone && !s.Supervised && s.nothingYet() {
		s.Notes = append(s.Notes, "to draw labels instead of naming classes alone: wsss init -weak boxes, then wsss review")
	}
	if s.Start == "" {
		s.Notes = append(s.Notes, fmt.Sprintf("the network starts from random numbers; from ImageNet weights it learns far more from few photos: wsss models pull %s, then wsss init again", s.Backbone()))
	}
	for _, n := range s.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
	labels := fmt.Sprintf("labels from %s", s.Weak)
	switch {
	case s.Supervised:
		labels = "training on the masks"
	case s.Weak == data.WeakNone:
		labels = "labels from the names of the classes alone"
	}
	fmt.Fprintf(w, "wrote %s: %s. Next:\n\n  wsss data validate -config %s\n", path, labels, path)
	if s.draw {
		fmt.Fprintf(w, "  wsss review -config %s          draw the labels\n", path)
	}
	if len(s.Models) > 0 {
		fmt.Fprintf(w, "  wsss models pull %s\n", strings.Join(s.Models, " "))
	}
	net := pipeline.NetPseudo
	if s.Supervised {
		net = pipeline.NetBound
	}
	fmt.Fprintf(w, "  wsss run -config %s -dry-run\n  wsss run -config %s\n  wsss predict -checkpoint runs/%s/train/%s -out labels NEW-PHOTOS\n", path, path, s.Name, net)
}
