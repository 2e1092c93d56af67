package review

import (
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/image/draw"

	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/eval/browsertest"
	"wsss/gen"
	_ "wsss/gen/promptsam"
	"wsss/models/backend"
)

// TestClickToMask measures the time from a click or box in the browser to the
// picture that shows its mask, on scenes of up to 640 pixels and on photos of 12
// megapixels: WSSS_VERIFY=1 go test ./eval/review -run ClickToMask -v.
func TestClickToMask(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("measures, which takes a minute: set WSSS_VERIFY=1")
	}
	b := browsertest.Start(t)
	small, err := data.Open("scenes", data.Options{Root: filepath.Join(t.TempDir(), "scenes"), Seed: 1, Extra: map[string]any{"train": 6, "val": 1, "min_size": 480, "max_size": 640}})
	if err != nil {
		t.Fatal(err)
	}
	eng, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	grabcut := configs.Gen{Method: "grabcut", Weak: "boxes", Fuse: configs.Fuse{Rule: "smaller-first"}}
	sam := configs.Gen{Method: "sam", Weak: "boxes", Fuse: configs.Fuse{Rule: "score"}, Options: map[string]any{"sam": "tiny-sam"}}
	for _, m := range []struct {
		of    string
		inner data.Dataset
		gen   configs.Gen
	}{
		{"scenes of 480 to 640 pixels", small, grabcut},
		{"scenes of 480 to 640 pixels", small, sam},
		{"photos of 12 megapixels", enlarged{small, 4000}, grabcut},
		{"photos of 12 megapixels", enlarged{small, 4000}, sam},
	} {
		g, inner := m.gen, m.inner
		ds := corrections.Wrap(inner, &corrections.Folder{Dir: t.TempDir(), Classes: inner.Classes()}, corrections.Options{})
		env := gen.Env{Backend: eng, Classes: ds.Classes(), Weak: data.WeakBoxes, Gen: g}
		method, err := gen.New(env)
		if err != nil {
			t.Fatal(err)
		}
		fuser, err := gen.NewFuser(g.Fuse, ds.Classes())
		if err != nil {
			t.Fatal(err)
		}
		ids, err := ds.IDs("train")
		if err != nil {
			t.Fatal(err)
		}
		if large, ok := inner.(enlarged); ok {
			large.write(t, ids)
		}
		o := Options{Dataset: ds, Weak: data.WeakBoxes, LabelsDir: t.TempDir(), Ours: true, Method: method, Prompter: method.(gen.Prompter), Model: g.Method, Fuser: fuser}
		for _, id := range ids {
			o.Queue = append(o.Queue, Item{ID: id})
		}
		s, _ := serve(t, o)
		p := openPage(t, b, s.URL())
		p.Eval("new Promise(done => setTimeout(done, 1000))", nil)
		var all []float64
		for _, it := range o.Queue {
			p.Want("document.documentElement.dataset.shown", it.ID)
			boxes := 0
			p.Eval("wsss.im.prompts.length", &boxes)
			for i := range min(boxes, 3) {
				for _, change := range []string{ // a moved box, then a click into the object
					fmt.Sprintf("list => { const q = list[%d]; q.box = [q.box[0] + 1, q.box[1], q.box[2], q.box[3]]; return list }", i),
					fmt.Sprintf("list => { const q = list[%d]; q.points = [[Math.round((q.box[0] + q.box[2]) / 2), Math.round((q.box[1] + q.box[3]) / 2), 0]]; return list }", i),
				} {
					var ms float64
					p.Eval(`new Promise(done => { const start = performance.now(), was = wsss.im.base;
						wsss.change(`+change+`);
						const wait = () => wsss.im.base === was ? setTimeout(wait, 1) : requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
						wait() })`, &ms)
					all = append(all, ms)
				}
			}
			p.Key("n")
			p.saved()
			p.Eval("new Promise(done => setTimeout(done, 1000))", nil) // as long as a person looks, at least
		}
		slices.Sort(all)
		median, late := all[len(all)/2], all[min(len(all)-1, len(all)*95/100)]
		t.Logf("%s, %s: from click to mask: median %.0f ms, 95 %% within %.0f ms, of %d", g.Method, m.of, median, late, len(all))
	}
}

// enlarged is a data set whose photos have a longer side of so many pixels.
type enlarged struct {
	data.Dataset
	side int
}

func (e enlarged) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := e.Dataset.Load(id, want|data.WantImage)
	if err != nil {
		return nil, err
	}
	f := e.factor(s)
	if s.Image, err = data.ReadImage(e.ImagePath(id)); err != nil {
		return nil, err
	}
	s.Weak.Boxes = slices.Clone(s.Weak.Boxes)
	for i := range s.Weak.Boxes {
		b := &s.Weak.Boxes[i]
		b.X0, b.Y0, b.X1, b.Y1 = b.X0*f, b.Y0*f, b.X1*f, b.Y1*f
	}
	return s, nil
}

func (e enlarged) factor(s *data.Sample) float32 {
	return float32(e.side) / float32(max(s.Image.Rect.Dx(), s.Image.Rect.Dy()))
}

// ImagePath is the file with the enlarged photo.
func (e enlarged) ImagePath(id string) string { return e.Dataset.ImagePath(id) + ".large.jpg" }

// write makes the enlarged photos.
func (e enlarged) write(t *testing.T, ids []string) {
	t.Helper()
	for _, id := range ids {
		s, err := e.Dataset.Load(id, data.WantImage)
		if err != nil {
			t.Fatal(err)
		}
		f := e.factor(s)
		big := image.NewNRGBA(image.Rect(0, 0, int(float32(s.Image.Rect.Dx())*f), int(float32(s.Image.Rect.Dy())*f)))
		draw.ApproxBiLinear.Scale(big, big.Rect, s.Image, s.Image.Rect, draw.Src, nil)
		out, err := os.Create(e.ImagePath(id))
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(out, big, nil); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
