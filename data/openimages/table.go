package openimages

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/data/coco"
	"wsss/data/voc"
)

// mappingCSV is the reviewed table, one row per COCO class. Columns: its names
// in COCO and VOC, its word in prompts where that differs, and names of Open
// Images labels, separated by semicolons:
//
//	is     each means the class; the class is absent where all are
//	also   means the class, too, but its absence says nothing
//	near   often looks like the class or comes with it: absence is then doubted
//	above  wider than the class: where it is absent, so is the class
//
// The official hierarchy stands behind also (below) and above, with these
// departures: taxis are cars, bulls are cows, golf balls are balls, kitchen
// knives are knives and mixing bowls bowls; teddy bears are no bears, and
// studio couches are couches rather than beds. Wide groups whose rejection
// nobody applies to such things are left out of above (clothing for bags,
// tools for forks, food for fruit).
//
//go:embed mapping.csv
var mappingCSV string

// namesCSV gives the identifiers of the labels in the table, in the form of
// class-descriptions-boxable.csv.
//
//go:embed names.csv
var namesCSV string

// Class is one class of the target dataset in terms of Open Images.
type Class struct {
	Name                  string   // in VOC or COCO
	Word                  string   // in prompts; box2024 renames motorcycle and tv (docs/sources.md §7)
	Is, Also, Near, Above []string // names of Open Images labels
}

// Kinds are the target datasets.
var Kinds = []string{"voc", "coco"}

// Classes returns the classes of VOC (20) or COCO (80) in the order of the
// label values 1, 2, ….
func Classes(kind string) ([]Class, error) {
	order, ok := classOrder[kind]
	if !ok {
		return nil, fmt.Errorf("classes = %q: allowed are %s", kind, strings.Join(Kinds, ", "))
	}
	rows, err := csv.NewReader(strings.NewReader(mappingCSV)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("mapping.csv: %w", err)
	}
	column := slices.Index(rows[0], kind)
	classes := make([]Class, len(order))
	for _, row := range rows[1:] {
		i := slices.Index(order, row[column])
		if i < 0 {
			continue
		}
		c := Class{Name: row[column], Word: row[2], Is: list(row[3]), Also: list(row[4]), Near: list(row[5]), Above: list(row[6])}
		if c.Word == "" {
			c.Word = row[0]
		}
		classes[i] = c
	}
	for i, c := range classes {
		if c.Name == "" {
			return nil, fmt.Errorf("mapping.csv lacks %s class %q", kind, order[i])
		}
	}
	return classes, nil
}

func list(cell string) []string {
	if cell == "" {
		return nil
	}
	return strings.Split(cell, ";")
}

// maxDescriptions bounds a class description file; the largest official one
// has 0.5 MB.
const maxDescriptions = 64 << 20

// readDescriptions reads a class description file, with or without header:
// identifier to name.
func readDescriptions(r io.Reader) (map[string]string, error) {
	in := csv.NewReader(io.LimitReader(r, maxDescriptions))
	in.FieldsPerRecord = -1
	names := map[string]string{}
	for {
		row, err := in.Read()
		switch {
		case errors.Is(err, io.EOF):
			return names, nil
		case err != nil:
			return nil, err
		}
		line, _ := in.FieldPos(0)
		if row[0] == "LabelName" {
			continue
		}
		if len(row) < 2 || !strings.HasPrefix(row[0], "/") {
			return nil, fmt.Errorf("line %d: %q: want identifier,name, for example /m/04_sv,Motorcycle", line, strings.Join(row, ","))
		}
		names[row[0]] = row[1]
	}
}

// labels indexes the Open Images labels that the classes of a kind refer to.
type labels struct {
	classes []Class
	ids     []string       // identifiers, sorted
	index   map[string]int // identifier → index in ids
	byName  map[string]int
	// What each class needs, as indices.
	is, also, near, above [][]int
}

// newLabels resolves the names of a table. With descriptions, a file of the
// user's, their identifiers must be what the file says.
func newLabels(kind, descriptions string) (*labels, error) {
	table, ok := tables[kind]
	if !ok {
		_, err := Classes(kind)
		return nil, err
	}
	if descriptions != "" {
		f, _, err := files.OpenRegular(descriptions)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		given, err := readDescriptions(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", descriptions, err)
		}
		official, err := officialNames()
		if err != nil {
			return nil, err
		}
		for id, name := range official {
			if !strings.EqualFold(given[id], name) {
				return nil, fmt.Errorf("%s: %s is %q, the mapping wants %q: not an Open Images V4 to V7 class file?", descriptions, id, given[id], name)
			}
		}
	}
	return table()
}

var officialNames = sync.OnceValues(func() (map[string]string, error) {
	names, err := readDescriptions(strings.NewReader(namesCSV))
	if err != nil {
		return nil, fmt.Errorf("names.csv: %w", err)
	}
	return names, nil
})

