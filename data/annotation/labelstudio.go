package annotation

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/names"
	"wsss/data/words"
)

func init() {
	Register(Format{
		Name:     "labelstudio",
		What:     "Label Studio JSON and JSON-MIN: rectangles, polygons, ellipses, brushes, bitmasks, key points, choices, taxonomy",
		Writes:   "labelstudio.json: Label Studio tasks to import, rectangles and polygons",
		Polygons: true,
		Create:   createStudio,
		Signs:    map[string]func([]byte) bool{".json": isLabelStudio},
		Read:     readLabelStudio,
	})
}

func isLabelStudio(head []byte) bool {
	h := readHead(head)
	full := h.has("data") || h.has("annotations") || h.has("completions")
	if !h.list { // a file for each task, or for each annotation
		return h.has("data", "annotations") || h.has("data", "completions") || h.has("data", "predictions") || h.has("result", "task")
	}
	return full || h.has("image", "id") || h.has("img", "id")
}

// studioTask is an image with what its annotators said.
type studioTask struct {
	Data        map[string]any     `json:"data"`
	Upload      string             `json:"file_upload"`
	Annotations []studioAnnotation `json:"annotations"`
	Completions []studioAnnotation `json:"completions"` // before version 1.0
	Predictions []json.RawMessage  `json:"predictions"` // of models
	// A storage that Label Studio synchronises to holds annotations with their
	// tasks.
	Task *studioTask `json:"task"`
}

type studioAnnotation struct {
	Result    []studioResult `json:"result"`
	Cancelled bool           `json:"was_cancelled"`
	Skipped   bool           `json:"skipped"`
	Truth     bool           `json:"ground_truth"`
	Created   any            `json:"created_at"` // text, before version 1.0 a number
}

// studioResult is a region, or a choice for the whole image. A region and its
// class may be two results of one id.
type studioResult struct {
	ID     string      `json:"id"`
	Type   string      `json:"type"`
	Value  studioValue `json:"value"`
	Width  whole       `json:"original_width"`
	Height whole       `json:"original_height"`
	Turned whole       `json:"image_rotation"` // degrees by which the photo was turned in the tool
}

// studioValue holds per cents of the photo's sides, and classes under the
// name of the control that gave them.
type studioValue struct {
	X, Y, Width, Height, Rotation float64
	RadiusX, RadiusY              float64
	Points                        [][]float64
	Format                        string
	RLE                           []byteList
	Picture                       string // of a bitmask, as a data: address
	classes                       []string
	kind                          string // "rectangle", "polygon", …, "" for the whole image
	choices                       []string
}

// byteList is one byte of a packed mask: encoding/json would take []byte for
// base64.
type byteList = uint16

