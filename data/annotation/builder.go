package annotation

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/maskcode"
	"wsss/data/words"
)

// mostSkipped bounds Set.Skipped.
const mostSkipped = 20

// Builder gathers what a format's reader reads.
type Builder struct {
	src     *Source
	set     Set
	byID    map[string]*Image
	values  map[string]int // class name → label value
	pinned  bool           // the table is the caller's
	ordered bool           // the file gave the order of the classes
	flat    error          // the first object that covers nothing and is left out; the faults name all
}

func newBuilder(src *Source, classes []string) *Builder {
	b := &Builder{src: src, byID: map[string]*Image{}, values: map[string]int{}, pinned: len(classes) > 0}
	b.set.Classes.Names, b.set.Other = []string{"background"}, map[string]int{}
	if b.pinned {
		b.set.Classes.Names = slices.Clone(classes)
		for i, name := range classes {
			b.values[name] = i
		}
	}
	return b
}

// skipped is the label value of classes that are left out.
const skipped = -1

// Declare adds a class that the files list, in their order.
func (b *Builder) Declare(name string) error {
	b.ordered = true
	return b.AddClass(name)
}

// AddClass adds a class that the files know, though no label may be of it: unlike Class
// it counts none that is left out.
func (b *Builder) AddClass(name string) error {
	if b.pinned {
		return nil
	}
	_, err := b.Class(name)
	return err
}

// Class is the label value of a class by its name; a new class is added to
// the table. It is negative where objects of it are to be left out.
func (b *Builder) Class(name string) (int, error) {
	name = strings.TrimSpace(name)
	if v, ok := b.values[name]; ok {
		return v, nil
	}
	switch {
	case name == "":
		return 0, fmt.Errorf("a class without a name")
	case maskcode.IsBackground(name):
		return 0, nil
	case isVoid(name):
		return data.Ignore, nil
	case b.pinned:
		b.set.Other[name]++
		return skipped, nil
	case strings.ContainsAny(name, "\n\r"):
		return 0, fmt.Errorf("class %q: allowed is text without line breaks", name)
	case len(b.values) >= data.MaxClasses-1:
		return 0, fmt.Errorf("class %q is one of more than %d: name the wanted ones in data.options.names", name, data.MaxClasses-1)
	}
	v := len(b.set.Classes.Names)
	b.values[name] = v
	b.set.Classes.Names = append(b.set.Classes.Names, name)
	return v, nil
}

// Image is the image that a file means, see Source.Find; nil where the folder
// has no such photo, which the set then tells of. from names the file and the
// item for errors.
func (b *Builder) Image(name, near, from string) (*Image, error) {
	id, err := b.src.Find(name, near)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if id == "" {
		b.miss(name)
		return nil, nil
	}
	return b.Photo(id, from), nil
}

// mostFaults bounds the faults that are kept of a set.
const mostFaults = 10_000

// Fault notes what is odd in a file though it can be read.
func (b *Builder) Fault(f data.Fault) {
	if len(b.set.Faults) < mostFaults {
		b.set.Faults = append(b.set.Faults, f)
	}
}

// leave notes an object that covers nothing, which is then left out; it returns
// any other error. err names the file and the item.
func (b *Builder) leave(err error) error {
	if !errors.Is(err, errFlat) {
		return err
	}
	b.left(err)
	return nil
}

// left notes an object that covers nothing and was left out.
func (b *Builder) left(err error) {
	if b.flat == nil {
		b.flat = err
	}
	b.Fault(data.Fault{Kind: "object-empty", Warning: true, Message: err.Error() + ": it is left out"})
}

// miss notes an image that the folder lacks.
func (b *Builder) miss(name string) {
	b.set.Lost++
	if len(b.set.Skipped) < mostSkipped {
		b.set.Skipped = append(b.set.Skipped, name)
	}
}

// Photo is the image of an id.
func (b *Builder) Photo(id, from string) *Image {
	im := b.byID[id]
	if im == nil {
		im = &Image{ID: id, From: from, Split: b.src.splitOf(id)}
		b.byID[id] = im
	}
	return im
}

// splitOf reads a split off the folders of a photo's path; "" where the photos
// lie in folders of one split alone: it may be full of pictures of trains.
func (s *Source) splitOf(id string) string {
	s.splitsOnce.Do(func() {
		names := map[string]bool{}
		for id := range s.photos {
			if split := folderSplit(id); split != "" {
				names[split] = true
			}
		}
		s.splits = len(names) > 1
	})
	if !s.splits {
		return ""
	}
	return folderSplit(id)
}

