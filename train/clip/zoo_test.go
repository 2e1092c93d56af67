package clip

import (
	"os"
	"path/filepath"
	"testing"

	"wsss/models/foundation/zoo"
)

// TestDepthsOfShortNames: the debug-size CLIP has lost the names of its
// weights; its blocks are found all the same.
func TestDepthsOfShortNames(t *testing.T) {
	raw, err := zoo.Files.ReadFile("clip_vision.onnx")
	if err != nil {
		t.Skip("this build holds no debug-size CLIP")
	}
	path := filepath.Join(t.TempDir(), "clip_vision.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := readDepths(path, "image_embeds")
	if err != nil {
		t.Fatal(err)
	}
	// Per block: two norms, four projections, two layers, all with bias.
	count := map[int]int{}
	for _, depth := range d.of {
		count[depth]++
	}
	if d.blocks < 2 {
		t.Fatalf("%d blocks", d.blocks)
	}
	for block := 1; block <= d.blocks; block++ {
		if count[block] < 16 {
			t.Errorf("block %d has %d weights: %v", block, count[block], count)
		}
	}
	if count[0] < 5 || count[d.blocks+1] < 3 {
		t.Errorf("embedding and top: %v", count)
	}
}
