package photo

import (
	"bytes"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/image/tiff"
)

func load(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestWithoutEnd: every pixel is there, only the end or less is missing, or
// something follows it.
func TestWithoutEnd(t *testing.T) {
	for _, name := range []string{"420.jpg", "420-progressive.jpg", "grey.jpg", "cmyk.jpg", "palette.png", "lossy.webp", "rgb.tif", "rgb.bmp"} {
		raw := load(t, name)
		whole, err := Decode(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		variants := map[string][]byte{"garbage behind it": append(bytes.Clone(raw), "\x00\xff\xd8 garbage"...)}
		switch filepath.Ext(name) {
		case ".jpg":
			variants["no end"] = raw[:len(raw)-2]
			variants["half an end"] = raw[:len(raw)-1]
		case ".png":
			variants["no end"] = raw[:len(raw)-12]
			variants["half an end"] = raw[:len(raw)-4]
		}
		for what, v := range variants {
			got, err := Decode(bytes.NewReader(v), int64(len(v)))
			if err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			} else if !bytes.Equal(got.Pix, whole.Pix) {
				t.Errorf("%s, %s: other pixels", name, what)
			}
		}
	}
}

// TestCutOff: a file that was cut short is called that, wherever it is cut.
func TestCutOff(t *testing.T) {
	for _, name := range []string{
		"420.jpg", "444.jpg", "grey.jpg", "cmyk.jpg", "420-progressive.jpg", "palette.png", "rgb16.png", "lossy.webp", "lossless.webp", "rgb.tif", "lzw.tif", "rgb.bmp", "palette.bmp",
	} {
		raw := load(t, name)
		for _, part := range []float64{0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97} {
			cut := raw[:int(part*float64(len(raw)))]
			_, err := Decode(bytes.NewReader(cut), int64(len(cut)))
			if err == nil || !strings.Contains(err.Error(), "cut off") && len(cut) > 32 {
				t.Errorf("%s cut at %d of %d bytes: %v", name, len(cut), len(raw), err)
			}
		}
	}
}

// TestCutOffRows counts the rows that are there: 43 in units of 16.
func TestCutOffRows(t *testing.T) {
	raw := load(t, "420.jpg")
	last := ""
	seen := map[string]bool{}
	for n := len(raw) - 3; n > 700; n -= 20 {
		_, err := Decode(bytes.NewReader(raw[:n]), int64(n))
		if err == nil {
			t.Fatalf("cut at %d passes", n)
		}
		if text, _, _ := strings.Cut(err.Error(), " ("); text != last {
			last, seen[text] = text, true
		}
	}
	for _, rows := range []string{"0", "16", "32"} {
		if !seen["cut off after "+rows+" of 43 rows"] {
			t.Errorf("no error names %s rows: %v", rows, seen)
		}
	}
	raw = bytes.Clone(raw)
	copy(raw[len(raw)-200:], bytes.Repeat([]byte{0xff, 0x01}, 10))
	if _, err := Decode(bytes.NewReader(raw), int64(len(raw))); err == nil || !strings.Contains(err.Error(), "damaged after") {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestForeign names what is no photo, and what to do.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	for raw, want := range map[string]string{
		"":                                  "the file is empty",
		"hello":                             "not a photo: allowed are JPEG, PNG",
		"\ufeff<!DOCTYPE html><html>":       "HTML page",
		"  <html><body>404":                 "HTML page",
		`{"error":"not found"}`:             "JSON",
		"GIF89a\x01\x00":                    "GIF",
		"\x00\x00\x00\x18ftypheic\x00\x00":  "HEIC photo (iPhone)",
		"\x00\x00\x00\x18ftypmif1\x00\x00":  "HEIC photo (iPhone)",
		"\x00\x00\x00\x20ftypavif\x00\x00":  "AVIF photo",
		"\x00\x00\x00\x20ftypcrx \x00\x00":  "CR3",
		"\x00\x00\x00\x20ftypisom\x00\x00":  "video",
		"II*\x00\x10\x00\x00\x00CR\x02\x00": "CR2",
		"FUJIFILMCCD-RAW 0201":              "Fujifilm",
		"version https://git-lfs.github.com/spec/v1\noid sha256:00": "git lfs pull",
		"\xff\x0a\x00\x00":           "JPEG XL",
		"%PDF-1.7":                   "PDF",
		strings.Repeat("\x00", 4096): "zeros only",
		"\xff\xd8\xff\xc9\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00\xff\xd9": "arithmetic-coded JPEG",
		"\xff\xd8\xff\xc1\x00\x0b\x0c\x00\x10\x00\x10\x01\x01\x11\x00\xff\xd9": "a JPEG of 12 bits",
		"\xff\xd8\xff\xd9": "ends before its frame header",
	} {
		path := filepath.Join(dir, "x.jpg")
		if err := os.WriteFile(path, []byte(raw), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.jpg: ") {
			t.Errorf("%.30q: %v, want %q", raw, err, want)
		}
		if _, err := Inspect(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("inspect %.30q: %v, want %q", raw, err, want)
		}
	}
}

// TestTIFFKinds: a TIFF that is whole, and compressed in a way that is not read, is
// not called damaged.
func TestTIFFKinds(t *testing.T) {
	var b bytes.Buffer
	if err := tiff.Encode(&b, image.NewGray(image.Rect(0, 0, 4, 4)), nil); err != nil {
		t.Fatal(err)
	}
	plain, jpeg := []byte("\x03\x01\x03\x00\x01\x00\x00\x00\x01\x00"), []byte("\x03\x01\x03\x00\x01\x00\x00\x00\x07\x00")
	if bytes.Count(b.Bytes(), plain) != 1 {
		t.Fatal("the tag of the compression is not where it was")
	}
	raw := bytes.Replace(b.Bytes(), plain, jpeg, 1)
	if _, err := Decode(bytes.NewReader(raw), int64(len(raw))); err == nil || !strings.Contains(err.Error(), "not a photo that is read") || !strings.Contains(err.Error(), "8-bit RGB TIFF") {
		t.Errorf("error %v", err)
	}
}

// TestByBytes: the name of a photo does not say what it is.
func TestByBytes(t *testing.T) {
	for _, name := range []string{"lossy.webp", "rgb.tif", "rgb.bmp", "palette.png"} {
		path := filepath.Join(t.TempDir(), "x.jpg")
		if err := os.WriteFile(path, load(t, name), 0o644); err != nil {
			t.Fatal(err)
		}
		if img, err := Read(path); err != nil || img.Rect.Dx() != 61 {
			t.Errorf("%s as x.jpg: %v", name, err)
		}
		i, err := Inspect(path)
		if err != nil || !i.Misnamed {
			t.Errorf("%s as x.jpg: %+v (%v)", name, i, err)
		}
	}
	if i, err := Inspect("testdata/420.jpg"); err != nil || i.Misnamed {
		t.Errorf("%+v (%v)", i, err)
	}
}

// TestNoFile: what is no regular file is refused at once, and not waited for.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, device, huge := filepath.Join(dir, "pipe.jpg"), filepath.Join(dir, "zero.jpg"), filepath.Join(dir, "huge.jpg")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("/dev/zero", device); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 60<<30); err != nil {
		t.Skip(err)
	}
	for path, want := range map[string]string{pipe: "a pipe", device: "a device", dir: "a folder", huge: "64424509440 bytes"} {
		start := time.Now()
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", path, took)
		}
	}
}

