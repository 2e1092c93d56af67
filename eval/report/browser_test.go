package report

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"wsss/eval/browsertest"
)

// share of the picture's pixels within some levels of a colour.
func share(img image.Image, want color.Color) float64 {
	near := func(a, b uint32) bool { return max(a, b)-min(a, b) < 8<<8 }
	r, g, b, _ := want.RGBA()
	n := 0
	rect := img.Bounds()
	for y := rect.Min.Y; y < rect.Max.Y; y++ {
		for x := rect.Min.X; x < rect.Max.X; x++ {
			r2, g2, b2, _ := img.At(x, y).RGBA()
			if near(r, r2) && near(g, g2) && near(b, b2) {
				n++
			}
		}
	}
	return float64(n) / float64(rect.Dx()*rect.Dy())
}

func TestInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	f := newFixture(t, 60, 100, 75)
	dir := t.TempDir()
	r := f.report(t)
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, HTMLName)
	const (
		count  = "document.getElementById('count').textContent"
		loaded = "[...document.querySelectorAll('.card:first-child img')].filter(i => i.complete && i.naturalWidth > 0).length"
		set    = "(id, v, type) => { const e = document.getElementById(id); e.value = v; e.dispatchEvent(new Event(type)) }"
	)

	// Pictures: photo, truth and three rows, four of them with a photo below.
	b.Open("file://" + page + "#split=val&opacity=100")
	b.Want(count, "60 of 60 images")
	b.Eval("document.querySelector('.card').scrollIntoView()", nil)
	b.Want(loaded, "9")
	var colour string
	b.Eval("JSON.parse(document.getElementById('data').textContent).colours[3]", &colour)
	if colour != "#808000" {
		t.Errorf("colour of class 3 is %s, VOC's is #808000", colour)
	}
	b.Eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))", nil)
	img := b.Screenshot()
	for c := 1; c <= 3; c++ {
		if s := share(img, palette[c]); s < 0.003 {
			t.Errorf("%.4f of the screenshot has the colour of class %d: the overlays are not there", s, c)
		}
	}

	// Filters, from the controls.
	b.Eval("("+set+")('class', 2, 'change')", nil)
	b.Want(count, "20 of 60 images")
	b.Want("[...document.querySelectorAll('.card p .muted:last-child')].every(e => e.textContent === 'bicycle')", "true")
	b.Eval("("+set+")('max', 80, 'input')", nil)
	var n int
	b.Eval("parseInt("+count+")", &n)
	if n == 0 || n >= 20 {
		t.Errorf("%d of 20 images of class 2 have an IoU up to 80", n)
	}
	b.Want("[...document.querySelectorAll('.card .score')].every(e => parseFloat(e.textContent.slice(4)) <= 80)", "true")
	// Worst first.
	b.Want("[...document.querySelectorAll('.card .score')].map(e => parseFloat(e.textContent.slice(4))).every((v, i, a) => !i || a[i-1] <= v)", "true")
	// The address holds the view; foreign text stays text.
	b.Open("file://" + page + "#class=%3Cb%3Ebird%3C%2Fb%3E&order=best&layer=gen")
	b.Want(count, "20 of 60 images")
	b.Want("document.querySelectorAll('main b b, .card b b').length + ' ' + document.getElementById('layer').selectedOptions[0].textContent", "0 gen")
	b.Want("document.querySelector('.card .score').textContent", "IoU 100.0")
	b.Eval("("+set+")('find', '"+f.ids[2]+"', 'input')", nil)
	b.Want(count, "1 of 60 images")

	b.Open("file://" + page + "#order=quality")
	b.Want("[...document.querySelectorAll('.card .quality')].map(e => parseFloat(e.textContent.slice(8))).every((v, i, a) => v > 0 && (!i || a[i-1] <= v))", "true")
	// Tiles fill their rows evenly, and the legend knows void.
	b.Want("getComputedStyle(document.querySelector('.card .tiles')).gridTemplateColumns.split(' ').length", "5")
	b.Want("document.querySelector('#colours .void').textContent", "void, not scored")
	// Any file name works.
	b.Open("file://" + page + "#find=zoo%2Fa&opacity=100")
	b.Want(count, "1 of 60 images")
	b.Eval("document.querySelector('.card').scrollIntoView()", nil)
	b.Want(loaded, "9")
	// The legend filters too.
	b.Open("file://" + page + "#order=name")
	b.Eval("document.querySelectorAll('#colours button')[0].click()", nil)
	b.Want(count+" + ' ' + document.querySelector('#colours .on').textContent + ' ' + location.hash", "20 of 60 images aeroplane #class=aeroplane&order=name")

	// Keys.
	b.Open("file://" + page + "#order=name")
	b.Key("ArrowRight")
	b.Key("ArrowRight")
	b.Want("document.querySelector('.card.at b').textContent", f.ids[1])
	b.Key("Enter")
	b.Want("document.getElementById('viewer').open + ' ' + document.getElementById('vname').textContent", "true "+f.ids[1])
	b.Key("ArrowRight")
	b.Want("document.getElementById('vname').textContent", f.ids[2])
	b.Key("2")
	b.Want("[...document.querySelectorAll('#vstage .tile')].filter(e => e.offsetWidth > 0).length", "1")
	b.Key("d")
	b.Want("document.documentElement.classList.contains('diff') + ' ' + document.getElementById('vname').textContent", "true "+f.ids[2])
	b.Key("Escape")
	b.Want("document.getElementById('viewer').open", "false")
	b.Key("[")
	b.Want("document.getElementById('opacity').value", "50")
	b.Want("getComputedStyle(document.querySelector('.over')).opacity", "1") // differences are drawn in full
	b.Key("d")
	b.Want("getComputedStyle(document.querySelector('.over')).opacity", "0.5")
	b.Key("t")
	b.Key("t")
	b.Want("document.documentElement.dataset.theme", "light")
	light := share(b.Screenshot(), color.RGBA{0xfd, 0xfd, 0xfc, 255})
	b.Key("t")
	b.Want("document.documentElement.dataset.theme", "dark")
	if dark := share(b.Screenshot(), color.RGBA{0x16, 0x18, 0x1b, 255}); light < 0.1 || dark < 0.1 {
		t.Errorf("paper colour on %.2f of the light page and %.2f of the dark page", light, dark)
	}
	// Scrolling makes further cards, once each.
	b.Eval("document.getElementById('more').scrollIntoView()", nil)
	b.Want("(document.getElementById('more').scrollIntoView(), new Set([...document.querySelectorAll('.card b')].map(e => e.textContent)).size)", "60")
	b.Want("document.querySelectorAll('.card').length", "60")
	// The list of images to look at first opens one.
	b.Eval("document.querySelector('#look a.open').click()", nil)
	b.Want("document.getElementById('vname').textContent", r.Look[0].ID)
	// On paper: light, without controls, every section open.
	b.Key("Escape")
	b.Call("Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	b.Want("getComputedStyle(document.body).backgroundColor", "rgb(253, 253, 252)")
	b.Want("['#filters', '.top', '#more'].map(s => getComputedStyle(document.querySelector(s)).display).join()", "none,none,none")
	b.Want("document.querySelector('#row2 table').offsetHeight > 0", "true")
	if len(b.Errors) > 0 {
		t.Errorf("the page reports %s", strings.Join(b.Errors, "\n"))
	}
}

