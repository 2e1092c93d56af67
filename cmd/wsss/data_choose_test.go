package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
)

// TestDataChoose: a batch is diverse, the same each time, free of near-duplicates
// and far from what is labelled; wrong flags are named.
func TestDataChoose(t *testing.T) {
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]color.NRGBA{"a": {250, 10, 10, 255}, "b": {250, 10, 12, 255}, "c": {10, 250, 10, 255}, "d": {10, 10, 250, 255}} {
		img := image.NewNRGBA(image.Rect(0, 0, 64, 48))
		for i := range 64 * 48 {
			at := c
			if i%64/8%2 == 0 {
				at.R /= 2
			}
			img.SetNRGBA(i%64, i/64, at)
		}
		f, err := os.Create(filepath.Join(photos, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	choose := func(args ...string) (string, int) {
		code := 0
		text := capture(t, func() {
			code = dispatch(t.Context(), append([]string{"data", "choose", "-quiet", "-backend", "go", "-features", "../../models/resnet/tiny/resnet18_w025_scenes.safetensors"}, args...))
		})
		return text, code
	}
	first, code := choose("-n", "3", "-same", "0.999", photos)
	again, _ := choose("-n", "3", "-same", "0.999", photos)
	if code != exitOK || first != again || !strings.Contains(first, "4 photos, of which 1 are near-duplicates") || !strings.Contains(first, "#   a: b\n") {
		t.Fatalf("exit %d\n%s\n%s", code, first, again)
	}
	var ids []string
	for line := range strings.Lines(first) {
		if !strings.HasPrefix(line, "#") {
			ids = append(ids, strings.TrimSpace(line))
		}
	}
	if len(ids) != 3 || strings.Contains(strings.Join(ids, " "), "b") {
		t.Errorf("chosen: %v", ids)
	}
	taken, out := filepath.Join(dir, "taken.txt"), filepath.Join(dir, "next.txt")
	datatest.Write(t, taken, "b\n")
	text, code := choose("-n", "9", "-same", "0.999", "-taken", taken, "-out", out, photos)
	raw, err := os.ReadFile(out)
	if next := strings.Fields(string(raw)); err != nil || code != exitOK || len(next) != 2 || strings.Contains(string(raw), "a") || !strings.Contains(text, "only 2 to choose from") {
		t.Errorf("exit %d, %v: %v\n%s", code, err, next, text)
	}
	for _, c := range [][2]string{{"-n=-1", "-n -1"}, {"-same=2", "-same 2"}, {"-with=side=-1", "side"}, {"-with=nonsense=1", "nonsense"}, {"-with=side", "-with side"},
		{"-features=nothing", "nothing"}, {"-features=none.onnx", "none.onnx: no such file"}, {"-taken=" + filepath.Join(photos, "none"), "-taken: stat "}, {"-kind=folder", "allowed is one"}} {
		if err := runChoose(t.Context(), []string{"-quiet", "-backend", "go", "-features", "../../models/resnet/tiny/resnet18_w025_scenes.safetensors", c[0], photos}); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want %q", c[0], err, c[1])
		}
	}
}
