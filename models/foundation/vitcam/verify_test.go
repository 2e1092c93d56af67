package vitcam

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wsss/data/datatest"
)

// TestFullSize makes maps by a ViT-B/16 with random weights for an image of
// 500×375 pixels: the engines agree, and how long it takes is logged.
// WSSS_VERIFY_KEEP names a folder where the export is kept and found again.
func TestFullSize(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("a minute and gigabytes: set WSSS_VERIFY=1")
	}
	const name = "clip_vit_b16_full"
	dir := t.TempDir()
	if kept := os.Getenv("WSSS_VERIFY_KEEP"); kept != "" {
		dir = kept
	}
	path := filepath.Join(dir, name+".onnx")
	if _, err := os.Stat(path); err != nil {
		if out, err := exec.Command(datatest.Torch(t), "-W", "ignore", "../../onnximport/testdata/gen_exports.py", dir, name).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	texts := make([][]float32, 45)
	for i := range texts {
		sum := 0.0
		for range 512 {
			v := rng.NormFloat64()
			texts[i], sum = append(texts[i], float32(v)), sum+v*v
		}
		for k := range texts[i] {
			texts[i][k] /= float32(math.Sqrt(sum))
		}
	}
	ctx := context.Background()
	var first []float32
	for name, b := range engines(t) {
		m, err := Open(b, path, Options{Output: "image_embeds", Texts: texts, Scale: 100, Softmax: true})
		if err != nil {
			t.Fatal(err)
		}
		var embed time.Duration
		var class [3]time.Duration // of so many classes, from 1
		for range 2 {              // the first run compiles
			start := time.Now()
			im, err := m.Embed(ctx, picture(500, 375))
			if err != nil {
				t.Fatal(err)
			}
			embed = time.Since(start)
			var cam []float32
			for n := range class {
				start = time.Now()
				cams, err := m.CAMs(ctx, im, []int{3, 5, 7}[:n+1], []int{3, 5, 7, 20, 21, 22, 23, 44})
				if err != nil {
					t.Fatal(err)
				}
				class[n], cam = time.Since(start), cams[0]
			}
			if len(cam) != 32*24 {
				t.Fatalf("a map of %d patches", len(cam))
			}
			if im.Free(); first == nil {
				first = cam
			}
			if d := difference(cam, first); !(d <= 1e-3) {
				t.Errorf("%s: the map differs by %.2g", name, d)
			}
		}
		t.Logf("%s: all but the last block %.2f s, one, two and three classes %.2f, %.2f and %.2f s", name, embed.Seconds(), class[0].Seconds(), class[1].Seconds(), class[2].Seconds())
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