// TestLargeInBrowser: as many images as VOC val has stay below 25 MB and open
// in 2 seconds.
func TestLargeInBrowser(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("draws 1,449 images of 500×375 and 10,000 small ones, minutes: set WSSS_VERIFY=1")
	}
	for _, tt := range []struct {
		images, w, h int
		megabytes    float64
	}{{1449, 500, 375, 25}, {10_000, 160, 120, 100}} {
		t.Run(strconv.Itoa(tt.images), func(t *testing.T) { largeInBrowser(t, tt.images, tt.w, tt.h, tt.megabytes) })
	}
}

// largeInBrowser writes and opens a report of so many images, below a size.
func largeInBrowser(t *testing.T, images, w, h int, megabytes float64) {
	b := browsertest.Start(t)
	f := newFixture(t, images, w, h)
	r := f.report(t)
	dir := t.TempDir()
	start := time.Now()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	first := time.Since(start)
	start = time.Now()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	again := time.Since(start)
	var size, files int64
	if err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size, files = size+info.Size(), files+1
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	b.Open("file://" + filepath.Join(dir, HTMLName) + "")
	opened := time.Since(start)
	b.Want("document.getElementById('count').textContent", fmt.Sprintf("%d of %d images", images, images))
	var ready float64
	b.Eval("+document.documentElement.dataset.ready", &ready)
	t.Logf("written in %.1f s, again in %.1f s; %d files, %.1f MB; opens in %.0f ms, script done after %.0f ms",
		first.Seconds(), again.Seconds(), files, float64(size)/1e6, 1000*opened.Seconds(), ready)
	if float64(size) > megabytes*1e6 {
		t.Errorf("%.1f MB, want below %.0f", float64(size)/1e6, megabytes)
	}
	if opened > 2*time.Second {
		t.Errorf("opens in %v, want below 2 s", opened)
	}
}
