package review

import (
	"encoding/json"
	"fmt"
	"image"
	"strings"
	"testing"

	"wsss/data/corrections"
	"wsss/eval/browsertest"
)

// page is the review page in a browser.
type page struct {
	*browsertest.Browser
	t *testing.T
}

func openPage(t *testing.T, b *browsertest.Browser, url string) page {
	t.Helper()
	b.Open(url)
	b.Want("document.documentElement.dataset.ready", "1")
	return page{b, t}
}

// at is the place on the page of a pixel of the photo.
func (p page) at(x, y float64) [2]float64 {
	p.t.Helper()
	var at [2]float64
	p.Eval(fmt.Sprintf(`(() => { const v = wsss.view, b = v.canvas.getBoundingClientRect();
		return [(%v * v.scale + v.x) / v.ratio + b.left, (%v * v.scale + v.y) / v.ratio + b.top] })()`, x, y), &at)
	return at
}

// front shows this page and hides the others.
func (p page) front() page {
	p.t.Helper()
	p.Call("Page.bringToFront", nil, nil)
	return p
}

func (p page) drag(x0, y0, x1, y1 float64) { p.Drag(p.at(x0, y0), p.at(x1, y1)) }

// saved waits until nothing is left to send.
func (p page) saved() { p.t.Helper(); p.Want("document.getElementById('saved').textContent", "saved") }

// shows checks the label value that a pixel shows.
func (p page) shows(x, y, value int) {
	p.t.Helper()
	p.Want(fmt.Sprintf(`(() => { const m = wsss.im, b = m.base, x = %d, y = %d;
		return (m.layer[y * m.w + x] || b.pix[Math.floor((y + .5) * b.h / m.h) * b.w + Math.floor((x + .5) * b.w / m.w)] + 1) - 1 })()`, x, y), fmt.Sprint(value))
}

func (p page) clean() {
	p.t.Helper()
	if len(p.Errors) > 0 {
		p.t.Errorf("the page reports %s", strings.Join(p.Errors, "\n"))
	}
}

func TestDrawInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a", "kitchen/b <i>", "c"}, 320, 240, false, "red", "blue")
	o := newOptions(t, ds)
	s, stop := serve(t, o)
	p := openPage(t, b, s.URL())
	p.Want("document.getElementById('name').textContent", "a")
	p.shows(100, 80, 0)

	// A box asks the model; the mask appears, and is accepted into a file.
	p.Key("b")
	p.drag(76, 56, 164, 124)
	p.saved()
	p.shows(100, 80, 1)
	p.shows(40, 30, 0)
	if c := read(t, ds, "a"); !c.Prompted || len(c.Prompts) != 1 || c.Prompts[0].Class != 1 || c.Prompts[0].Box == nil {
		t.Fatalf("after a box the file says %+v", c)
	}
	// A click out of it and one into a second object of the other class.
	p.Key("Enter")
	p.Key("2")
	p.Key("c")
	p.Click(p.at(240, 180), "left", 0)
	p.saved()
	p.shows(240, 180, 2)
	p.shows(100, 80, 1)
	p.Click(p.at(20, 20), "right", 0)
	p.saved()
	p.Want("JSON.stringify(wsss.im.prompts[1].points)", "[[240,180,0],[20,20,1]]")

	// Brush and undo, redo; erase; fill.
	p.Key("1")
	p.Key("d")
	p.drag(20, 200, 60, 200)
	p.shows(40, 200, 1)
	p.Key("z")
	p.shows(40, 200, 0)
	p.Key("y")
	p.shows(40, 200, 1)
	p.saved()
	p.Key("e")
	p.drag(90, 80, 110, 80)
	p.shows(100, 80, 0)
	p.Key("x")
	p.Key("f")
	p.Click(p.at(40, 200), "left", 0)
	p.shows(40, 200, 255)
	p.shows(40, 160, 0)
	p.saved()
	c := read(t, ds, "a")
	if len(c.Painted) != 2 || c.Painted[0].Class != 0 || c.Painted[1].Class != 255 {
		t.Fatalf("painted classes %+v", c.Painted)
	}

	// All of it is there after a reload, and after the server was killed.
	p = openPage(t, b, s.URL()+"#a")
	p.shows(40, 200, 255)
	p.shows(240, 180, 2)
	stop()
	s, _ = serve(t, o)
	p = openPage(t, b, s.URL())
	p.Want("wsss.im.id", "a")
	p.shows(40, 200, 255)
	p.shows(100, 80, 0)

	// Accept: the whole label is kept, and the next image comes, whose name is
	// text and no markup.
	p.Key("a")
	p.Want("document.documentElement.dataset.shown", "c")
	p.Key("n")
	p.Want("document.getElementById('name').textContent + document.querySelectorAll('h1 i').length", "kitchen/b <i>0")
	p.saved()
	c = read(t, ds, "a")
	if c.Verdict != corrections.Accepted {
		t.Fatalf("verdict %q", c.Verdict)
	}
	m := c.Label()
	if got := share(m, image.Rect(215, 165, 270, 200), 2); got < 0.9 {
		t.Errorf("%.2f of the blue square is class 2", got)
	}
	if m.At(40, 200) != 255 || m.At(300, 20) != 0 || m.At(100, 80) != 0 {
		t.Error("painted pixels are not in the accepted label")
	}
	p.Key("r")
	p.saved()
	if c := read(t, ds, "kitchen/b <i>"); c.Verdict != corrections.Rejected {
		t.Errorf("rejected image: %+v", c)
	}
	// Undo takes a verdict back; the file, which says nothing then, goes.
	p.Key("z")
	p.saved()
	p.Want("wsss.im.verdict", "")
	if got := listFiles(t, ds.Folder.Dir); got != "a.correction.json" {
		t.Errorf("files %q", got)
	}
	p.clean()
}

func TestObjectsInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a"}, 320, 240, true, "red", "blue")
	s, _ := serve(t, newOptions(t, ds))
	p := openPage(t, b, s.URL())
	p.shows(100, 80, 1)
	p.Want("wsss.im.prompts.length + ' ' + wsss.im.own", "1 false")
	// Move the box by an edge, then as a whole, then away.
	p.Key("s")
	p.drag(162, 90, 200, 90)
	p.saved()
	p.Want("JSON.stringify(wsss.im.prompts[0].box.map(Math.round))", "[78,58,200,122]")
	p.drag(120, 90, 130, 100)
	p.saved()
	p.Want("JSON.stringify(wsss.im.prompts[0].box.map(Math.round))", "[88,68,210,132]")
	p.Key("2") // of another class
	p.saved()
	p.Want("wsss.im.prompts[0].class", "2")
	p.Key("Delete")
	p.saved()
	p.Want("wsss.im.prompts.length", "0")
	p.shows(100, 80, 0)
	if c := read(t, ds, "a"); !c.Prompted || len(c.Prompts) != 0 {
		t.Errorf("after the box was deleted: %+v", c)
	}
	// Undo all of it, without limit: the image's own box again, and no file.
	for range 4 {
		p.Key("z")
	}
	p.saved()
	p.Want("JSON.stringify(wsss.im.prompts[0].box.map(Math.round)) + wsss.im.own", "[78,58,162,122]false")
	p.shows(100, 80, 1)
	if got := listFiles(t, ds.Folder.Dir); got != "" {
		t.Errorf("files %q", got)
	}
	// A scribble, and starting over.
	p.Key("Enter")
	p.Key("2")
	p.Key("l")
	p.drag(215, 165, 265, 195)
	p.saved()
	p.shows(240, 180, 2)
	p.Eval("document.getElementById('restore').click()", nil)
	p.saved()
	p.shows(240, 180, 0)
	p.Want("wsss.im.prompts.length", "1")
	p.clean()
}

func TestTwoTabs(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a"}, 320, 240, false, "red", "blue")
	s, _ := serve(t, newOptions(t, ds))
	one := openPage(t, b, s.URL())
	two := openPage(t, b.Tab(), s.URL())
	one.front().Key("d")
	one.drag(20, 20, 60, 20)
	one.saved()
	// The second page does not know of it, paints elsewhere, and then shows both.
	two.front().Key("d")
	two.Key("2")
	two.drag(20, 200, 60, 200)
	two.saved()
	two.shows(40, 20, 1)
	two.shows(40, 200, 2)
	// A box in one, a verdict in the other, which nobody has seen with the box.
	one.front().Key("b")
	one.drag(76, 56, 164, 124)
	one.saved()
	two.front().Want("wsss.im.prompts.length", "1") // it looks again when it comes to the front
	two.Eval("wsss.store.versions.set('a', 'seen before')", nil)
	two.Key("a")
	two.saved()
	if c := read(t, ds, "a"); c.Verdict != corrections.Open || len(c.Prompts) != 1 || len(c.Painted) != 2 {
		t.Fatalf("after both: verdict %q, %d prompts, %d painted classes", c.Verdict, len(c.Prompts), len(c.Painted))
	}
	two.Want("wsss.store.versions.get('a') === 'seen before' || wsss.im.verdict", "") // it has looked again
	two.Want("document.getElementById('hint').textContent.slice(0, 9)", "Corrected")
	two.shows(100, 80, 1)
	two.Key("a")
	two.saved()
	if c := read(t, ds, "a"); c.Verdict != corrections.Accepted {
		t.Errorf("accepted after a look: %q", c.Verdict)
	}
	one.clean()
}

