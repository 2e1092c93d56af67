// Package browsertest drives a headless Chromium in tests, over the DevTools
// protocol, and skips them where there is none.
package browsertest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Browser is a headless Chromium driven over a pipe with the DevTools
// protocol: JSON messages that end in a zero byte.
type Browser struct {
	t       *testing.T
	in      *os.File
	shared  *shared
	session string
	Errors  []string // exceptions and failed loads that the page reported
}

// shared is what the pages of one browser share.
type shared struct {
	out *bufio.Reader
	n   int
}

// Start skips the test where there is no Chromium.
func Start(t *testing.T) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium in PATH: pages are not opened in a browser")
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
	b := &Browser{t: t, in: toBrowser, shared: &shared{out: bufio.NewReader(fromBrowser)}}
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
	b.attach()
	return b
}

// attach opens a page and listens to what it reports.
func (b *Browser) attach() {
	b.t.Helper()
	var target struct{ TargetID string }
	b.Call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.Call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.Call(domain+".enable", nil, nil)
	}
}

// Call sends a command and waits for its answer.
func (b *Browser) Call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.shared.n++
	msg := map[string]any{"id": b.shared.n, "method": method}
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
		raw, err := b.shared.out.ReadBytes(0)
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
			b.Errors = append(b.Errors, string(reply.Params))
		}
		if reply.ID != b.shared.n {
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

// Eval runs an expression, or waits for the promise it returns, and decodes
// its value.
func (b *Browser) Eval(js string, value any) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.Call("Runtime.evaluate", map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", js, r.ExceptionDetails)
	}
	if value != nil {
		if err := json.Unmarshal(r.Result.Value, value); err != nil {
			b.t.Fatalf("%s: %s: %v", js, r.Result.Value, err)
		}
	}
}

// Want checks that an expression becomes a value, within half a minute: under the
// race detector a mask takes seconds.
func (b *Browser) Want(js, value string) {
	b.t.Helper()
	var got string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		b.Eval("String("+js+")", &got)
		if got == value {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
	b.t.Errorf("%s = %q, want %q", js, got, value)
}

// Open loads a page and waits until its script has finished.
func (b *Browser) Open(url string) {
	b.t.Helper()
	b.Call("Page.navigate", map[string]any{"url": "about:blank"}, nil) // else only the hash changes
	b.Want("location.href", "about:blank")
	b.Call("Page.navigate", map[string]any{"url": url}, nil)
	b.Want("document.readyState + (document.documentElement?.dataset.ready > 0)", "completetrue")
}

// Modifiers of keys and of the mouse.
const (
	Alt   = 1
	Ctrl  = 2
	Shift = 8
)

var keyCodes = map[string]int{"Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Delete": 46, "Tab": 9}

// Key presses a key, by its name in the DOM, and lets it go.
func (b *Browser) Key(key string) { b.t.Helper(); b.KeyWith(key, 0) }

// KeyWith is Key with modifiers held.
func (b *Browser) KeyWith(key string, modifiers int) {
	b.t.Helper()
	press := map[string]any{"type": "keyDown", "key": key, "windowsVirtualKeyCode": keyCodes[key], "modifiers": modifiers}
	if len(key) == 1 {
		press["text"] = key
	}
	b.Call("Input.dispatchKeyEvent", press, nil)
	b.Call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "windowsVirtualKeyCode": keyCodes[key], "modifiers": modifiers}, nil)
}

// Drag presses the left button at the first point, moves along the others in
// steps, and lets go at the last. Points are x, y in pixels of the page.
func (b *Browser) Drag(points ...[2]float64) {
	b.t.Helper()
	b.mouse("mousePressed", points[0], "left", 0)
	for i := 1; i < len(points); i++ {
		a, z := points[i-1], points[i]
		const steps = 6
		for k := 1; k <= steps; k++ {
			f := float64(k) / steps
			b.mouse("mouseMoved", [2]float64{a[0] + f*(z[0]-a[0]), a[1] + f*(z[1]-a[1])}, "left", 0)
		}
	}
	b.mouse("mouseReleased", points[len(points)-1], "left", 0)
}

// Click presses a button, "left" or "right", with modifiers held.
func (b *Browser) Click(at [2]float64, button string, modifiers int) {
	b.t.Helper()
	b.mouse("mouseMoved", at, "none", modifiers)
	b.mouse("mousePressed", at, button, modifiers)
	b.mouse("mouseReleased", at, button, modifiers)
}

func (b *Browser) mouse(kind string, at [2]float64, button string, modifiers int) {
	b.t.Helper()
	b.Call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at[0], "y": at[1], "button": button, "clickCount": 1, "modifiers": modifiers}, nil)
}

// Tab opens another page in the same browser. Both can be used in turns.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	other := &Browser{t: b.t, in: b.in, shared: b.shared}
	other.attach()
	return other
}

// Size sets the size of the page and the pixels of the screen for each of its
// own.
func (b *Browser) Size(w, h int) {
	b.t.Helper()
	b.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": w, "height": h, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Screenshot is the page as it looks. It is kept in the folder that
// WSSS_SCREENSHOTS names.
func (b *Browser) Screenshot() image.Image {
	b.t.Helper()
	var shot struct{ Data string }
	b.Call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	if dir := os.Getenv("WSSS_SCREENSHOTS"); dir != "" {
		b.shared.n++
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%03d.png", strings.ReplaceAll(b.t.Name(), "/", "-"), b.shared.n)), raw, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	return img
}
