package review

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/eval/browsertest"
	"wsss/gen"
	_ "wsss/gen/promptsam"
	"wsss/models/backend"
)

// TestClickToMask measures the time from a click or box in the browser to the
// picture that shows its mask, on scenes of up to 640 pixels:
// WSSS_VERIFY=1 go test ./eval/review -run ClickToMask -v.
func TestClickToMask(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("measures, which takes a minute: set WSSS_VERIFY=1")
	}
	b := browsertest.Start(t)
	inner, err := data.Open("scenes", data.Options{Root: filepath.Join(t.TempDir(), "scenes"), Seed: 1, Extra: map[string]any{"train": 6, "val": 1, "min_size": 480, "max_size": 640}})
	if err != nil {
		t.Fatal(err)
	}
	eng, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []configs.Gen{
		{Method: "grabcut", Weak: "boxes", Fuse: configs.Fuse{Rule: "smaller-first"}},
		{Method: "sam", Weak: "boxes", Fuse: configs.Fuse{Rule: "score"}, Options: map[string]any{"sam": "tiny-sam"}},
	} {
		ds := corrections.Wrap(inner, &corrections.Folder{Dir: filepath.Join(t.TempDir(), g.Method), Classes: inner.Classes()}, corrections.Options{})
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
		o := Options{Dataset: ds, Weak: data.WeakBoxes, LabelsDir: t.TempDir(), Ours: true, Method: method, Prompter: method.(gen.Prompter), Model: g.Method, Fuser: fuser}
		for _, id := range ids {
			o.Queue = append(o.Queue, Item{ID: id})
		}
		s, _ := serve(t, o)
		p := openPage(t, b, s.URL())
		var all []float64
		for range ids {
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
			p.Eval("new Promise(done => setTimeout(done, 300))", nil) // as long as a person looks, at least
		}
		slices.Sort(all)
		median, late := all[len(all)/2], all[min(len(all)-1, len(all)*95/100)]
		t.Logf("%s: from click to mask: median %.0f ms, 95 %% within %.0f ms, of %d", g.Method, median, late, len(all))
	}
}
