package report

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium driven over a pipe with the DevTools
// protocol: JSON messages that end in a zero byte.
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	session string
	n       int
	errors  []string // exceptions and failed loads that the page reported
}

// startBrowser skips the test where there is no Chromium.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium in PATH: the report is not opened in a browser")
	}
	fromTest, toBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromBrowser, toTest, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--hide-scrollbars", "--force-color-profile=srgb", "--user-data-dir="+t.TempDir(), "--window-size=1300,1000", "--remote-debugging-pipe")
	cmd.ExtraFiles = []*os.File{fromTest, toTest} // descriptors 3 and 4
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fromTest.Close()
	toTest.Close()
	b := &browser{t: t, in: toBrowser, out: bufio.NewReader(fromBrowser)}
	t.Cleanup(func() {
		toBrowser.Close() // the browser ends when its pipe does
		done := make(chan struct{})
		go func() { cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
		}
		cancel()
		<-done
		fromBrowser.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// call sends a command and waits for its answer.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.n++
	msg := map[string]any{"id": b.n, "method": method}
	if params != nil {
		msg["params"] = params
	}
	if b.session != "" {
		msg["sessionId"] = b.session
	}
	raw, err := json.Marshal(msg)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(raw, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		raw, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var reply struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(bytes.TrimSuffix(raw, []byte{0}), &reply); err != nil {
			b.t.Fatal(err)
		}
		if reply.Method == "Runtime.exceptionThrown" || reply.Method == "Log.entryAdded" {
			b.errors = append(b.errors, string(reply.Params))
		}
		if reply.ID != b.n {
			continue
		}
		if reply.Error != nil {
			b.t.Fatalf("%s: %s", method, reply.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(reply.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// eval runs an expression, or waits for the promise it returns, and decodes
// its value.
func (b *browser) eval(js string, value any) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", js, r.ExceptionDetails)
	}
	if value != nil {
		if err := json.Unmarshal(r.Result.Value, value); err != nil {
			b.t.Fatalf("%s: %s: %v", js, r.Result.Value, err)
		}
	}
}

// want checks that an expression becomes a value within some seconds.
func (b *browser) want(js, value string) {
	b.t.Helper()
	var got string
	for range 100 {
		b.eval("String("+js+")", &got)
		if got == value {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
	b.t.Errorf("%s = %q, want %q", js, got, value)
}

// open loads a page and waits until its script has finished.
func (b *browser) open(path, hash string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": "about:blank"}, nil) // else only the hash changes
	b.want("location.href", "about:blank")
	b.call("Page.navigate", map[string]any{"url": "file://" + path + hash}, nil)
	b.want("document.readyState + (document.documentElement?.dataset.ready > 0)", "completetrue")
}

func (b *browser) key(key string) {
	b.t.Helper()
	codes := map[string]int{"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
	press := map[string]any{"type": "keyDown", "key": key, "windowsVirtualKeyCode": codes[key]}
	if len(key) == 1 {
		press["text"] = key
	}
	b.call("Input.dispatchKeyEvent", press, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key}, nil)
}

func (b *browser) screenshot() image.Image {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	if dir := os.Getenv("WSSS_SCREENSHOTS"); dir != "" {
		b.n++
		writeFile(b.t, filepath.Join(dir, fmt.Sprintf("%s-%03d.png", b.t.Name(), b.n)), raw)
	}
	return img
}

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
	b := startBrowser(t)
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
	b.open(page, "#split=val&opacity=100")
	b.want(count, "60 of 60 images")
	b.eval("document.querySelector('.card').scrollIntoView()", nil)
	b.want(loaded, "9")
	var colour string
	b.eval("JSON.parse(document.getElementById('data').textContent).colours[3]", &colour)
	if colour != "#808000" {
		t.Errorf("colour of class 3 is %s, VOC's is #808000", colour)
	}
	b.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))", nil)
	img := b.screenshot()
	for c := 1; c <= 3; c++ {
		if s := share(img, palette[c]); s < 0.003 {
			t.Errorf("%.4f of the screenshot has the colour of class %d: the overlays are not there", s, c)
		}
	}

	// Filters, from the controls.
	b.eval("("+set+")('class', 2, 'change')", nil)
	b.want(count, "20 of 60 images")
	b.want("[...document.querySelectorAll('.card p .muted:last-child')].every(e => e.textContent === 'bicycle')", "true")
	b.eval("("+set+")('max', 80, 'input')", nil)
	var n int
	b.eval("parseInt("+count+")", &n)
	if n == 0 || n >= 20 {
		t.Errorf("%d of 20 images of class 2 have an IoU up to 80", n)
	}
	b.want("[...document.querySelectorAll('.card .score')].every(e => parseFloat(e.textContent.slice(4)) <= 80)", "true")
	// Worst first.
	b.want("[...document.querySelectorAll('.card .score')].map(e => parseFloat(e.textContent.slice(4))).every((v, i, a) => !i || a[i-1] <= v)", "true")
	// The address holds the view; foreign text stays text.
	b.open(page, "#class=%3Cb%3Ebird%3C%2Fb%3E&order=best&layer=gen")
	b.want(count, "20 of 60 images")
	b.want("document.querySelectorAll('main b b, .card b b').length + ' ' + document.getElementById('layer').selectedOptions[0].textContent", "0 gen")
	b.want("document.querySelector('.card .score').textContent", "IoU 100.0")
	b.eval("("+set+")('find', '"+f.ids[2]+"', 'input')", nil)
	b.want(count, "1 of 60 images")

	b.open(page, "#order=quality")
	b.want("[...document.querySelectorAll('.card .quality')].map(e => parseFloat(e.textContent.slice(8))).every((v, i, a) => v > 0 && (!i || a[i-1] <= v))", "true")
	// Tiles fill their rows evenly, and the legend knows void.
	b.want("getComputedStyle(document.querySelector('.card .tiles')).gridTemplateColumns.split(' ').length", "5")
	b.want("document.querySelector('#colours .void').textContent", "void, not scored")
	// Any file name works.
	b.open(page, "#find=zoo%2Fa&opacity=100")
	b.want(count, "1 of 60 images")
	b.eval("document.querySelector('.card').scrollIntoView()", nil)
	b.want(loaded, "9")
	// The legend filters too.
	b.open(page, "#order=name")
	b.eval("document.querySelectorAll('#colours button')[0].click()", nil)
	b.want(count+" + ' ' + document.querySelector('#colours .on').textContent + ' ' + location.hash", "20 of 60 images aeroplane #class=aeroplane&order=name")

	// Keys.
	b.open(page, "#order=name")
	b.key("ArrowRight")
	b.key("ArrowRight")
	b.want("document.querySelector('.card.at b').textContent", f.ids[1])
	b.key("Enter")
	b.want("document.getElementById('viewer').open + ' ' + document.getElementById('vname').textContent", "true "+f.ids[1])
	b.key("ArrowRight")
	b.want("document.getElementById('vname').textContent", f.ids[2])
	b.key("2")
	b.want("[...document.querySelectorAll('#vstage .tile')].filter(e => e.offsetWidth > 0).length", "1")
	b.key("d")
	b.want("document.documentElement.classList.contains('diff') + ' ' + document.getElementById('vname').textContent", "true "+f.ids[2])
	b.key("Escape")
	b.want("document.getElementById('viewer').open", "false")
	b.key("[")
	b.want("document.getElementById('opacity').value", "50")
	b.want("getComputedStyle(document.querySelector('.over')).opacity", "1") // differences are drawn in full
	b.key("d")
	b.want("getComputedStyle(document.querySelector('.over')).opacity", "0.5")
	b.key("t")
	b.key("t")
	b.want("document.documentElement.dataset.theme", "light")
	light := share(b.screenshot(), color.RGBA{0xfd, 0xfd, 0xfc, 255})
	b.key("t")
	b.want("document.documentElement.dataset.theme", "dark")
	if dark := share(b.screenshot(), color.RGBA{0x16, 0x18, 0x1b, 255}); light < 0.1 || dark < 0.1 {
		t.Errorf("paper colour on %.2f of the light page and %.2f of the dark page", light, dark)
	}
	// Scrolling makes further cards, once each.
	b.eval("document.getElementById('more').scrollIntoView()", nil)
	b.want("(document.getElementById('more').scrollIntoView(), new Set([...document.querySelectorAll('.card b')].map(e => e.textContent)).size)", "60")
	b.want("document.querySelectorAll('.card').length", "60")
	// The list of images to look at first opens one.
	b.eval("document.querySelector('#look a.open').click()", nil)
	b.want("document.getElementById('vname').textContent", r.Look[0].ID)
	// On paper: light, without controls, every section open.
	b.key("Escape")
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	b.want("getComputedStyle(document.body).backgroundColor", "rgb(253, 253, 252)")
	b.want("['#filters', '.top', '#more'].map(s => getComputedStyle(document.querySelector(s)).display).join()", "none,none,none")
	b.want("document.querySelector('#row2 table').offsetHeight > 0", "true")
	if len(b.errors) > 0 {
		t.Errorf("the page reports %s", strings.Join(b.errors, "\n"))
	}
}

// TestLargeInBrowser: as many images as VOC val has stay below 25 MB and open
// in 2 seconds.
func TestLargeInBrowser(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("draws 1,449 images of 500×375, half a minute: set WSSS_VERIFY=1")
	}
	b := startBrowser(t)
	f := newFixture(t, 1449, 500, 375)
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
	b.open(filepath.Join(dir, HTMLName), "")
	opened := time.Since(start)
	b.want("document.getElementById('count').textContent", "1449 of 1449 images")
	var ready float64
	b.eval("+document.documentElement.dataset.ready", &ready)
	t.Logf("written in %.1f s, again in %.1f s; %d files, %.1f MB; opens in %.0f ms, script done after %.0f ms",
		first.Seconds(), again.Seconds(), files, float64(size)/1e6, 1000*opened.Seconds(), ready)
	if size > 25e6 {
		t.Errorf("%.1f MB, want below 25", float64(size)/1e6)
	}
	if opened > 2*time.Second {
		t.Errorf("opens in %v, want below 2 s", opened)
	}
}
