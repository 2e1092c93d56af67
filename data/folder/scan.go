package folder

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/maskcode"
	"wsss/data/names"
	"wsss/data/text"
)

// List maps the ids of the images below a folder to their files; Open takes
// the same ids.
func List(dir string) (map[string]string, error) { return listImages(dir, "") }

// listImages maps ids to files. Names that begin with a dot are skipped, and
// so are the folder of masks and folders that wsss has written.
func listImages(dir, masks string) (map[string]string, error) {
	root, err := files.EvalSymlinks(dir) // WalkDir does not enter a link
	if err != nil {
		return nil, err
	}
	if masks != "" {
		if masks, err = files.EvalSymlinks(masks); err != nil {
			return nil, err
		}
	}
	images := map[string]string{}
	err = files.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == root:
			return nil
		case e.IsDir() && (p == masks || strings.HasPrefix(e.Name(), ".") || names.IsOutput(p)):
			return fs.SkipDir
		case !e.Type().IsRegular() && e.Type() != fs.ModeSymlink: // a folder; reading a pipe would wait for ever
			return nil
		case strings.HasPrefix(e.Name(), ".") || !names.IsImage(p):
			return nil
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		id := names.TrimExtension(filepath.ToSlash(name))
		if first, dup := images[id]; dup {
			return fmt.Errorf("%s and %s have the same id %q: rename one of them", first, p, id)
		}
		images[id] = filepath.Join(dir, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, fmt.Errorf("%s holds no image: allowed are files %s, in any subfolder", dir, strings.Join(names.Extensions, ", "))
	}
	return images, nil
}