func (v *studioValue) UnmarshalJSON(raw []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	numbers := map[string]*float64{
		"x": &v.X, "y": &v.Y, "width": &v.Width, "height": &v.Height, "rotation": &v.Rotation,
		"radiusX": &v.RadiusX, "radiusY": &v.RadiusY,
	}
	for key, part := range all {
		var err error
		switch number := numbers[key]; {
		case number != nil:
			err = json.Unmarshal(part, number)
		case key == "points":
			err = json.Unmarshal(part, &v.Points)
		case key == "rle":
			err = json.Unmarshal(part, &v.RLE)
		case key == "imageDataURL":
			err = json.Unmarshal(part, &v.Picture)
		case key == "format":
			err = json.Unmarshal(part, &v.Format)
		case key == "choices":
			err = json.Unmarshal(part, &v.choices)
		case key == "taxonomy":
			v.choices, err = taxonomy(part)
		case strings.HasSuffix(key, "labels"): // rectanglelabels, brushlabels, labels, …
			err = json.Unmarshal(part, &v.classes)
			v.kind = cmp.Or(v.kind, strings.TrimSuffix(key, "labels"))
		}
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}

// taxonomy takes the last name of every path through the tree.
func taxonomy(raw []byte) ([]string, error) {
	var paths [][]string
	err := json.Unmarshal(raw, &paths)
	var names []string
	for _, p := range paths {
		if len(p) > 0 {
			names = append(names, p[len(p)-1])
		}
	}
	return names, err
}

// studioReader reads files task by task.
type studioReader struct {
	src       *Source
	b         *Builder
	predicted int // tasks that models labelled and nobody else
}

func readLabelStudio(src *Source, files []string, b *Builder) error {
	r := studioReader{src: src, b: b}
	if err := eachLocated(src, files, r.read); err != nil || r.predicted == 0 {
		return err
	}
	told := fmt.Sprintf("%s: %s predictions and no annotations, and predictions are not read", src.Path(files[0]), words.Count(r.predicted, "task has", "tasks have"))
	if len(b.byID)+b.set.Lost == 0 { // no task has annotations
		return fmt.Errorf("%s: accept them as annotations in Label Studio and export again", told)
	}
	b.Fault(data.Fault{Kind: "predictions", Warning: true, Message: told + ": these photos count as not labelled"})
	return nil
}

// read reads a file. Errors begin with the task's number.
func (r *studioReader) read(file string) error {
	f, _, err := files.OpenRegular(r.src.Path(file))
	if err != nil {
		return fmt.Errorf(" %w", err)
	}
	defer f.Close()
	return r.parse(io.LimitReader(f, maxFile), file)
}

func (r *studioReader) parse(in io.Reader, file string) error {
	buffered := bufio.NewReader(in)
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		buffered.Discard(3)
	}
	dec := json.NewDecoder(buffered)
	if head, _ := buffered.Peek(64); bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		return r.parseOne(dec, file)
	}
	bad := &data.LineErrors{}
	if token, err := dec.Token(); err != nil || token != json.Delim('[') {
		return errors.New(" a list of tasks is expected")
	}
	for n := 1; dec.More(); n++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf(" task %d: %w", n, err)
		}
		if err := r.add(raw, file, n); err != nil {
			bad.AddItem(fmt.Sprintf(" task %d: %v", n, err))
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf(" not JSON: %w", err)
	}
	return bad.Err()
}

// parseOne reads a file of one task.
func (r *studioReader) parseOne(dec *json.Decoder, file string) error {
	var raw json.RawMessage
	err := dec.Decode(&raw)
	if err == nil {
		err = r.add(raw, file, 1)
	}
	if err != nil {
		return fmt.Errorf(" %w", err)
	}
	return nil
}

// add adds task n of a file.
func (r *studioReader) add(raw []byte, file string, n int) error {
	var t studioTask
	if err := json.Unmarshal(raw, &t); err != nil {
		return data.KeyError(err)
	}
	if t.Task != nil {
		var a studioAnnotation
		if err := json.Unmarshal(raw, &a); err != nil {
			return err
		}
		t.Data, t.Upload, t.Annotations = t.Task.Data, t.Task.Upload, []studioAnnotation{a}
	}
	results := t.results()
	if t.Data == nil { // JSON-MIN
		var err error
		if t.Data, results, err = flatTask(raw); err != nil {
			return err
		}
	}
	if results == nil { // nobody has labelled it
		if len(t.Predictions) > 0 {
			r.predicted++
		}
		return nil
	}
	name, err := t.photo()
	if err != nil {
		return err
	}
	from := fmt.Sprintf("%s: task %d", r.src.Path(file), n)
	im, err := studioImage(r.src, r.b, name, file, from)
	if err != nil || im == nil {
		return err
	}
	for _, one := range results {
		if im.W == 0 && one.Width > 0 && one.Height > 0 {
			im.W, im.H = int(one.Width), int(one.Height)
		}
	}
	if im.W == 0 {
		if im.W, im.H, err = r.src.Size(im.ID); err != nil {
			return err
		}
	}
	for i, one := range results {
		if err := one.add(r.b, im, results); err != nil {
			return fmt.Errorf("result %d (%s): %w", i+1, one.Type, err)
		}
	}
	return nil
}

// results are those of the reference annotation, else of the newest one; nil
// where there is none that was not cancelled.
func (t *studioTask) results() []studioResult {
	all := slices.DeleteFunc(slices.Concat(t.Annotations, t.Completions), func(a studioAnnotation) bool { return a.Cancelled || a.Skipped })
	if len(all) == 0 {
		return nil
	}
	best := slices.MaxFunc(all, func(x, y studioAnnotation) int {
		if x.Truth != y.Truth {
			return map[bool]int{true: 1, false: -1}[x.Truth]
		}
		return cmp.Compare(fmt.Sprint(x.Created), fmt.Sprint(y.Created))
	})
	return append([]studioResult{}, best.Result...)
}

