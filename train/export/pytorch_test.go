package export

import (
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"image"

	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/train"
)

// TestPyTorchLines runs the lines of docs/export.md in Python, as they stand
// there: PyTorch and ONNX Runtime see in a photo what wsss predict sees.
func TestPyTorchLines(t *testing.T) {
	python := datatest.Torch(t)
	text, err := os.ReadFile("../../docs/export.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```python\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d Python blocks in docs/export.md, want one for ONNX and one for safetensors", len(blocks))
	}
	b := openOne(t)
	checkpoint := trained(t, b, func(c *configs.Train) {
		c.Arch, c.Backbone, c.MSC, c.OutputStride, c.StrideIn, c.Input = "deeplab-v3plus", "resnet18", false, 16, "3x3", "torch"
		c.Width = 1
	})
	dir := t.TempDir()
	if err := Safetensors(checkpoint, filepath.Join(dir, "net.safetensors"), nil); err != nil {
		t.Fatal(err)
	}
	if err := ONNX(checkpoint, filepath.Join(dir, "net.onnx"), nil); err != nil {
		t.Fatal(err)
	}
	photo := writePhoto(t, filepath.Join(dir, "photo.jpg"))
	for _, block := range blocks {
		cmd := exec.Command(python, "-c", string(block[1]))
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	p, err := train.LoadPredictor(b, checkpoint, train.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want, err := p.Predict(t.Context(), photo)
	if err != nil {
		t.Fatal(err)
	}
	if classes := want.Present(); !classes[0] && !classes[1] {
		t.Error("the network sees nothing")
	}
	for _, name := range []string{"onnx.png", "torch.png"} {
		got := readGrey(t, filepath.Join(dir, name))
		if got.Rect.Size() != want.Size() {
			t.Fatalf("%s has the size %v, want %v", name, got.Rect.Size(), want.Size())
		}
		same := 0
		for i, v := range want.Pix {
			if got.Pix[i/want.W*got.Stride+i%want.W] == v {
				same++
			}
		}
		share := float64(same) / float64(len(want.Pix))
		t.Logf("%s: %.3f %% of the pixels as wsss predict", name, 100*share)
		if share < 0.995 {
			t.Errorf("%s: %.1f %% of the pixels are as wsss predicts", name, 100*share)
		}
	}
}

// writePhoto writes a small photo and returns what wsss reads of it.
func writePhoto(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 96, 80))
	for y := range 80 {
		for x := range 96 {
			i := img.PixOffset(x, y)
			img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = uint8(2*x), uint8(3*y), uint8((x/16+y/16)%2*200), 255
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil { // exact, whatever its name
		t.Fatal(err)
	}
	read, err := data.ReadImage(path)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func readGrey(t *testing.T, path string) *image.Gray {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	grey, ok := img.(*image.Gray)
	if !ok {
		t.Fatalf("%s is %T, want grey levels", path, img)
	}
	return grey
}