func folderSplit(id string) string {
	for dir := range strings.SplitSeq(path.Dir(id), "/") {
		if split := splitName(dir); split != "" {
			return split
		}
	}
	return ""
}

// splitName is the split that a name means: tools call the same ones
// differently.
func splitName(name string) string {
	switch strings.ToLower(name) {
	case "train", "training":
		return "train"
	case "val", "valid", "validation":
		return "val"
	case "test", "testing":
		return "test"
	}
	return ""
}

// finish sorts images, and classes where no file gives their order, and leaves
// out what is of no class.
func (b *Builder) finish() (*Set, error) {
	if len(b.byID) == 0 && b.set.Lost > 0 {
		return nil, fmt.Errorf("%s: the annotations name %s, and none is there, for example %s", b.src.Root, words.Plural(b.set.Lost, "image"), b.set.Skipped[0])
	}
	if b.flat != nil && !b.anyObject() { // of all of them: the coordinates are others
		return nil, b.flat
	}
	for _, im := range b.byID {
		if im.W > data.MaxPixels || im.H > data.MaxPixels || im.W > 0 && im.H > 0 && int64(im.W)*int64(im.H) > data.MaxPixels {
			return nil, fmt.Errorf("%s: an image of %d×%d pixels: at most %d are allowed", im.From, im.W, im.H, data.MaxPixels)
		}
		b.set.Images = append(b.set.Images, im)
		drop := func(class int) bool { return class < 0 }
		im.Tags = slices.DeleteFunc(im.Tags, drop)
		im.Objects = slices.DeleteFunc(im.Objects, func(o Object) bool { return drop(o.Class) })
		im.Points = slices.DeleteFunc(im.Points, func(p data.Point) bool { return drop(p.Class) })
		im.Scribbles = slices.DeleteFunc(im.Scribbles, func(s data.Scribble) bool { return drop(s.Class) })
	}
	slices.SortFunc(b.set.Images, func(x, y *Image) int { return strings.Compare(x.ID, y.ID) })
	b.tellTwice()
	if b.set.splits == nil {
		b.set.splits = map[string]string{}
	}
	for _, im := range b.set.Images {
		if im.Split != "" {
			b.set.splits[im.ID] = im.Split
		}
	}
	b.set.src = b.src
	if !b.ordered && !b.pinned {
		b.sortClasses()
	}
	b.set.findForms()
	return &b.set, nil
}

// anyObject tells whether an image has an object.
func (b *Builder) anyObject() bool {
	for _, im := range b.byID {
		if len(im.Objects) > 0 {
			return true
		}
	}
	return false
}

// tellTwice notes photos of which objects are there twice, as where an export lies in
// two files.
func (b *Builder) tellTwice() {
	type object struct {
		data.Box
		outlines int
	}
	for _, im := range b.set.Images {
		seen := make(map[object]bool, len(im.Objects))
		for i := range im.Objects {
			seen[object{im.Objects[i].Box, len(im.Objects[i].Rings)}] = true
		}
		twice := len(im.Objects) - len(seen)
		if twice > 0 {
			b.Fault(data.Fault{Kind: "object-twice", Warning: true, Message: fmt.Sprintf("%s: %s there twice (the same export in two files?)", im.From, words.Count(twice, "object is", "objects are"))})
		}
	}
}

// sortClasses orders the classes by name and renumbers the labels.
func (b *Builder) sortClasses() {
	old := b.set.Classes.Names
	names := slices.Clone(old)
	slices.Sort(names[1:])
	value := make([]int, len(old))
	for i, name := range old {
		value[i] = slices.Index(names, name)
	}
	renumber := func(class *int) {
		if *class > 0 && *class < len(value) {
			*class = value[*class]
		}
	}
	for _, im := range b.set.Images {
		for i := range im.Tags {
			renumber(&im.Tags[i])
		}
		for i := range im.Objects {
			renumber(&im.Objects[i].Class)
		}
		for i := range im.Points {
			renumber(&im.Points[i].Class)
		}
		for i := range im.Scribbles {
			renumber(&im.Scribbles[i].Class)
		}
	}
	b.set.Classes.Names = names
}
