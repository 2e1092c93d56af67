package review

import (
	"testing"

	"wsss/eval/browsertest"
)

// TestSizesInBrowser: whatever the size of the window, each control is whole and
// inside it, and the buttons that judge are in view.
func TestSizesInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	ds := newData(t, []string{"a"}, 320, 240, true, manyNames(80)...)
	s, _ := serve(t, newOptions(t, ds))
	for _, scheme := range []string{"light", "dark"} {
		b.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		for _, size := range [][2]int{{390, 844}, {760, 600}, {900, 700}, {1400, 900}} {
			b.Size(size[0], size[1])
			p := openPage(t, b, s.URL())
			p.Want("document.documentElement.scrollWidth <= innerWidth", "true")
			p.Want(`[...document.querySelectorAll('button, input, select')].filter(e => e.offsetWidth && !e.closest('.tools')).every(e => {
				const r = e.getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth })`, "true")
			p.Want("[...document.querySelectorAll('.tools button')].every(e => e.clientHeight >= e.firstChild.offsetHeight)", "true")
			p.Want("['accept', 'reject', 'undo'].every(id => document.getElementById(id).getBoundingClientRect().bottom <= innerHeight)", "true")
			p.Want("document.getElementById('stage').clientHeight > innerHeight / 3", "true")
			if img := b.Screenshot(); img.Bounds().Dx() != size[0] {
				t.Errorf("a picture of %v", img.Bounds())
			}
		}
	}
	b.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{}}, nil)
}
