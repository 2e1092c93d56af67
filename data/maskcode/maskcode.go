// Package maskcode is how a data set tells what the colours of its masks mean:
// options in a config, or a labelmap.txt as CVAT and Datumaro write it.
package maskcode

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/text"
)

// Options are keys of [data.options], the same for all kinds.
type Options struct {
	Colours map[string]string `toml:"colours"`      // class name, or "void" → "128,0,0" or "#800000"
	Binary  bool              `toml:"binary_masks"` // masks of only 0 and 255 are masks of class 1
}

// LabelmapName is the file, in the root of a data set, that CVAT and Datumaro
// write beside RGB masks.
const LabelmapName = "labelmap.txt"

// Entry is a line of a labelmap.txt.
type Entry struct {
	Name    string
	Colour  data.RGB
	Colored bool
}

// Coding is what the masks of a data set mean. Colours that the options do not
// name come from root/labelmap.txt, where it exists. Black is background where
// the file names no background.
func (o Options) Coding(root string, classes data.Classes) (data.MaskCoding, error) {
	c := data.MaskCoding{Classes: classes.Len(), Binary: o.Binary}
	table := map[data.RGB]uint8{}
	if len(o.Colours) > 0 {
		table[data.RGB{}] = 0
	}
	for name, value := range o.Colours {
		rgb, err := parseColour(value)
		if err != nil {
			return c, configs.KeyErrorf("data.options.colours.%s: %w", name, err)
		}
		label, ok := labelOf(name, classes)
		if !ok {
			return c, configs.KeyErrorf("data.options.colours: %q is no class: allowed are %s and void", name, strings.Join(classes.Names, ", "))
		}
		table[rgb] = label
	}
	if len(table) == 0 {
		entries, err := readLabelmap(filepath.Join(root, LabelmapName))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
		background := false
		for _, e := range entries {
			if label, ok := labelOf(e.Name, classes); ok && e.Colored {
				table[e.Colour] = label
				background = background || label == 0
			}
		}
		if _, taken := table[data.RGB{}]; len(table) > 0 && !background && !taken {
			table[data.RGB{}] = 0
		}
	}
	if len(table) > 0 {
		c.Colours = table
	}
	return c, nil
}

// backgrounds and voids are the names that tools give to labels 0 and 255.
var (
	backgrounds = []string{"background", "_background_", "__background__"}
	voids       = []string{"void", "ignore", "__ignore__", "unlabeled", "unlabelled"}
)

// IsBackground tells whether a class of this name is what no object covers.
func IsBackground(name string) bool { return slices.Contains(backgrounds, strings.ToLower(name)) }

func labelOf(name string, classes data.Classes) (uint8, bool) {
	switch c := classes.Index(name); {
	case c >= 0:
		return uint8(c), true
	case IsBackground(name):
		return 0, true
	case slices.Contains(voids, strings.ToLower(name)):
		return data.Ignore, true
	}
	return 0, false
}

// Names are the classes of a label map, background first.
func Names(entries []Entry) []string {
	names := []string{"background"}
	for _, e := range entries {
		if !IsBackground(e.Name) && !slices.Contains(voids, strings.ToLower(e.Name)) {
			names = append(names, e.Name)
		}
	}
	return names
}

// maxLabelmap bounds the size of a labelmap.txt in bytes.
const maxLabelmap = 1 << 20

// readLabelmap reads lines "name:r,g,b:parts:actions"; # begins a comment. The
// error wraps fs.ErrNotExist where there is no file, else names the line.
func readLabelmap(path string) ([]Entry, error) {
	f, size, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxLabelmap {
		return nil, fmt.Errorf("%s: %d bytes: at most %d are allowed", path, size, maxLabelmap)
	}
	entries, err := parseLabelmap(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return entries, nil
}

func parseLabelmap(r io.Reader) ([]Entry, error) {
	r, err := text.Reader(r, "")
	if err != nil {
		return nil, err
	}
	var entries []Entry
	seen := map[string]bool{}
	scan := bufio.NewScanner(r)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ":")
		e := Entry{Name: strings.TrimSpace(fields[0])}
		if len(fields) > 1 && strings.TrimSpace(fields[1]) != "" {
			if e.Colour, err = parseColour(fields[1]); err != nil {
				return nil, fmt.Errorf("%d: %w", n, err)
			}
			e.Colored = true
		}
		if e.Name == "" || seen[e.Name] {
			return nil, fmt.Errorf("%d: the name %.60q is empty or a second time there: allowed are lines \"name:red,green,blue::\"", n, e.Name)
		}
		seen[e.Name] = true
		entries = append(entries, e)
	}
	return entries, scan.Err()
}

// parseColour reads "128,0,0" or "#800000".
func parseColour(s string) (data.RGB, error) {
	s = strings.TrimSpace(s)
	bad := fmt.Errorf("colour %.40q: allowed are \"red,green,blue\" of 0 to 255 and \"#rrggbb\"", s)
	if hex, ok := strings.CutPrefix(s, "#"); ok {
		v, err := strconv.ParseUint(hex, 16, 32)
		if err != nil || len(hex) != 6 {
			return data.RGB{}, bad
		}
		return data.RGB{uint8(v >> 16), uint8(v >> 8), uint8(v)}, nil
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	if len(parts) != 3 {
		return data.RGB{}, bad
	}
	var rgb data.RGB
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return data.RGB{}, bad
		}
		rgb[i] = uint8(v)
	}
	return rgb, nil
}