// TestTooLarge: headers that ask for more than is allowed.
func TestTooLarge(t *testing.T) {
	frame := func(mark byte, sampling string) string {
		return "\xff\xd8\xff" + string([]byte{mark}) + "\x00\x11\x08\x40\x00\x40\x00\x03\x01" + sampling + "\x00\x02\x11\x00\x03\x11\x00\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00"
	}
	deep := pngHeader(t, image.NewNRGBA64(image.Rect(0, 0, 1, 1)), 0x4000, 0x4000)
	wide := pngHeader(t, image.NewGray(image.Rect(0, 0, 1, 1)), 0x8000, 0x8000)
	for raw, want := range map[string]string{
		frame(0xc2, "\x22"): "decoding it takes 3.1 GB",
		string(deep):        "decoding it takes",
		string(wide):        "at most 268435456 are allowed",
	} {
		_, err := Decode(strings.NewReader(raw), int64(len(raw)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	raw := frame(0xc0, "\x22")
	if i, err := inspect(strings.NewReader(raw), int64(len(raw))); err != nil || i.Stored != image.Pt(0x4000, 0x4000) {
		t.Errorf("a baseline JPEG of 268 megapixels: %+v, %v", i, err)
	}
}

// pngHeader is a PNG with another size in its header.
func pngHeader(t *testing.T, img image.Image, w, h int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	raw := out.Bytes()
	copy(raw[16:], []byte{0, 0, byte(w >> 8), byte(w), 0, 0, byte(h >> 8), byte(h)})
	sum := crc32.ChecksumIEEE(raw[12:29])
	copy(raw[29:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return raw
}

// TestBudget: those who want memory wait, in order, and no one for ever.
func TestBudget(t *testing.T) {
	b := NewBudget(10)
	b.acquire(7)
	order := make(chan int, 2)
	go func() { b.acquire(8); order <- 8; b.release(8) }()
	for waits(b) != 1 {
		time.Sleep(time.Millisecond)
	}
	go func() { b.acquire(2); order <- 2; b.release(2) }() // would fit, but came later
	for waits(b) != 2 {
		time.Sleep(time.Millisecond)
	}
	select {
	case n := <-order:
		t.Fatalf("%d bytes were given out of 3", n)
	default:
	}
	b.release(7)
	if a, c := <-order, <-order; a+c != 10 {
		t.Errorf("%d and %d", a, c)
	}
	b.acquire(10) // all is free again
}

func waits(b *Budget) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

func TestTurn(t *testing.T) {
	stored := image.Pt(3, 2)
	pix := []uint8{1, 2, 3, 4, 5, 6}
	for o, want := range map[int][]uint8{
		1: {1, 2, 3, 4, 5, 6}, 2: {3, 2, 1, 6, 5, 4}, 3: {6, 5, 4, 3, 2, 1}, 4: {4, 5, 6, 1, 2, 3},
		5: {1, 4, 2, 5, 3, 6}, 6: {4, 1, 5, 2, 6, 3}, 7: {6, 3, 5, 2, 4, 1}, 8: {3, 6, 2, 5, 1, 4},
	} {
		if got := Turn(pix, stored, 1, o); !bytes.Equal(got, want) {
			t.Errorf("orientation %d: %v, want %v", o, got, want)
		}
	}
}

// TestTransparentKeepsColour: alpha is dropped, not multiplied in.
func TestTransparentKeepsColour(t *testing.T) {
	for _, img := range []image.Image{
		&image.NRGBA{Pix: []uint8{200, 100, 50, 0}, Stride: 4, Rect: image.Rect(0, 0, 1, 1)},
		&image.NRGBA64{Pix: []uint8{200, 9, 100, 9, 50, 9, 0, 0}, Stride: 8, Rect: image.Rect(0, 0, 1, 1)},
		&image.Paletted{Pix: []uint8{0}, Stride: 1, Rect: image.Rect(0, 0, 1, 1), Palette: color.Palette{color.NRGBA{200, 100, 50, 0}}},
	} {
		if got := opaque(img).NRGBAAt(0, 0); got != (color.NRGBA{200, 100, 50, 255}) {
			t.Errorf("%T: %v", img, got)
		}
	}
}

// FuzzInspect: headers come from anywhere.
func FuzzInspect(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		if raw := load(f, filepath.Base(name)); len(raw) < 4096 && !strings.Contains(filepath.Base(name), ".png.png") {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		i, err := inspect(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		if i.Orientation < 1 || i.Orientation > 8 || i.bytes() > MaxBytes || i.bytes() <= 0 {
			t.Fatalf("%+v", i)
		}
		if i.Stored.X*i.Stored.Y > 1<<16 {
			return
		}
		img, err := Decode(bytes.NewReader(raw), int64(len(raw)))
		if err == nil && img.Rect.Size() != i.Size() {
			t.Fatalf("%v, header %+v", img.Rect, i)
		}
	})
}

// FuzzOrientation: EXIF comes from anywhere.
func FuzzOrientation(f *testing.F) {
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if o := orientation(raw); o < 1 || o > 8 {
			t.Fatal(o)
		}
	})
}
