package scenes

import (
	"image"
	"image/draw"
	"image/png"
	"os"
	"strconv"
	"testing"

	"wsss/data"
)

// TestContactSheet writes pictures and masks side by side for a person to look
// at, where WSSS_SHEET names a file.
func TestContactSheet(t *testing.T) {
	path := os.Getenv("WSSS_SHEET")
	if path == "" {
		t.Skip("WSSS_SHEET names no file to write the contact sheet to")
	}
	const cols, rows, cell = 4, 5, 164
	sheet := image.NewNRGBA(image.Rect(0, 0, 2*cols*cell, rows*cell))
	for i := range cols * rows {
		s := compose(seedFor(1, "sheet_"+strconv.Itoa(i)), DefaultConfig(), len(classes)+1)
		at := image.Pt(i%cols*2*cell, i/cols*cell)
		draw.Draw(sheet, s.image.Rect.Add(at), s.image, image.Point{}, draw.Src)
		mask := &image.Paletted{Pix: s.truth.Pix, Stride: s.truth.W, Rect: image.Rect(0, 0, s.truth.W, s.truth.H), Palette: data.VOCPalette()}
		draw.Draw(sheet, mask.Rect.Add(at).Add(image.Pt(cell, 0)), mask, image.Point{}, draw.Src)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, sheet); err != nil {
		t.Fatal(err)
	}
}