func TestKeyboardOnly(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a", "b"}, 320, 240, false, manyNames(80)...)
	s, _ := serve(t, newOptions(t, ds))
	p := openPage(t, b, s.URL())
	p.Want("document.querySelectorAll('#classes [role=option]').length", "82")
	// One of 80 classes by its name.
	p.Key("/")
	for _, k := range "d56" {
		p.Key(string(k))
	}
	p.Want("document.querySelectorAll('#classes [role=option]').length", "1")
	p.Key("Enter")
	p.Want("document.getElementById('current').textContent", "class d56")
	// A box from corner to corner with the arrows.
	p.Key("b")
	p.Eval("wsss.cursor = { x: 76, y: 56 }", nil)
	p.Key(" ")
	for range 400 {
		var at struct{ X, Y float64 }
		p.Eval("wsss.cursor", &at)
		if at.X >= 163 && at.Y >= 123 {
			break
		}
		if at.X < 163 {
			p.KeyWith("ArrowRight", 0)
		}
		if at.Y < 123 {
			p.KeyWith("ArrowDown", 0)
		}
	}
	p.Key(" ")
	p.saved()
	p.shows(100, 80, 56)
	p.Key("-")
	p.Key("h")
	p.Key("]")
	p.Key("t")
	p.Want("wsss.view.photoOnly", "true")
	p.Key("t")
	p.Key("a")
	p.Want("document.documentElement.dataset.shown", "b")
	p.saved()
	if c := read(t, ds, "a"); c.Verdict != corrections.Accepted || c.Label().At(100, 80) != 56 {
		t.Errorf("by keys alone: %q", c.Verdict)
	}
	p.Key("PageUp")
	p.Want("document.documentElement.dataset.shown", "a")
	p.Key("?")
	p.Want("document.getElementById('help').open", "true")
	p.Key("Escape")
	p.clean()
}

// TestLargePhoto: 24 megapixels are painted to the pixel.
func TestLargePhoto(t *testing.T) {
	if testing.Short() {
		t.Skip("a photo of 24 megapixels takes some seconds")
	}
	b := browsertest.Start(t)
	ds := newData(t, []string{"large"}, 6000, 4000, false, "red", "blue")
	o := newOptions(t, ds)
	s, _ := serve(t, o)
	p := openPage(t, b, s.URL())
	p.Want("wsss.im.w * wsss.im.h", "24000000")
	p.Key("b")
	p.drag(1450, 950, 3050, 2050)
	p.saved()
	p.shows(2000, 1500, 1)
	p.Key("d")
	p.Key("2")
	p.drag(300, 3500, 900, 3500)
	p.saved()
	p.shows(600, 3500, 2)
	var ms float64
	p.Eval("wsss.millis", &ms)
	t.Logf("from box to mask %.0f ms", ms)
	p.Key("a")
	p.saved()
	c := read(t, ds, "large")
	if c.Verdict != corrections.Accepted || c.W != 6000 || c.H != 4000 {
		t.Fatalf("verdict %q of %d×%d", c.Verdict, c.W, c.H)
	}
	m := c.Label()
	if got := share(m, image.Rect(1510, 1010, 2990, 1990), 1); got < 0.99 {
		t.Errorf("%.3f of the square is class 1", got)
	}
	if m.At(600, 3500) != 2 {
		t.Error("the brush is not in the accepted label")
	}
	p.clean()
}

// TestKilledServer: the page says that nothing is saved, and keeps the stroke
// in hand only.
func TestKilledServer(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a"}, 320, 240, false, "red")
	s, stop := serve(t, newOptions(t, ds))
	p := openPage(t, b, s.URL())
	p.Key("d")
	p.drag(20, 20, 60, 20)
	p.saved()
	stop()
	p.drag(20, 100, 60, 100)
	p.Want("document.getElementById('trouble').hidden", "false")
	p.drag(20, 200, 60, 200) // not taken: it would be lost in silence
	p.Want("wsss.im.layer[200 * 320 + 40]", "0")
	c := read(t, ds, "a")
	raw, err := json.Marshal(c.Painted)
	if err != nil || len(c.Painted) != 1 || c.Label().At(40, 20) != 1 {
		t.Errorf("on disk after the kill: %s, %v", raw, err)
	}
}