// tables has the labels of each kind, which nobody changes.
var tables = func() map[string]func() (*labels, error) {
	of := map[string]func() (*labels, error){}
	for _, kind := range Kinds {
		of[kind] = sync.OnceValues(func() (*labels, error) {
			classes, err := Classes(kind)
			if err != nil {
				return nil, err
			}
			names, err := officialNames()
			if err != nil {
				return nil, err
			}
			return resolve(classes, names)
		})
	}
	return of
}()

func resolve(classes []Class, names map[string]string) (*labels, error) {
	idOf := map[string]string{}
	for id, name := range names {
		idOf[name] = id
	}
	l := &labels{classes: classes, index: map[string]int{}, byName: map[string]int{}}
	for _, c := range classes {
		for _, name := range slices.Concat(c.Is, c.Also, c.Near, c.Above) {
			id, ok := idOf[name]
			if !ok {
				return nil, fmt.Errorf("class %q: names.csv lacks %q", c.Name, name)
			}
			l.ids = append(l.ids, id)
			l.byName[name] = -1
		}
	}
	slices.Sort(l.ids)
	l.ids = slices.Compact(l.ids)
	if len(l.ids) > 256 {
		return nil, fmt.Errorf("the mapping uses %d labels: at most 256 are allowed", len(l.ids))
	}
	for i, id := range l.ids {
		l.index[id] = i
		l.byName[names[id]] = i
	}
	indices := func(names []string) []int {
		var at []int
		for _, n := range names {
			at = append(at, l.byName[n])
		}
		return at
	}
	for _, c := range classes {
		l.is = append(l.is, indices(c.Is))
		l.also = append(l.also, indices(c.Also))
		l.near = append(l.near, indices(c.Near))
		l.above = append(l.above, indices(c.Above))
	}
	return l, nil
}

// verdict is what people said of one label of one image.
type verdict uint8

const (
	unseen verdict = iota
	absent
	present
	disputed // said to be both
)

// classify turns verdicts on labels, by index, into classes 1.. that the image
// holds and classes it was verified not to hold.
func (l *labels) classify(said []verdict) (positive, negative []int) {
	has := func(at []int, v verdict) bool {
		return slices.ContainsFunc(at, func(i int) bool { return said[i] == v })
	}
	for c := range l.classes {
		all := true
		for _, i := range l.is[c] {
			all = all && said[i] == absent
		}
		switch {
		case has(l.is[c], present), has(l.also[c], present):
			positive = append(positive, c+1)
		case has(l.is[c], disputed), has(l.also[c], disputed), has(l.near[c], present):
		case all, has(l.above[c], absent):
			negative = append(negative, c+1)
		}
	}
	return positive, negative
}

// checkHierarchy compares the table with bbox_labels_600_hierarchy.json: every
// label below one that means a class must be accounted for.
func checkHierarchy(kind, path string) error {
	l, err := newLabels(kind, "")
	if err != nil {
		return err
	}
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var root node
	if err := json.NewDecoder(io.LimitReader(f, maxDescriptions)).Decode(&root); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var errs []error
	for c, class := range l.classes {
		known := slices.Concat(l.is[c], l.also[c], l.near[c])
		for _, i := range l.is[c] {
			root.below(l.ids[i], false, func(id string) {
				if at, ok := l.index[id]; !ok || !slices.Contains(known, at) {
					errs = append(errs, fmt.Errorf("%s: %s is below %s, which means %q, and the mapping does not mention it", path, id, l.ids[i], class.Name))
				}
			})
		}
	}
	return errors.Join(errs...)
}

// node is one label of the official hierarchy.
type node struct {
	LabelName   string
	Subcategory []node
}

// below visits what is below the label id; inside says that n is.
func (n node) below(id string, inside bool, visit func(id string)) {
	if inside {
		visit(n.LabelName)
	}
	for _, sub := range n.Subcategory {
		sub.below(id, inside || n.LabelName == id, visit)
	}
}

// classOrder gives the label values: the class at index i has value i+1.
var classOrder = map[string][]string{"voc": voc.ClassNames, "coco": coco.ClassNames}

// Word is what a class is called in prompts: VOC's and COCO's classes as
// box2024 renames them (docs/sources.md §7), any other by its own name.
func Word(class string) string {
	if w, ok := promptWords()[class]; ok {
		return w
	}
	return class
}

var promptWords = sync.OnceValue(func() map[string]string {
	words := map[string]string{}
	for _, kind := range Kinds {
		table, err := Classes(kind)
		if err != nil {
			panic(err) // the package's own table
		}
		for _, c := range table {
			words[c.Name] = c.Word
		}
	}
	return words
})
