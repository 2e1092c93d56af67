package photo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"wsss/checkpoints/files"
)

// Inspect reads a photo's header only. Errors name the file.
func Inspect(path string) (Info, error) {
	f, size, err := files.OpenLimited(path, MaxFile)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	i, err := inspect(f, size)
	if err != nil {
		return i, fmt.Errorf("%s: %w", path, err)
	}
	i.Misnamed = i.Format.misnamed(path)
	return i, nil
}

// OtherSize tells labels of an image of a size that cannot be of a photo, neither as it is
// seen nor as it is stored, and gives the photo's upright size. A file that is no photo is
// told by whoever reads it.
func OtherSize(path string, size image.Point) (upright image.Point, other bool) {
	i, err := Inspect(path)
	return i.Size(), err == nil && i.Size() != size && i.Stored != size
}

// Read decodes a photo: upright, origin (0,0), every pixel opaque. It waits
// while other photos take the process's memory for decoding (MaxBytes). Errors
// name the file, and what it is where it is no photo.
func Read(path string) (*image.NRGBA, error) {
	f, size, err := files.OpenLimited(path, MaxFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := Decode(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// Decode is Read on so many bytes.
func Decode(r io.ReaderAt, size int64) (*image.NRGBA, error) {
	i, err := inspect(r, size)
	if err != nil {
		return nil, err
	}
	defer Reserve(i.bytes())()
	img, err := i.decode(r, size)
	if err != nil {
		return nil, err
	}
	if img.Rect.Size() != i.Stored {
		return nil, fmt.Errorf("damaged %s: its header says %d×%d pixels, its pixels %d×%d",
			i.Format, i.Stored.X, i.Stored.Y, img.Rect.Dx(), img.Rect.Dy())
	}
	if i.Orientation > 1 {
		upright := i.Size()
		img = &image.NRGBA{Pix: Turn(img.Pix, i.Stored, 4, i.Orientation), Stride: 4 * upright.X, Rect: image.Rectangle{Max: upright}}
	}
	return img, nil
}

// decode gives the stored pixels.
func (i Info) decode(r io.ReaderAt, size int64) (*image.NRGBA, error) {
	section := io.NewSectionReader(r, 0, size)
	stream := bufio.NewReaderSize(section, 1<<16)
	var img image.Image
	var err error
	switch i.Format {
	case JPEG:
		return i.decodeJPEG(r, size)
	case PNG:
		img, err = decodePNG(r, stream, size)
	case WebP:
		if img, err = webp.Decode(stream); err == nil {
			if out := fromWebP(img); out != nil {
				return out, nil
			}
		}
	case TIFF:
		img, err = tiff.Decode(section)
	case BMP:
		img, err = bmp.Decode(stream)
	}
	if err != nil {
		return nil, i.fault(err, size)
	}
	return opaque(img), nil
}

// fault tells a file that is cut off from a damaged one.
func (i Info) fault(err error, size int64) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cut off after %d bytes: the %s's last pixels are missing (%w)", size, i.Format, io.ErrUnexpectedEOF)
	}
	if unsupported := tiff.UnsupportedError(""); errors.As(err, &unsupported) {
		return fmt.Errorf("not a photo that is read: %w: save it as an 8-bit RGB TIFF or as PNG", err)
	}
	return fmt.Errorf("damaged %s: %w", i.Format, err)
}

// endOfPNG is the chunk that ends every PNG.
var endOfPNG = []byte("\x00\x00\x00\x00IEND\xaeB`\x82")

// decodePNG also reads a PNG whose pixels are whole and whose end, or a part of
// it, is missing.
func decodePNG(r io.ReaderAt, stream io.Reader, size int64) (image.Image, error) {
	last := make([]byte, min(int64(len(endOfPNG)), size))
	if _, err := r.ReadAt(last, size-int64(len(last))); err != nil && err != io.EOF {
		return nil, err
	}
	there := len(last)
	for ; !bytes.HasSuffix(last, endOfPNG[:there]); there-- {
	}
	tail := &withEnd{r: stream, end: endOfPNG[there:]}
	img, err := png.Decode(tail)
	if err != nil && (tail.used || errors.Is(err, io.EOF)) {
		err = io.ErrUnexpectedEOF
	}
	return img, err
}

// withEnd puts an end behind a file that lacks it.
type withEnd struct {
	r    io.Reader
	end  []byte
	used bool // the file itself was not enough
}

func (w *withEnd) Read(p []byte) (int, error) {
	if !w.used {
		n, err := w.r.Read(p)
		if n > 0 || err != io.EOF {
			return n, err
		}
		w.used, w.r = true, bytes.NewReader(w.end)
	}
	return w.r.Read(p)
}
