package annotation

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"wsss/checkpoints/files"
)

// studioWriter writes labelstudio.json, tasks with one annotation each, to be
// imported: the photos are named as files of Label Studio's local storage.
type studioWriter struct {
	Target
	log *entryLog
}

const studioFile = "labelstudio.json"

type studioTaskOut struct {
	Data        map[string]string  `json:"data"`
	Annotations []studioResultsOut `json:"annotations"`
}

type studioResultsOut struct {
	Result []studioResultOut `json:"result"`
}

type studioResultOut struct {
	ID     string         `json:"id"`
	Type   string         `json:"type"`
	From   string         `json:"from_name"`
	To     string         `json:"to_name"`
	Width  int            `json:"original_width"`
	Height int            `json:"original_height"`
	Turned int            `json:"image_rotation"`
	Value  map[string]any `json:"value"`
}

func createStudio(t Target) (Writer, error) {
	log, err := openLog(t, "labelstudio", studioFile)
	return &studioWriter{t, log}, err
}

func (w *studioWriter) Add(im *Image) error {
	if err := w.check(im); err != nil {
		return err
	}
	results := []studioResultOut{}
	add := func(kind string, class int, value map[string]any) {
		value[kind] = []string{w.Classes.Name(class)}
		results = append(results, studioResultOut{
			ID: fmt.Sprintf("r%d", len(results)+1), Type: kind, From: "label", To: "image", Width: im.W, Height: im.H, Value: value,
		})
	}
	x, y := func(v float64) float64 { return 100 * v / float64(im.W) }, func(v float64) float64 { return 100 * v / float64(im.H) }
	for i := range im.Objects {
		o := &im.Objects[i]
		if !isClass(o.Class) {
			continue
		}
		if !o.Outlined() {
			add("rectanglelabels", o.Class, map[string]any{
				"x": x(short(o.X0)), "y": y(short(o.Y0)), "width": x(short(o.X1 - o.X0)), "height": y(short(o.Y1 - o.Y0)), "rotation": 0,
			})
			continue
		}
		rings, err := w.rings(o, im.W, im.H)
		if err != nil {
			return fmt.Errorf("%s: %w", im.ID, err)
		}
		for _, ring := range rings {
			points := make([][2]float64, len(ring)/2)
			for k := range points {
				points[k] = [2]float64{x(ring[2*k]), y(ring[2*k+1])}
			}
			add("polygonlabels", o.Class, map[string]any{"points": points, "closed": true})
		}
	}
	for _, p := range im.Points {
		add("keypointlabels", p.Class, map[string]any{"x": x(float64(p.X) + 0.5), "y": y(float64(p.Y) + 0.5), "width": 0.5})
	}
	for _, c := range im.Tags {
		if isClass(c) {
			results = append(results, studioResultOut{
				ID: fmt.Sprintf("r%d", len(results)+1), Type: "choices", From: "choice", To: "image", Width: im.W, Height: im.H,
				Value: map[string]any{"choices": []string{w.Classes.Name(c)}},
			})
		}
	}
	address := "/data/local-files/?d=" + url.QueryEscape(filepath.ToSlash(w.fileName(im.ID)))
	return w.log.add(im.ID, studioTaskOut{map[string]string{"image": address}, []studioResultsOut{{results}}})
}

// Close writes the tasks by ascending id.
func (w *studioWriter) Close() error {
	return w.log.finish(func(ids []string, load func(string, any) error) error {
		return files.WriteAtomic(filepath.Join(w.Dir, studioFile), func(out io.Writer) error {
			buf := bufio.NewWriter(out)
			list := jsonList{out: buf}
			buf.WriteByte('[')
			for _, id := range ids {
				var t studioTaskOut
				if err := load(id, &t); err != nil {
					return err
				}
				if err := list.add(t); err != nil {
					return err
				}
			}
			buf.WriteString("]\n")
			return buf.Flush()
		})
	})
}