// photo is the path or address of the image: the value of the task's data that
// looks like one.
func (t *studioTask) photo() (string, error) {
	for _, key := range []string{"image", "img", "image_url", "photo"} {
		if name, ok := t.Data[key].(string); ok {
			return name, nil
		}
	}
	keys := slices.Sorted(maps.Keys(t.Data))
	for _, key := range keys {
		if name, ok := t.Data[key].(string); ok && names.TrimExtension(studioPath(name)) != studioPath(name) {
			return name, nil
		}
	}
	if t.Upload != "" {
		return t.Upload, nil
	}
	return "", errors.New("its data name no image")
}

// studioShapes are the regions that are read.
var studioShapes = []string{"rectangle", "polygon", "ellipse", "brush", "bitmask", "keypoint"}

// add adds a result to its image.
func (r *studioResult) add(b *Builder, im *Image, all []studioResult) error {
	for _, name := range r.Value.choices {
		class, err := b.Class(name)
		if err != nil {
			return err
		}
		im.Tags = append(im.Tags, class)
	}
	v := &r.Value
	kind := strings.TrimSuffix(strings.ToLower(cmp.Or(r.Type, v.kind)), "labels")
	classes := v.classes
	if r.Type != "" && kind == "" { // "labels": the class of the region of the same id
		return nil
	}
	if len(classes) == 0 {
		for _, other := range all {
			if other.ID == r.ID && r.ID != "" && len(other.Value.classes) > 0 {
				classes = other.Value.classes
			}
		}
	}
	switch shape := slices.Contains(studioShapes, kind); {
	case !shape && len(classes) > 0:
		return fmt.Errorf("regions of this kind are not read: allowed are %s", strings.Join(studioShapes, ", "))
	case !shape:
		return nil // a text, a rating, a relation
	case r.Turned%360 != 0:
		return fmt.Errorf("image_rotation = %d: the photo was turned in Label Studio, and where its regions lie on the file is not known: allowed is 0 (turn it back there and export again)", r.Turned)
	case len(classes) == 0:
		b.Fault(data.Fault{Kind: "region-unnamed", Warning: true, Message: fmt.Sprintf("%s: a %s has no class: it is left out", im.From, kind)})
		return nil
	case len(classes) > 1:
		b.Fault(data.Fault{Kind: "region-classes", Warning: true, Message: fmt.Sprintf("%s: a %s has the classes %s: the first is taken", im.From, kind, strings.Join(classes, ", "))})
	}
	class, err := b.Class(classes[0])
	if err != nil {
		return err
	}
	if err = v.shape(kind, class, im); errors.Is(err, errFlat) {
		return b.leave(fmt.Errorf("%s: a %s of %s: %w", im.From, kind, classes[0], err))
	}
	if errors.Is(err, errEmptyMask) { // a stroke that was erased
		b.Fault(data.Fault{Kind: "region-empty", Warning: true, Message: fmt.Sprintf("%s: a %s of %s covers no pixel: it is left out", im.From, kind, classes[0])})
		return nil
	}
	return err
}

// shape adds a region. Rectangles turn about their upper left corner.
func (v *studioValue) shape(kind string, class int, im *Image) error {
	w, h := float64(im.W)/100, float64(im.H)/100
	switch kind {
	case "rectangle":
		x, y := snap(v.X*w), snap(v.Y*h)
		bw, bh := v.Width*w, v.Height*h
		if v.Rotation == 0 {
			return im.AddBox(class, x, y, snap(v.X*w+bw), snap(v.Y*h+bh))
		}
		x0, y0, x1, y1 := turnedAboutCorner(x, y, bw, bh, v.Rotation)
		return im.AddBox(class, x0, y0, x1, y1)
	case "polygon":
		var ring []float64
		for _, p := range v.Points {
			if len(p) != 2 {
				return errors.New("a point is not x and y")
			}
			ring = append(ring, snap(p[0]*w), snap(p[1]*h))
		}
		if len(ring) < 6 {
			return nil // an outline that was begun and left
		}
		return im.AddPolygon(class, ring)
	case "ellipse":
		return im.AddPolygon(class, ellipse(v.X*w, v.Y*h, v.RadiusX*w, v.RadiusY*h, v.Rotation))
	case "keypoint":
		return im.AddPoint(class, v.X*w, v.Y*h)
	}
	mask, err := v.mask(kind, im.W, im.H)
	if err != nil {
		return err
	}
	return im.AddMask(class, mask)
}
