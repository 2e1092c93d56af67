package review

import (
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/eval/browsertest"
	"wsss/gen"
)

// TestUndoInBrowser: everything can be undone and done again, after the page was
// loaded again, too, and without loading it.
func TestUndoInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a", "b"}, 320, 240, true, "red", "blue")
	s, _ := serve(t, newOptions(t, ds))
	p := openPage(t, b, s.URL())
	path, err := ds.Folder.Path("a")
	if err != nil {
		t.Fatal(err)
	}
	// what is on disk, without the order of prompts
	now := func() string { t.Helper(); p.saved(); return describe(t, ds, "a") }

	states := []string{describe(t, ds, "a")}
	for _, step := range []func(){
		func() { p.Key("2"); p.Key("b"); p.drag(195, 145, 285, 215) },
		func() { p.Key("d"); p.drag(20, 20, 60, 20) },
		func() { p.Key("1"); p.drag(30, 10, 30, 60) }, // over the stroke before
		func() { p.Key("s"); p.Click(p.at(240, 146), "left", 0); p.Key("Delete") },
		func() { p.Key("2"); p.Key("i") },
		func() { p.Key("f"); p.Click(p.at(5, 5), "left", 0) },
		func() { p.Eval("document.getElementById('restore').click()", nil) },
		func() {
			p.Key("r")
			p.Want("document.documentElement.dataset.shown", "b")
			p.Key("p")
			p.Want("wsss.im.id", "a")
		},
	} {
		step()
		state := now()
		if state == states[len(states)-1] {
			t.Fatalf("step %d changed nothing: %s", len(states), state)
		}
		states = append(states, state)
	}
	if states[7] != states[0] {
		t.Errorf("started over: %s", states[7])
	}
	last := len(states) - 1
	undo := func(from, to int) {
		t.Helper()
		for i := from; i > to; i-- {
			p.Key("z")
			if got := now(); got != states[i-1] {
				t.Fatalf("undone to %d: %s\nwant %s", i-1, got, states[i-1])
			}
		}
	}
	redo := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			p.Key("y")
			if got := now(); got != states[i+1] {
				t.Fatalf("done again to %d: %s\nwant %s", i+1, got, states[i+1])
			}
		}
	}
	p.Eval("window.here = true", nil)
	undo(last, 5)
	p.shows(40, 20, 2)
	p.shows(30, 20, 1)
	redo(5, 6)
	p.Want("window.here", "true") // the page was not loaded again
	p.clean()

	p = openPage(t, b, s.URL()+"#a")
	p.Want("document.getElementById('undo').disabled + ' ' + document.getElementById('redo').disabled", "false false")
	undo(6, 0)
	p.shows(100, 80, 1)
	p.shows(240, 180, 0)
	p.Want("document.getElementById('undo').disabled", "true")
	if got := listFiles(t, filepath.Dir(path)); strings.Contains(got, "correction.json") {
		t.Errorf("all of it is undone, and there are %q", got)
	}
	redo(0, 3)

	p = openPage(t, b, s.URL()+"#a")
	redo(3, last)
	undo(last, 2)
	p.Key("2")
	p.Key("e")
	p.drag(100, 200, 120, 200) // another way from here: what was undone is forgotten
	p.saved()
	p.Want("document.getElementById('redo').disabled", "true")
	p = openPage(t, b, s.URL()+"#a")
	p.Want("document.getElementById('redo').disabled", "true")
	p.Key("z")
	if got := now(); got != states[2] {
		t.Errorf("back on the other way: %s", got)
	}
	// Another image, and another tab, have histories of their own.
	p.Key("n")
	p.Want("document.getElementById('undo').disabled", "true")
	other := openPage(t, b.Tab(), s.URL()+"#a")
	other.Want("document.getElementById('undo').disabled", "true")
	p.clean()
}

// TestUndoKeepsOthers: undoing in one tab leaves what another one did.
func TestUndoKeepsOthers(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a"}, 320, 240, false, "red", "blue")
	s, _ := serve(t, newOptions(t, ds))
	one := openPage(t, b, s.URL())
	one.Key("b")
	one.drag(76, 56, 164, 124)
	one.saved()
	two := openPage(t, b.Tab(), s.URL())
	two.front().Key("2")
	two.Key("b")
	two.drag(195, 145, 285, 215)
	two.saved()
	one.front().Want("wsss.im.prompts.length", "2")
	one.Key("z")
	one.saved()
	if c := read(t, ds, "a"); len(c.Prompts) != 1 || c.Prompts[0].Class != 2 {
		t.Errorf("after undo: %+v", c.Prompts)
	}
	one.shows(240, 180, 2)
	one.shows(100, 80, 0)
}

// TestTagsInBrowser: tags are added and taken back, and a label that is made from
// tags is made again.
func TestTagsInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a", "b"}, 320, 240, false, "red", "blue")
	o := newOptions(t, ds)
	g := configs.Gen{Method: "grabcut", Weak: "tags", Fuse: configs.Fuse{Rule: "smaller-first"}}
	method, err := gen.New(gen.Env{Classes: ds.Classes(), Weak: data.WeakTags, Gen: g})
	if err != nil {
		t.Fatal(err)
	}
	o.Weak, o.Method = data.WeakTags, method
	s, _ := serve(t, o)
	p := openPage(t, b, s.URL())
	p.Want("document.getElementById('tags').textContent", "+ red")
	p.Eval("document.querySelector('#tags .add').click()", nil)
	p.saved()
	p.Want("document.getElementById('tags').textContent", "red ×")
	p.Want("document.getElementById('state').textContent", "corrected")
	if c := read(t, ds, "a"); !c.Tagged || len(c.Tags) != 1 || c.Tags[0] != 1 {
		t.Fatalf("a tag: %+v", c)
	}
	one := labelled(t, p, 1)
	if one == 0 {
		t.Error("no label was made from the tag")
	}
	p.Key("2")
	p.Key("i")
	p.saved()
	p.Want("wsss.im.tags.join()", "1,2")
	if labelled(t, p, 2) == 0 {
		t.Error("no label was made from the second tag")
	}
	// A class with an object is in the image, and cannot be taken back.
	p.Key("b")
	p.drag(195, 145, 285, 215)
	p.saved()
	p.Want("document.querySelectorAll('#tags button:disabled').length", "1")
	p.Key("i")
	p.Want("document.getElementById('hint').textContent", "blue has objects in the image: remove these first.")
	p.Key("Delete")
	p.saved()
	p.Key("x")
	p.Key("i")
	p.Want("document.getElementById('hint').textContent", "Background and void are no tags.")
	// What gen and train are given.
	sample, err := ds.Load("a", data.WantWeak)
	if err != nil || len(sample.Weak.Tags) != 2 {
		t.Errorf("tags %v, %v", sample.Weak.Tags, err)
	}
	p.Key("z") // the object again
	p.Key("z") // and before it
	p.Key("z")
	p.Key("z")
	p.saved()
	p.Want("document.getElementById('tags').textContent", "")
	if got := listFiles(t, ds.Folder.Dir); got != "" {
		t.Errorf("files %q", got)
	}
	p.clean()
}

// labelled counts the pixels of the page's label below what was painted.
func labelled(t *testing.T, p page, class int) (n int) {
	t.Helper()
	p.Eval("wsss.im.base.pix.reduce((n, v) => n + (v === "+string(rune('0'+class))+"), 0)", &n)
	return n
}
