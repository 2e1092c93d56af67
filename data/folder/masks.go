package folder

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/names"
	"wsss/data/photo"
)

// besideEndings are the names of masks that lie beside their images, as
// Roboflow writes them. Other endings may be photos.
var besideEndings = []string{"_mask", "-mask", ".mask", "_masks"}

// takeMasks takes the masks that lie beside their images out of a list of
// images: id → mask.
func takeMasks(images map[string]string) map[string]string {
	masks := map[string]string{}
	var taken []string
	for id, file := range images {
		of := names.MaskOf(id)
		named := names.TrimExtension(id) != id || slices.ContainsFunc(besideEndings, func(end string) bool { return strings.HasSuffix(strings.ToLower(id), end) })
		if _, isImage := images[of]; isImage && named && strings.EqualFold(filepath.Ext(file), ".png") {
			masks[of] = file
			taken = append(taken, id)
		}
	}
	for _, id := range taken {
		delete(images, id)
	}
	return masks
}

// MaskPath is where the mask of a sample lies or would lie; "" where the
// folder has no masks or the id is unknown. Besides <id>.png, the names of
// other tools are found (names.Finder).
func (d *Dataset) MaskPath(id string) string {
	image, ok := d.images[id]
	if !ok {
		return ""
	}
	if d.masks == "" {
		return d.beside[id]
	}
	if file := d.finder.Mask(d.masks, id, filepath.Base(image), d.isImage); file != "" {
		return file
	}
	return filepath.Join(d.masks, filepath.FromSlash(id)+".png")
}

func (d *Dataset) isImage(id string) bool {
	_, ok := d.images[id]
	return ok
}

// HasTruth tells whether a sample has a mask.
func (d *Dataset) HasTruth(id string) (bool, error) {
	if path := d.MaskPath(id); path != "" && files.IsFile(path) {
		return true, nil
	}
	if d.notes != nil {
		im := d.notes.Image(id)
		return im != nil && d.notes.CheckTruth(im) == nil, nil
	}
	_, err := d.truth(id)
	if errors.Is(err, data.ErrNoTruth) {
		return false, nil
	}
	return err == nil, err
}

func (d *Dataset) truth(id string) (*data.LabelMap, error) {
	path := d.MaskPath(id)
	if d.notes != nil && !files.IsFile(path) {
		return d.annotatedTruth(id)
	}
	if path == "" {
		return nil, fmt.Errorf("%s of %s: %w (no folder of masks)", id, d.root, data.ErrNoTruth)
	}
	m, err := d.coding.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, data.ErrNoTruth)
	}
	if err != nil {
		return nil, err
	}
	return data.Upright(d.images[id], m), nil
}

// Faults names points and scribbles that are left out, and labels of an image of
// another size. What else is wrong with an image's labels is seen in them.
func (d *Dataset) Faults(id string) []data.Fault {
	if d.notes == nil {
		return nil
	}
	im := d.notes.Image(id)
	if im == nil {
		return nil
	}
	w, h, err := d.annotatedSize(im)
	if err != nil {
		return nil // reading the photo tells
	}
	faults := d.notes.LeftOut(im, w, h)
	if size, other := photo.OtherSize(d.images[id], image.Pt(w, h)); other {
		faults = append(faults, data.Fault{Kind: "size", Message: fmt.Sprintf("%s: the image is %d×%d for the file, but %s is %d×%d: its labels are of another size",
			im.From, w, h, d.images[id], size.X, size.Y)})
	}
	return faults
}

// FileFaults is what the reader of the annotations noted, and names the files
// below the folder of masks that are the mask of no image.
func (d *Dataset) FileFaults(string) []data.Fault {
	faults := slices.Clone(d.faults)
	if d.notes != nil {
		faults = append(faults, d.notes.Faults...)
	}
	return append(faults, d.strayMasks()...)
}

func (d *Dataset) strayMasks() []data.Fault {
	root, err := files.EvalSymlinks(d.masks) // WalkDir does not enter a link
	if err != nil || d.masks == "" {
		return nil
	}
	used := make(map[string]bool, len(d.images))
	for id := range d.images {
		used[d.MaskPath(id)] = true
	}
	var left []string
	err = files.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.EqualFold(filepath.Ext(p), ".png") || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		if name, err := filepath.Rel(root, p); err == nil && !used[filepath.Join(d.masks, name)] {
			left = append(left, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil || len(left) == 0 {
		return nil // loading a mask tells errors
	}
	return []data.Fault{{Kind: "mask-of-none", Warning: true, Message: fmt.Sprintf(
		"%s holds %d PNG of no image: %s; the mask of a.jpg is a.png, of x/a.jpg x/a.png", d.masks, len(left), someNames(left))}}
}