// readClasses reads the class table from the options or its file.
func (d *Dataset) readClasses(opts Options) (data.Classes, error) {
	if len(opts.Names) > 0 {
		c, err := CheckClasses(opts.Names)
		if err != nil {
			return c, configs.KeyErrorf("data.options.names: %w", err)
		}
		return c, nil
	}
	name := opts.Classes
	if name == "" {
		name = "classes.txt"
	}
	file, err := files.Join(d.root, name)
	if err != nil {
		return data.Classes{}, configs.KeyErrorf("data.options.classes: %w", err)
	}
	c, err := ReadClasses(file)
	if d.notes != nil {
		return checkedClasses(d.notes.Classes.Names) // by the table, where there is one
	}
	if errors.Is(err, fs.ErrNotExist) && opts.Classes == "" {
		if listed, err := maskcode.ClassesOf(d.root); err != nil || listed != nil {
			return data.Classes{Names: listed}, err
		}
		if learned, err2 := d.learnClasses(opts); len(learned) > 1 || err2 != nil {
			return data.Classes{Names: learned}, err2
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%w: write the class names there, one per line, background first, or set data.options.names", err)
	}
	return c, err
}

// ReadClasses reads a class table: one name per line, the first of which must
// be "background", since label value 0 is.
func ReadClasses(file string) (data.Classes, error) {
	lines, err := readLines(file)
	if err != nil {
		return data.Classes{}, err
	}
	names := make([]string, len(lines))
	for i, l := range lines {
		names[i] = l.text
	}
	c, err := CheckClasses(names)
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// nameEnds are what stands between names of classes in wsss' own files.
const nameEnds = ";|\n\r"

// CheckClasses makes a class table of names, background first.
func CheckClasses(names []string) (data.Classes, error) {
	if len(names) < 2 || len(names) > data.MaxClasses {
		return data.Classes{}, fmt.Errorf("%d class names: allowed are 2..%d, background included", len(names), data.MaxClasses)
	}
	if !maskcode.IsBackground(names[0]) {
		return data.Classes{}, fmt.Errorf("the first class is %q: allowed is \"background\", which is value 0 in masks", names[0])
	}
	seen := map[string]int{}
	for i, n := range names {
		if n == "" || strings.ContainsAny(n, nameEnds) {
			return data.Classes{}, fmt.Errorf("class %d has the name %q: allowed is text without ; | and line breaks", i, n)
		}
		if first, dup := seen[n]; dup {
			return data.Classes{}, fmt.Errorf("classes %d and %d are both called %q", first, i, n)
		}
		seen[n] = i
	}
	return data.Classes{Names: slices.Clone(names)}, nil
}

type numberedLine struct {
	number int
	text   string
}

// readLines reads the non-empty lines of a text file, trimmed.
func readLines(file string) ([]numberedLine, error) {
	f, _, err := files.OpenRegular(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []numberedLine
	plain, err := text.Reader(&bounded{r: f, left: maxFile}, "")
	if err != nil {
		return nil, fmt.Errorf("%s:1: %w", file, err)
	}
	scan := bufio.NewScanner(plain)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line != "" {
			lines = append(lines, numberedLine{n, line})
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, len(lines)+1, err)
	}
	return lines, nil
}

// readSplits makes the splits: all, the seeded ones, the lists.
func (d *Dataset) readSplits(opts Options, seed int64) error {
	all := idsOf(d.images)
	d.splits = map[string][]string{SplitAll: all}
	if d.notes != nil {
		for _, id := range all {
			if name := d.notes.SplitOf(id); name != "" {
				d.splits[name] = append(d.splits[name], id)
			}
		}
	}
	if err := d.readLists(opts); err != nil {
		return err
	}
	return d.drawVal(opts.ValFraction, seed)
}

// idsOf lists the ids of photos, ascending.
func idsOf(photos map[string]string) []string { return slices.Sorted(maps.Keys(photos)) }

// drawVal divides the train split, or everything where there is none, by
// val_fraction; and makes the split of what is in no other.
func (d *Dataset) drawVal(f float64, seed int64) error {
	if f != 0 {
		if _, taken := d.splits["val"]; taken {
			return configs.KeyErrorf("data.options.val_fraction = %v: the split \"val\" exists already (of splits/val.txt, or of the annotations): leave val_fraction out", f)
		}
		whole, ok := d.splits["train"]
		if !ok {
			whole = d.splits[SplitAll]
		}
		whole = slices.Clone(whole)
		slices.Sort(whole)
		d.splits["train"], d.splits["val"] = data.Divide(whole, f, seed)
	}
	if _, taken := d.splits[SplitRest]; taken || len(d.splits) == 1 {
		return nil
	}
	listed := map[string]bool{}
	for name, ids := range d.splits {
		for _, id := range ids {
			listed[id] = listed[id] || name != SplitAll
		}
	}
	rest := slices.DeleteFunc(slices.Clone(d.splits[SplitAll]), func(id string) bool { return listed[id] })
	if len(rest) > 0 {
		d.splits[SplitRest] = rest
	}
	return nil
}

// readLists reads the split lists.
func (d *Dataset) readLists(opts Options) error {
	dir, err := d.folder("splits", opts.Splits, "splits", false)
	if err != nil || dir == "" {
		return err
	}
	lists, err := files.Glob(dir, "*.txt")
	if err != nil {
		return err
	}
	for _, list := range lists {
		name := strings.TrimSuffix(filepath.Base(list), ".txt")
		if _, taken := d.splits[name]; taken {
			return fmt.Errorf("%s: the split %q exists already (every folder has %q; annotations may bring train, val and test)", list, name, SplitAll)
		}
		if d.splits[name], err = d.readSplit(list); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dataset) readSplit(list string) ([]string, error) {
	lines, err := readLines(list)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(lines))
	seen := make(map[string]int, len(lines))
	for i, l := range lines {
		id := sampleID(l.text)
		if !d.isImage(id) {
			if found, ok := d.resolve(l.text); ok {
				id = found
			}
		}
		if _, ok := d.images[id]; !ok {
			return nil, fmt.Errorf("%s:%d: no image %q: allowed are paths below the image folder, with or without extension", list, l.number, l.text)
		}
		if first := seen[id]; first > 0 {
			return nil, fmt.Errorf("%s:%d: %q is on line %d already", list, l.number, l.text, first)
		}
		seen[id], ids[i] = l.number, id
	}
	return ids, nil
}

// sampleID is the id that a name in a list or label file means.
func sampleID(name string) string {
	return names.TrimExtension(strings.TrimPrefix(strings.ReplaceAll(strings.TrimSpace(name), `\`, "/"), "./"))
}
