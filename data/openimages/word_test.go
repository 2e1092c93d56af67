package openimages

import "testing"

// TestWord: prompts use the words that CLIP was fine-tuned with.
func TestWord(t *testing.T) {
	for class, want := range map[string]string{
		"tvmonitor": "television", "motorbike": "motor bikes", "pottedplant": "potted plant",
		"diningtable": "dining table", "tv": "television", "motorcycle": "motor bikes", "cat": "cat", "bolt": "bolt",
	} {
		if got := Word(class); got != want {
			t.Errorf("Word(%q) = %q, want %q", class, got, want)
		}
	}
}
